"""HAR 1.2 as Chromium, Firefox, mitmproxy, Playwright and schemathesis write it, read in bounded memory.

The file is read once and its entries put aside in a temporary file, since a HAR need not be in order of start: so
nothing is judged of a file that turns out to be cut short.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import ijson

from conformance.errors import UsageError
from conformance.model import Exchange, Headers, Request, Response
from conformance.recording.moments import seconds_of

_TRANSPORT = frozenset({"content-encoding", "transfer-encoding"})
"""Fields about how a body travelled; a HAR holds it unpacked."""

_MASKS = frozenset({"[filtered]", "[redacted]", "<redacted>", "***", "redacted"})
_LOST = "\ufffd"
"""What a writer puts where a body was not UTF-8: such a body is not the one that was sent."""


class _Entry(NamedTuple):
    """Where an entry is found again: entries sort by start, those of one moment by their place in the file."""

    start: float
    number: int
    offset: int
    instance: str


@dataclass(frozen=True)
class Archive:
    """An opened HAR: who wrote it, and its entries in order of start, by the instance they were sent to."""

    creator: str
    entries: tuple[_Entry, ...]
    _spool: IO[bytes]

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances in order of their first request: hosts with port, without an `api.` label."""
        return tuple(dict.fromkeys(entry.instance for entry in self.entries))

    def exchanges(self, instance: str | None = None) -> Iterator[Exchange]:
        """The entries of one instance, or all, as exchanges without operation, in order of start.

        Where every entry starts at one moment the writer knew no times: the exchanges have none, and stand as written.
        """
        timeless = len(self.entries) > 1 and self.entries[0].start == self.entries[-1].start
        for entry in self.entries:
            if instance in (None, entry.instance):
                self._spool.seek(entry.offset)
                exchange = exchange_of(json.loads(self._spool.readline()), self.creator)
                yield replace(exchange, started=None, ended=None) if timeless else exchange


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A HAR file, wholly read before its first exchange is given out. Raises UsageError: not a HAR, or cut short."""
    with tempfile.TemporaryFile() as spool:
        entries = _spooled(path, spool)
        yield Archive(_creator(path), tuple(sorted(entries)), spool)


def _spooled(path: Path, spool: IO[bytes]) -> list[_Entry]:
    """An index of the entries, each of which is now a line of the spool."""
    entries: list[_Entry] = []
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(ijson.items(file, "log.entries.item", use_float=True)):
                if isinstance(raw, dict):
                    start = seconds_of(raw.get("startedDateTime")) or 0.0
                    instance = _instance(str(_object(raw.get("request")).get("url") or ""))
                    entries.append(_Entry(start, number, spool.tell(), sys.intern(instance)))
                    spool.write(json.dumps(raw).encode("ascii") + b"\n")
        if not entries and not _has_entries(path):
            raise UsageError(f"{path} is no HAR: it has no `log.entries`. Give a HAR 1.2 file or recordings.")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except (ijson.JSONError, ValueError) as error:
        place = f" after {len(entries)} whole entries" if entries else ""
        raise UsageError(f"{path} is not JSON, or is cut short{place}; write or copy it again.") from error
    return entries


def _instance(url: str) -> str:
    """An instance's API and its inference may differ by an `api.` label in the host (contract: it comes and goes)."""
    host = urlsplit(url).netloc.rpartition("@")[2].lower()
    return ".".join(label for label in host.split(".") if label != "api")


def _has_entries(path: Path) -> bool:
    with path.open("rb") as file:
        return any(prefix == "log.entries" and event == "start_array" for prefix, event, _ in ijson.parse(file))


def _creator(path: Path) -> str:
    with path.open("rb") as file:
        return str(next(ijson.items(file, "log.creator.name"), ""))


def exchange_of(entry: dict[str, Any], creator: str = "") -> Exchange:
    """One entry of a HAR as an exchange without operation. What the writer left out is marked unknown."""
    asked, answered = _object(entry.get("request")), _object(entry.get("response"))
    started = seconds_of(entry.get("startedDateTime"))
    took = entry.get("time")
    seconds = took / 1000 if isinstance(took, int | float) and took > 0 else 0.0
    response = _response(answered, seconds)
    failure = "" if response else str(answered.get("_error") or entry.get("_error") or "the traffic holds no answer")
    return Exchange(
        request=Request(
            str(asked.get("method") or "GET").upper(),
            str(asked.get("url") or ""),
            _headers(asked.get("headers")),
            _posted(_object(asked.get("postData")), packed=creator == "harfile" and _packed(answered)),
        ),
        response=response,
        started=started,
        ended=None if started is None else started + seconds,
        failure=failure,
    )


def _posted(data: dict[str, Any], *, packed: bool) -> bytes:
    """The request's body. `packed`: written in base64 without saying so (schemathesis, told to preserve bytes)."""
    text = data.get("text")
    if not isinstance(text, str):
        pairs = [
            (str(p.get("name")), str(p.get("value") or "")) for p in data.get("params") or () if isinstance(p, dict)
        ]
        form = str(data.get("mimeType") or "").lower().startswith("application/x-www-form-urlencoded")
        return urlencode(pairs).encode() if form else b""
    if packed or "base64" in (data.get("encoding"), data.get("_encoding"), data.get("comment")):
        unpacked = _unpacked(text)
        if unpacked is not None:
            return unpacked
    return b"" if _LOST in text else text.encode("utf-8", "surrogatepass")


def _packed(answered: dict[str, Any]) -> bool:
    return _object(answered.get("content")).get("encoding") == "base64"


def _response(raw: dict[str, Any], seconds: float) -> Response | None:
    """The answer; None where the status is 0, as browsers write it when none came."""
    status = raw.get("status")
    if not isinstance(status, int) or isinstance(status, bool) or status < 100:
        return None
    content = _object(raw.get("content"))
    body = _content(content, raw.get("bodySize"))
    fields = [field for field in _headers(raw.get("headers")).fields if not _of_transport(field, body)]
    mime = content.get("mimeType")
    if not fields and isinstance(mime, str) and mime not in ("", "x-unknown"):
        fields = [("Content-Type", mime)]
    known = bool(fields) and not any(map(_masked, fields))
    return Response(status, Headers(fields), body or b"", seconds, body_known=body is not None, headers_known=known)


def _content(content: dict[str, Any], body_size: object) -> bytes | None:
    """A body's bytes, None where it was not kept, was cut short, or was no UTF-8 and was written as if it were."""
    text, size = content.get("text"), content.get("size")
    if not isinstance(text, str):
        empty = (
            "_file" not in content and (size == 0 or (size is None and body_size == 0)) and body_size in (0, None, -1)
        )
        return b"" if empty else None
    if content.get("encoding") == "base64":
        return _unpacked(text)
    body = text.encode("utf-8", "surrogatepass")
    cut = "truncated" in str(content.get("comment") or "").lower()
    short = isinstance(size, int) and size > len(body) and not _whole(body)
    return None if _LOST in text or cut or short else body


def _whole(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _unpacked(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _headers(raw: object) -> Headers:
    """Header fields without HTTP/2's pseudo fields (`:authority`), which Chromium lists among them."""
    rows = raw if isinstance(raw, list) else []
    pairs = ((str(row.get("name") or ""), str(row.get("value") or "")) for row in rows if isinstance(row, dict))
    return Headers((name, value) for name, value in pairs if name and not name.startswith(":"))


def _of_transport(field: tuple[str, str], body: bytes | None) -> bool:
    """Whether a field is about how the body travelled: a HAR holds it unpacked and in UTF-8, so lengths may differ."""
    name, value = field
    return name.lower() in _TRANSPORT or (name.lower() == "content-length" and value != str(len(body or b"")))


def _masked(field: tuple[str, str]) -> bool:
    """A field that checks read and whose value was hidden: schemathesis filters even WWW-Authenticate."""
    name, value = field
    return name.lower() in ("content-type", "www-authenticate") and value.strip().lower() in _MASKS


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
