"""Somebody's capture made fit to be given away: redacted, its lengths true again, and searched for what survived."""

from __future__ import annotations

import base64
import json
from typing import Any

from conformance.errors import UsageError
from conformance.model import Headers
from conformance.recording import har
from conformance.recording.leaks import leaks
from conformance.recording.traffic import File
from conformance.redaction import Redaction

_REMOVED = "<removed-{}>"


def sanitized(file: File) -> Any:
    """A HAR, a recording or other JSON without credentials and personal data, as a value to be written.

    What the redaction knows becomes a placeholder. What the leak gate finds afterwards, which looks with other eyes,
    is replaced whole. Bodies attached beside a HAR are taken into it. Raises UsageError where the file is no JSON.
    """
    try:
        raw = json.loads(file.path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file.name} is not JSON, or is cut short; give a HAR or a recording.") from error
    except OSError as error:
        raise UsageError(f"{file.name} cannot be read: {error.strerror}.") from error
    redaction = Redaction()
    log = raw.get("log") if isinstance(raw, dict) else None
    if isinstance(log, dict) and isinstance(log.get("entries"), list):
        beside = har.files_beside(file.path)
        entries = [_entry(entry, redaction, beside) for entry in log["entries"] if isinstance(entry, dict)]
        rest = {name: value for name, value in log.items() if name != "entries"}
        raw = {**redaction.value({name: value for name, value in raw.items() if name != "log"}),
               "log": {**redaction.value(rest), "entries": entries}}  # fmt: skip
    else:
        raw = redaction.value(raw)
    return _without_leaks(raw, _Removed())


def _entry(entry: dict[str, Any], redaction: Redaction, beside: har.Beside) -> dict[str, Any]:
    asked, answered = har.object_of(entry.get("request")), har.object_of(entry.get("response"))
    exchange = har.exchange_of(entry, beside)
    rest = {name: value for name, value in entry.items() if name not in ("request", "response")}
    kept = redaction.value(rest)
    sent, came = exchange.request, exchange.response
    kept["request"] = _message(asked, "postData", sent.body if sent.body_known else None, sent.headers, redaction)
    if "response" in entry:
        body = came.body if came is not None and came.body_known else None
        kept["response"] = _message(answered, "content", body, came.headers if came else Headers(), redaction)
    return kept  # type: ignore[no-any-return]


def _message(
    raw: dict[str, Any], holder: str, body: bytes | None, headers: Headers, redaction: Redaction
) -> dict[str, Any]:
    """One side of an entry. A known body is written anew, an unknown one left out: nobody can say what is in it."""
    kept = redaction.value({k: v for k, v in raw.items() if k not in (holder, "headers", "url", "cookies")})
    if "url" in raw:
        kept["url"] = redaction.url(str(raw["url"]))
    if isinstance(raw.get("cookies"), list):
        cookies = [cookie for cookie in raw["cookies"] if isinstance(cookie, dict)]
        kept["cookies"] = [{"name": str(c.get("name")), "value": _placeholder(redaction, c)} for c in cookies]
    content = har.object_of(raw.get(holder))
    clean = redaction.body(body, headers.get("content-type", "")) if body is not None else None
    if holder in raw:
        kept[holder] = _content(content, clean, redaction)
    if isinstance(raw.get("headers"), list):
        rows = [row for row in raw["headers"] if isinstance(row, dict)]
        fields = redaction.headers(Headers((str(r.get("name")), str(r.get("value") or "")) for r in rows)).fields
        kept["headers"] = [{"name": name, "value": value} for name, value in fields]
    if body is not None and clean is not None and clean != body:
        _relength(kept, holder, len(body), len(clean))
    return kept  # type: ignore[no-any-return]


def _placeholder(redaction: Redaction, cookie: dict[str, Any]) -> str:
    return redaction.placeholder("cookie", str(cookie.get("value") or ""))


def _content(raw: dict[str, Any], body: bytes | None, redaction: Redaction) -> dict[str, Any]:
    gone = ("text", "encoding", "_encoding", "_file", "_sha1", "params", "compression")
    kept: dict[str, Any] = redaction.value({name: value for name, value in raw.items() if name not in gone})
    if kept.get("comment") == "base64":
        del kept["comment"]
    if body is None:
        return kept
    try:
        kept["text"] = body.decode()
    except UnicodeDecodeError:
        kept["text"] = base64.b64encode(body).decode()
        kept["comment" if "size" not in raw else "encoding"] = "base64"
    return kept


def _relength(message: dict[str, Any], holder: str, before: int, after: int) -> None:
    """Lengths that were true of the body stay true of what is kept of it."""
    if message.get("bodySize") == before:
        message["bodySize"] = after
    if message.get(holder, {}).get("size") == before:
        message[holder]["size"] = after
    for field in message.get("headers", []):
        if field["name"].lower() == "content-length" and field["value"] == str(before):
            field["value"] = str(after)


class _Removed:
    """Counts what had to be removed, the same placeholder for the same text."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def instead_of(self, text: str) -> str:
        return self._given.setdefault(text, _REMOVED.format(len(self._given) + 1))


def _without_leaks(value: Any, removed: _Removed) -> Any:
    """A JSON value in which the leak gate finds nothing: each text is read by itself and with its name beside it."""
    if isinstance(value, dict):
        clean = {_text(str(key), removed): _without_leaks(item, removed) for key, item in value.items()}
        pair = isinstance(clean.get("name"), str) and isinstance(clean.get("value"), str)
        for key, item in clean.items():
            if isinstance(item, str | int) and not isinstance(item, bool) and _betrays({key: item}):
                clean[key] = removed.instead_of(str(item))
        if pair and _betrays({"name": clean["name"], "value": clean["value"]}):
            clean["value"] = removed.instead_of(clean["value"])
        return clean
    if isinstance(value, list):
        return [_without_leaks(item, removed) for item in value]
    return _text(value, removed) if isinstance(value, str) else value


def _text(text: str, removed: _Removed) -> str:
    return removed.instead_of(text) if any(leaks(json.dumps(text, ensure_ascii=False))) else text


def _betrays(value: dict[str, Any]) -> bool:
    return any(leaks(json.dumps(value, ensure_ascii=False)))
