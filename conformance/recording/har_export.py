"""HAR 1.2 written from exchanges: any tool that reads HAR shows them."""

from __future__ import annotations

import base64
import http
import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import harfile

from conformance.errors import UsageError
from conformance.model import Exchange, Headers, Request, Response
from conformance.recording.moments import text_of

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
        request=_request(exchange.request),
        response=_response(exchange.response),
        timings=harfile.Timings(send=0, wait=round(elapsed, 3), receive=0),
        comment=exchange.operation or exchange.failure or None,
    )


def _request(request: Request) -> harfile.Request:
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


def _response(response: Response | None) -> harfile.Response:
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
