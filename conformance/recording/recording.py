"""One recording: an exchange kept in a JSON file with its provenance (specs/recording.schema.json).

Recordings taken from notebooks know no response headers, rarely a status, sometimes neither path nor host, and of a
body only what a cell displayed: they are read as far as that can be known; nothing is claimed of what they do not hold.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.api import multipart
from conformance.api.operations import OPERATIONS
from conformance.errors import UsageError
from conformance.model import Exchange, Headers, Intent, Label, Mark, Request, Response, label_of
from conformance.spec.document import Document


def seconds_of(moment: object) -> float | None:
    """Seconds since 1970 of an ISO 8601 text or a number; None for anything else. A time without offset is UTC."""
    if isinstance(moment, int | float) and not isinstance(moment, bool):
        return float(moment)
    if not isinstance(moment, str):
        return None
    text = re.sub(r"(\.\d{6})\d+", r"\1", moment.strip())
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp()


def text_of(seconds: float) -> str:
    """ISO 8601 in UTC with microseconds."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


API = "/v1/api/"

_COLLECTED = {row.collected_as: row.id for row in OPERATIONS}
"""How collected tutorials call an operation, and its id here; for recordings whose URL does not say which it is."""

_ROWS = {
    "models.list-versions": {"sha", "model_version", "models_pk_id"},
    "workspaces.list": {"created_at", "created_by", "archived"},
}
"""Fields of one row of an answer that is a list: some notebooks display a single row, which is no answer."""


def url_of(url: object, path: object) -> str:
    """The request's URL; without host, from `/v1/api/` on, where the recording knows no host."""
    text = url if isinstance(url, str) else ""
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.netloc and "{" not in parts.netloc:
        return text
    if isinstance(path, str) and path:
        return path
    return text[text.index(API) :] if API in text else ""


def operation_of(document: Document, request: Request, named: object) -> tuple[str | None, dict[str, str]]:
    """The operation of a request by its path, else by the name the recording gives it; None where neither tells."""
    path = request.path
    matched = document.match(request.method, path)
    if matched is None and API in path:
        matched = document.match(request.method, path[path.index(API) :])
    if matched is not None:
        return matched[0].id, matched[1]
    known = _COLLECTED.get(named, named) if isinstance(named, str) and not path else None
    return (known if known in {operation.id for operation in document.operations} else None), {}


def addressed(document: Document, request: Request, operation: str | None) -> Request:
    """The request with its operation's path where the recording has none and the path has no parameters."""
    if request.url or operation is None:
        return request
    path = document.operation(operation).path
    return request if "{" in path else replace(request, url=path)


def status_of(document: Document, operation: str | None, response: Response, told: str) -> tuple[int | None, bool]:
    """The status and whether it is inferred. An error's body tells its status; a success's is the documented one."""
    if response.status is not None:
        return response.status, "infer" in told.lower() or "assum" in told.lower()
    if not response.body_known or operation is None:
        return None, False
    body = response.json if response.is_json else None
    if isinstance(body, dict) and {"msg", "code"} <= body.keys() and type(body["code"]) is int:
        return body["code"], True
    if operation == "pipelines.infer" and _refusal(body):
        return 500, True
    if not response.is_json:
        return None, False
    return next(int(key) for key in document.definition(operation)["responses"] if key.startswith("2")), True


def _refusal(body: Any) -> bool:
    rows = body if isinstance(body, list) else [body]
    return bool(rows) and all(isinstance(row, dict) and "error" in row and "out" not in row for row in rows)


def whole(body: Any, status: int | None, operation: str | None) -> bool:
    """Whether a displayed body is the answer's: not one row of a list, nor the nothing that stands for an error's."""
    if body is None and status is not None and status >= 400:
        return False
    row = _ROWS.get(operation or "")
    return not (row and isinstance(body, dict) and row <= body.keys())


def form(body: object) -> tuple[str, bytes]:
    """Content type and bytes of a form of which the JSON parts were kept, and of a file its name, as `[name, null]`.

    A file's bytes are unknown: its part is empty.
    """
    values: Mapping[str, Any] = body if isinstance(body, dict) else {}
    parts = [part for name, value in values.items() for part in _parts(str(name), value)]
    return multipart.encode(parts) if parts else ("multipart/form-data", b"")


def _parts(name: str, value: Any) -> Iterator[multipart.Part]:
    filename, content = (value[0], value[1]) if isinstance(value, list) and len(value) > 1 else (None, value)
    if isinstance(content, dict) or (isinstance(content, str) and content.lstrip().startswith("{")):
        text = content if isinstance(content, str) else json.dumps(content)
        yield multipart.Part(name, text.encode(), "application/json")
    elif isinstance(filename, str):
        yield multipart.Part(name, b"", "application/octet-stream", filename)


@dataclass(frozen=True)
class Recording:
    """An exchange with what it shows (`about`), where it was taken from (`source`) and of which `release`.

    `name` is how messages call it (its path). Recordings of one `session` share a ledger, in order of `order`, else
    of start, else of file. `status_source` is how the status is known where it was not recorded. `intent` and `labels`
    are what the suite that sent the request meant by it; they are for a comparison, which sends it again.
    """

    exchange: Exchange
    name: str = ""
    about: str = ""
    source: str = ""
    release: str = ""
    session: str = ""
    order: int | None = None
    status_source: str = ""
    intent: Intent = ""
    labels: frozenset[Label] = frozenset()


def is_recording(raw: object) -> bool:
    """Whether a parsed JSON value is a recording, ours or one of the vendor's tutorials as they were collected."""
    return isinstance(raw, dict) and isinstance(raw.get("request"), dict) and isinstance(raw.get("response"), dict)


def recordings_in(raw: object) -> list[Any]:
    """The recordings of a parsed JSON file: one, or several as `recordings`; none where it is something else."""
    several = raw.get("recordings") if isinstance(raw, dict) else None
    return [one for one in (several if isinstance(several, list) else [raw]) if is_recording(one)]


def load(path: Path, document: Document, name: str = "") -> list[Recording]:
    """Read the recordings of one file, which messages call `name`, and those of several by their own names.

    Raises UsageError: not there, not JSON, no recording, or a body file that differs.
    """
    name = name or str(path)
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON, or is cut short ({error}).") from error
    found = recordings_in(raw)
    if not found:
        raise UsageError(
            f"{name} is no recording: it has no `request` and `response`. specs/recording.schema.json has the format."
        )
    return [
        parse(one, document, f"{name}#{one['name']}" if isinstance(one.get("name"), str) else name, path.parent)
        for one in found
    ]


def parse(raw: Mapping[str, Any], document: Document, name: str = "", folder: Path | None = None) -> Recording:
    """A recording from its parsed file; `folder` is where its body files stand. Raises UsageError as `load` does."""
    asked, answered = raw["request"], raw["response"]
    request = _request(asked, folder, name)
    operation, parameters = operation_of(document, request, raw.get("operation"))
    response = _response(answered, operation, folder, name)
    status, inferred = status_of(document, operation, response, str(answered.get("status_source") or ""))
    if status is None and "body_parsed" in answered:
        response = replace(response, body=b"", body_known=False)
    failure = str(answered.get("failure") or "")
    exchange = Exchange(
        request=addressed(document, request, operation),
        response=None if failure else replace(response, status=status),
        failure=failure,
        operation=operation,
        parameters=parameters,
        started=seconds_of(raw.get("started")),
        ended=seconds_of(raw.get("ended")),
        source=name,
        labels=frozenset({Mark.STATUS_INFERRED}) if inferred else frozenset(),
    )
    order = raw.get("order")
    return Recording(
        exchange=exchange,
        name=name,
        about=str(raw.get("about") or raw.get("note") or ""),
        source=str(raw.get("source") or ""),
        release=str(raw.get("release") or ""),
        session=str(raw.get("session") or ""),
        order=order if isinstance(order, int) else None,
        status_source=str(answered.get("status_source") or ""),
        intent=_intent(raw.get("intent")),
        labels=_labels(raw.get("labels"), name),
    )


def _intent(raw: object) -> Intent:
    return "valid" if raw == "valid" else "invalid" if raw == "invalid" else ""


def _labels(raw: object, name: str) -> frozenset[Label]:
    try:
        return frozenset(label_of(str(text)) for text in raw) if isinstance(raw, list) else frozenset()
    except ValueError as error:
        raise UsageError(f"{name} has a label that no suite gives: {error}.") from None


def _request(raw: Mapping[str, Any], folder: Path | None, name: str) -> Request:
    content_type = str(raw.get("content_type") or "")
    body, kept = _body(raw, folder, name)
    headers = _headers(raw.get("headers"), content_type)
    if not kept and content_type.lower().startswith("multipart/"):
        content_type, body = form(raw.get("body"))
        headers, kept = _headers(raw.get("headers"), content_type), bool(body)
    url = url_of(raw.get("url"), raw.get("path"))
    return Request(str(raw.get("method") or "POST").upper(), url, headers, body, body_known=kept)


def _response(raw: Mapping[str, Any], operation: str | None, folder: Path | None, name: str) -> Response:
    status = raw.get("status")
    status = int(status) if isinstance(status, int | str) and str(status).isdigit() else None
    body, kept = _body(raw, folder, name)
    known = kept and raw.get("body_parsed", True) is not False
    if "body_parsed" in raw and known:
        known = whole(raw.get("body"), status, operation)
    headers = raw.get("headers")
    content_type = str(raw.get("content_type") or "")
    return Response(
        status=status,
        headers=_headers(headers, content_type),
        body=body if known else b"",
        body_known=known,
        headers_known=isinstance(headers, dict) or bool(content_type),
    )


def _headers(raw: object, content_type: str) -> Headers:
    fields = [(str(name), str(value)) for name, value in raw.items()] if isinstance(raw, dict) else []
    if content_type:
        fields = [(name, value) for name, value in fields if name.lower() != "content-type"]
        fields.append(("Content-Type", content_type))
    return Headers(fields)


def _body(raw: Mapping[str, Any], folder: Path | None, name: str) -> tuple[bytes, bool]:
    """The body's bytes and whether they were kept: text as it stands, any other value as JSON, or a file beside."""
    if "body_file" in raw:
        return _file(raw, folder, name), True
    if "body" not in raw:
        return b"", False
    body = raw["body"]
    if str(raw.get("content_type") or "").lower().startswith("multipart/") and not isinstance(body, str):
        return b"", False
    return bytes_of(body), True


def bytes_of(body: Any) -> bytes:
    """The bytes that a file's `body` stands for."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _file(raw: Mapping[str, Any], folder: Path | None, name: str) -> bytes:
    file = Path(str(raw["body_file"]))
    if folder is None or file.is_absolute() or ".." in file.parts:
        raise UsageError(f"{name} names the body file {file}, which must stand beside it.")
    try:
        body = (folder / file).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} names the body file {file}, which cannot be read: {error.strerror}.") from error
    promised = raw.get("sha256")
    if promised and hashlib.sha256(body).hexdigest() != promised:
        raise UsageError(f"The body file {file} of {name} is not the recorded one: its SHA-256 differs.")
    return body
