"""What a call of the API touches: the operation, the fields it sends, and those its answer is read for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from conformance.drift.usage.cells import Place
from conformance.drift.usage.curl import HOLE, json_with_holes
from conformance.spec.document import Document

CALL = "operation"
"""The location of a use that is the call itself."""

_PREFIX = "/v1/api/"
_DEPTH = 8
_QUIET_HEADERS = (
    "authorization",
    "content-type",
    "user-agent",
    "accept-encoding",
    "content-length",
    "host",
    "connection",
)


@dataclass(frozen=True)
class Use:
    """One thing a file touches. `location` is in the words of a change's, without a status:
    `request.body.models[].sha`, `response.body.id`, `response.status`, or `operation` for the call itself.

    `by` is how: http, curl, har or sdk; `whole` that the value goes on as it is, so that more of it may be used;
    `detail` what was seen there, where it matters (a file's name).
    """

    operation: str
    location: str
    place: Place
    by: str = "http"
    whole: bool = False
    detail: str = ""


@dataclass(frozen=True)
class Answer:
    """The value a call answers, or a part of it: `at` is empty for the HTTP response, else a location."""

    operation: str
    at: str = ""
    by: str = "http"

    def part(self, key: Any) -> Answer:
        """The value under a key, or an entry of an array for any number."""
        if not isinstance(key, str) and self.by == "sdk" and self.at.endswith("[]"):
            return self  # rows, which the SDK hands over as a list or as a frame
        step = f".{key}" if isinstance(key, str) else "[]"
        return replace(self, at=self.at + step)


class Fields(dict[str, Any]):
    """A dictionary of a program, with the place each key was written at."""

    def __init__(self, items: Mapping[str, Any] | None = None, places: Mapping[str, Place] | None = None) -> None:
        super().__init__(items or {})
        self.places: dict[str, Place] = dict(places or {})


class Opened(str):
    """A file that was opened; its text is the path."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The last part of the path, which is what a form calls the file; empty where it is not known."""
        last = self.replace("\\", "/").rsplit("/", 1)[-1]
        return "" if last == HOLE else last


@dataclass
class Call:
    """One request as far as the program shows it; anything unknown is None or HOLE within a text."""

    method: str
    url: Any
    place: Place
    body: Any = None
    form: Any = None
    query: Any = None
    headers: Any = None
    by: str = "http"


def operation_of(call: Call, document: Document) -> str | None:
    """The operation a call is of, None where it is of none or its URL is not known from its path on.

    A URL that another operation answered (the external URL of a pipeline) is the inference operation's.
    """
    if isinstance(call.url, Answer):
        of_url = call.url.operation.endswith("-url") and call.url.at.endswith(".url")
        infer = next((one.id for one in document.operations if "/infer/" in one.path), None)
        return infer if of_url else None
    if not isinstance(call.url, str):
        return None
    if _PREFIX in call.url:
        rest = call.url[call.url.index(_PREFIX) :]
    elif call.url.startswith(HOLE):  # what stands before the path is not known, the API's prefix with it
        rest = _PREFIX + call.url.lstrip(HOLE).lstrip("/")
    else:
        return None
    path = urlsplit(rest.replace(HOLE, "_")).path.rstrip("/")
    match = document.match(call.method.upper(), path)
    return match[0].id if match else None


def sent(call: Call, operation: str) -> Iterator[Use]:
    """The call itself and every field, header, parameter and media type that it sends."""
    yield Use(operation, CALL, call.place, call.by)
    body = json_with_holes(call.body) if isinstance(call.body, str) else call.body
    yield from _fields(operation, body, "request.body", call)
    for name, part in call.form.items() if isinstance(call.form, dict) else ():
        yield from _part(operation, name, part, call)
    if isinstance(call.url, str):
        for name, _ in parse_qsl(urlsplit(call.url.replace(HOLE, "_")).query, keep_blank_values=True):
            yield Use(operation, f"request.query.{name}", call.place, call.by)
    for name in call.query if isinstance(call.query, dict) else ():
        yield Use(operation, f"request.query.{name}", call.place, call.by)
    yield from _headers(operation, call)


def _fields(operation: str, value: Any, at: str, call: Call, depth: int = _DEPTH) -> Iterator[Use]:
    if depth == 0:
        return
    if isinstance(value, dict):
        places = value.places if isinstance(value, Fields) else {}
        for key, inner in value.items():
            location = f"{at}.{key}"
            yield Use(operation, location, places.get(key, call.place), call.by)
            yield from _fields(operation, inner, location, call, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(operation, inner, f"{at}[]", call, depth - 1)


def _part(operation: str, name: str, part: Any, call: Call) -> Iterator[Use]:
    """A part of a form: its value, or (file name, content, type) as requests and httpx take it."""
    location = f"request.body.{name}"
    named = isinstance(part, list) and len(part) > 1
    content = part[1] if named else part
    opened = content.name if isinstance(content, Opened) else ""
    filename = Opened(part[0]).name if named and isinstance(part[0], str) else opened
    places = call.form.places if isinstance(call.form, Fields) else {}
    yield Use(operation, location, places.get(name, call.place), call.by, detail=filename)
    known = isinstance(content, str) and not isinstance(content, Opened)
    content = json_with_holes(content) if known else content
    yield from _fields(operation, content, location, call)


def _headers(operation: str, call: Call) -> Iterator[Use]:
    for name, value in call.headers.items() if isinstance(call.headers, dict) else ():
        if name.lower() == "content-type" and isinstance(value, str) and HOLE not in value:
            yield Use(operation, f"request.content.{value}", call.place, call.by)
        elif name.lower() not in _QUIET_HEADERS:
            yield Use(operation, f"request.header.{name}", call.place, call.by)
    if call.form is not None:
        yield Use(operation, "request.content.multipart/form-data", call.place, call.by)
