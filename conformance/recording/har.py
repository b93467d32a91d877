"""HAR 1.2: read as browsers, proxies, API clients and test tools write it, in bounded memory; and written."""

from __future__ import annotations

import base64
import hashlib
import http
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import harfile
import ijson

from conformance.errors import UsageError
from conformance.model import Exchange, Headers, Request, Response
from conformance.recording.bodies import Kept, bytes_of
from conformance.recording.recording import seconds_of, text_of

_TRANSPORT = frozenset({"content-encoding", "transfer-encoding"})
"""Fields about how a body travelled; a HAR holds it unpacked."""

_MASKS = frozenset({"[filtered]", "[redacted]", "<redacted>", "***", "redacted"})
_NO_START = float("-inf")
_DEFAULT_PORTS = {"http": 80, "https": 443}

Beside = Callable[[str], bytes | None]
"""The bytes of a file that stands beside the HAR, None where there is none."""


def _nothing(name: str) -> bytes | None:
    return None


class _Entry(NamedTuple):
    """Where an entry is found again: entries sort by start, those of one moment by their place in the file."""

    start: float
    number: int
    offset: int
    instance: str


@dataclass(frozen=True)
class Archive:
    """An opened HAR: its entries in order of start, by the instance they were sent to."""

    name: str
    entries: tuple[_Entry, ...]
    _spool: IO[bytes]
    _beside: Beside

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances in order of their first request: hosts with port, without an `api.` label."""
        return tuple(dict.fromkeys(entry.instance for entry in self.entries))

    def exchanges(self, instance: str | None = None) -> Iterator[Exchange]:
        """The entries of one instance, or all, as exchanges without operation, in order of start.

        Where every entry starts at one moment, or one at none, the writer knew no times: the exchanges have none, and
        stand as written.
        """
        starts = {entry.start for entry in self.entries}
        timeless = len(self.entries) > 1 and (len(starts) == 1 or _NO_START in starts)
        for entry in self.entries:
            if instance in (None, entry.instance):
                self._spool.seek(entry.offset)
                exchange = exchange_of(json.loads(self._spool.readline()), self._beside)
                source = f"{self.name}, entry {entry.number + 1} (log.entries[{entry.number}])"
                exchange = replace(exchange, source=source)
                yield replace(exchange, started=None, ended=None) if timeless else exchange


def files_beside(path: Path) -> Beside:
    """The files beside a HAR and in a folder `resources` there, and no others."""

    def beside(file: str) -> bytes | None:
        place = PurePosixPath(file)
        if place.is_absolute() or ".." in place.parts:
            return None
        found = [folder / place for folder in (path.parent, path.parent / "resources") if (folder / place).is_file()]
        return found[0].read_bytes() if found else None

    return beside


@contextmanager
def opened(path: Path, name: str = "") -> Iterator[Archive]:
    """A HAR file, wholly read before its first exchange is given out; `name` is how messages call it.

    Raises UsageError: not a HAR, or cut short. Bodies may stand in files beside it, as Playwright attaches them.
    """
    with tempfile.TemporaryFile() as spool:
        entries = _spooled(path, name or str(path), spool)
        if all(entry.start != _NO_START for entry in entries):
            entries.sort()
        yield Archive(name or str(path), tuple(entries), spool, files_beside(path))


def _spooled(path: Path, name: str, spool: IO[bytes]) -> list[_Entry]:
    """An index of the entries, each of which is now a line of the spool."""
    entries: list[_Entry] = []
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(ijson.items(file, "log.entries.item", use_float=True)):
                if isinstance(raw, dict):
                    start = seconds_of(raw.get("startedDateTime"))
                    instance = _instance(str(object_of(raw.get("request")).get("url") or ""))
                    entries.append(
                        _Entry(_NO_START if start is None else start, number, spool.tell(), sys.intern(instance))
                    )
                    spool.write(json.dumps(raw).encode("ascii") + b"\n")
        if not entries and not _has_entries(path):
            raise UsageError(f"{name} is no HAR: it has no `log.entries`. Give a HAR 1.2 file or recordings.")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from error
    except (ijson.JSONError, ValueError) as error:
        place = f" after {len(entries)} whole entries" if entries else ""
        raise UsageError(f"{name} is not JSON, or is cut short{place}; write or copy it again.") from error
    return entries


def _instance(url: str) -> str:
    """An instance's API and its inference may differ by an `api.` label in the host (contract: it comes and goes).

    A default port that is written out and a dot that ends the host's name make no other instance (RFC 3986 6.2.3).
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    named = ".".join(label for label in host.split(".") if label != "api")
    return named if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{named}:{port}"


def _has_entries(path: Path) -> bool:
    with path.open("rb") as file:
        return any(prefix == "log.entries" and event == "start_array" for prefix, event, _ in ijson.parse(file))


def exchange_of(entry: dict[str, Any], beside: Beside = _nothing) -> Exchange:
    """One entry of a HAR as an exchange without operation. What the writer left out is marked unknown.

    `beside` gives the bytes of a body that the entry says is in a file of its own, None where there is none.
    """
    asked, answered = object_of(entry.get("request")), object_of(entry.get("response"))
    started = seconds_of(entry.get("startedDateTime"))
    took = entry.get("time")
    # Zero, or less, is what tools write that took no time (Playwright's minimal mode, Safari, proxies' imports).
    seconds = took / 1000 if isinstance(took, int | float) and not isinstance(took, bool) and took > 0 else None
    response = _response(asked, answered, seconds, beside)
    failure = "" if response else str(answered.get("_error") or entry.get("_error") or "the traffic holds no answer")
    return Exchange(
        request=_request(asked, beside),
        response=response,
        started=started,
        ended=None if started is None or seconds is None else started + seconds,
        failure=failure,
    )


def _request(raw: dict[str, Any], beside: Beside) -> Request:
    headers = _headers(raw.get("headers"))
    data = object_of(raw.get("postData"))
    media_type = _media_type(headers, data.get("mimeType"))
    size, declared = _length(raw.get("bodySize")), _declared(headers)
    text = data.get("text")
    sent = _sent_elsewhere(data, beside)
    if sent is None and not text and media_type == "application/x-www-form-urlencoded" and data.get("params"):
        pairs = [(str(p.get("name")), str(p.get("value") or "")) for p in data["params"] if isinstance(p, dict)]
        text = urlencode(pairs)
    if sent is None:
        none = not declared and not size and not media_type and "transfer-encoding" not in headers
        sent = bytes_of(
            Kept(
                text=text if isinstance(text, str) else None,
                media_type=media_type,
                packed="base64" in (data.get("encoding"), data.get("_encoding"), data.get("comment")),
                declared=declared,
                counted=frozenset([size]) if size else frozenset(),
                coding=headers.get("content-encoding", "").strip().lower(),
                empty=none or declared == 0,
            )
        )
    method, url = str(raw.get("method") or "GET").upper(), str(raw.get("url") or "")
    return Request(method, url, headers, sent or b"", body_known=sent is not None)


def _response(asked: dict[str, Any], raw: dict[str, Any], seconds: float | None, beside: Beside) -> Response | None:
    """The answer; None where the status is 0, or no number, as tools write it when none came."""
    status = raw.get("status")
    if isinstance(status, float) and status.is_integer():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 999:
        return None
    headers, content = _headers(raw.get("headers")), object_of(raw.get("content"))
    bare = str(asked.get("method")).upper() == "HEAD" or status in (204, 304) or status < 200
    body = b"" if bare else _content(raw, content, headers, beside)
    fields = [field for field in headers.fields if not _of_transport(field, body)]
    known = _are_kept(headers) and not any(map(_masked, fields))
    mime = content.get("mimeType")
    if "content-type" not in headers and isinstance(mime, str) and mime not in ("", "x-unknown"):
        fields.append(("Content-Type", mime))
        known = False
    return Response(status, Headers(fields), body or b"", seconds, body_known=body is not None, headers_known=known)


_SIGNS = frozenset({"date", "server", "connection", "transfer-encoding", "via"})


def _are_kept(headers: Headers) -> bool:
    """Whether the fields are those of the answer: some tools leave all out, or all but those a page may read.

    A page may not read any of these (Fetch standard, CORS-safelisted response-header name), and no answer comes without
    all of them: a server says when it answered, who it is, or how the connection goes on.
    """
    return not _SIGNS.isdisjoint(headers)


def _content(raw: dict[str, Any], content: dict[str, Any], headers: Headers, beside: Beside) -> bytes | None:
    """An answer's bytes, None where they are unknown."""
    elsewhere = _sent_elsewhere(content, beside)
    text = content.get("text")
    size, travelled, saved = _length(content.get("size")), _length(raw.get("bodySize")), content.get("compression")
    coding = headers.get("content-encoding", "" if _are_kept(headers) else None)
    coding = coding.strip().lower() if coding else coding
    counted = {size} if size else set()
    if travelled and isinstance(saved, int) and saved:  # mitmproxy's size is of what travelled
        counted.add(travelled + saved)
    if not counted and travelled and not coding:
        counted.add(travelled)
    declared = _declared(headers)
    if elsewhere is not None:
        fits = len(elsewhere) in counted or not counted
        return elsewhere if fits else None
    if "truncated" in str(content.get("comment") or "").lower():
        return None
    return bytes_of(
        Kept(
            text=text if isinstance(text, str) else None,
            media_type=_media_type(headers, content.get("mimeType")),
            packed=content.get("encoding") == "base64",
            declared=declared,
            counted=frozenset(counted),
            coding=coding,
            empty=_shows_none(raw, content, headers),
        )
    )


def _shows_none(raw: dict[str, Any], content: dict[str, Any], headers: Headers) -> bool:
    """Whether an answer without text had no body, rather than one that was not kept."""
    if _elsewhere(content) or _length(content.get("size")) or _length(raw.get("bodySize")):
        return False
    declared = _declared(headers)
    if declared is not None:
        return declared == 0
    typed = "content-type" in headers or content.get("mimeType") not in (None, "", "x-unknown")
    counted = 0 in (content.get("size"), raw.get("bodySize"))
    return counted and not typed and _are_kept(headers) and "transfer-encoding" not in headers


def _elsewhere(content: dict[str, Any]) -> str:
    """The file beside the HAR in which a body is kept, as Playwright attaches it; empty where it is in none."""
    return str(content.get("_file") or content.get("_sha1") or "")


def _sent_elsewhere(content: dict[str, Any], beside: Beside) -> bytes | None:
    """The bytes of an attached body, if they are those that its name is the digest of."""
    name = _elsewhere(content)
    body = beside(name) if name else None
    digest = PurePosixPath(name).stem
    if body is None or (len(digest) == 40 and hashlib.sha1(body, usedforsecurity=False).hexdigest() != digest):
        return None
    return body


def _length(value: object) -> int | None:
    """A length that a tool knows: it writes -1 for one that it does not."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return whole if isinstance(whole, int) and not isinstance(whole, bool) and whole >= 0 else None


def _declared(headers: Headers) -> int | None:
    text = headers.get("content-length", "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _media_type(headers: Headers, mime: object) -> str:
    return str(headers.get("content-type") or mime or "").split(";")[0].strip().lower()


def _headers(raw: object) -> Headers:
    """Header fields without HTTP/2's pseudo fields (`:authority`), which Chromium lists among them."""
    rows = raw if isinstance(raw, list) else []
    pairs = ((str(row.get("name") or ""), str(row.get("value") or "")) for row in rows if isinstance(row, dict))
    return Headers((name, value) for name, value in pairs if name and not name.startswith(":"))


def _of_transport(field: tuple[str, str], body: bytes | None) -> bool:
    """Whether a field is about how the body travelled: a HAR holds it unpacked, so that lengths may differ."""
    name, value = field
    return name.lower() in _TRANSPORT or (name.lower() == "content-length" and value != str(len(body or b"")))


def _masked(field: tuple[str, str]) -> bool:
    """A field that checks read and whose value was hidden: schemathesis filters even WWW-Authenticate."""
    name, value = field
    return name.lower() in ("content-type", "www-authenticate") and value.strip().lower() in _MASKS


def object_of(value: object) -> dict[str, Any]:
    """An object of a file that may hold anything; empty where it is none."""
    return value if isinstance(value, dict) else {}


_EPOCH = 0.0


def write(path: Path, exchanges: Iterable[Exchange]) -> int:
    """Write exchanges as a HAR and return how many; they are written as they are, so redact them first.

    A reader finds the old file or the whole new one. Raises UsageError where it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with part.open("w", encoding="utf-8") as file:
            creator = harfile.Creator(name="wallaroo-conformance", version=version("wallaroo-conformance"))
            with harfile.HarFile.open(file, creator=creator) as archive:
                for exchange in exchanges:
                    _add(archive, exchange)
                    count += 1
        part.replace(path)
    except OSError as error:
        raise UsageError(f"The HAR cannot be written to {path}: {error.strerror}.") from error
    finally:
        if part.exists():
            os.unlink(part)  # noqa: PTH108 - a part that was not renamed
    return count


def _add(archive: harfile.HarFile, exchange: Exchange) -> None:
    started = exchange.started if exchange.started is not None else _EPOCH
    ended = exchange.ended if exchange.ended is not None else started
    elapsed = max(0.0, ended - started) * 1000
    archive.add_entry(
        startedDateTime=text_of(started),
        time=round(elapsed, 3),
        request=_kept_request(exchange.request),
        response=_kept_response(exchange.response),
        timings=harfile.Timings(send=0, wait=round(elapsed, 3), receive=0),
        comment=exchange.operation or exchange.failure or None,
    )


def _kept_request(request: Request) -> harfile.Request:
    query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    return harfile.Request(
        method=request.method,
        url=request.url,
        httpVersion="HTTP/1.1",
        headers=_records(request.headers),
        queryString=[harfile.Record(name, value) for name, value in query],
        postData=_post_data(request) if request.body else None,
        bodySize=len(request.body) if request.body_known else -1,
    )


def _post_data(request: Request) -> harfile.PostData:
    """HAR 1.2 has no encoding for request bodies; binary ones are said to be base64 in `comment`."""
    text, packed = _text(request.body)
    return harfile.PostData(request.headers.get("content-type", ""), text=text, comment="base64" if packed else None)


def _kept_response(response: Response | None) -> harfile.Response:
    if response is None:
        return harfile.Response(status=0, statusText="", httpVersion="")
    status = response.status or 0
    text, packed = _text(response.body)
    content = harfile.Content(
        size=len(response.body) if response.body_known else -1,
        mimeType=response.headers.get("content-type", "x-unknown"),
        text=text if response.body_known else None,
        encoding="base64" if packed else None,
    )
    return harfile.Response(
        status=status,
        statusText=http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else "",
        httpVersion="HTTP/1.1",
        headers=_records(response.headers),
        content=content,
        redirectURL=response.headers.get("location", ""),
        bodySize=len(response.body) if response.body_known else -1,
    )


def _records(headers: Headers) -> list[harfile.Record]:
    return [harfile.Record(name, value) for name, value in headers.fields]


def _text(body: bytes) -> tuple[str, bool]:
    """A body as text, or in base64 where it is no UTF-8 (or holds what readers take for a lost character)."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
    return (base64.b64encode(body).decode(), True) if "\ufffd" in text else (text, False)
