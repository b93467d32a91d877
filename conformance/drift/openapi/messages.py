"""Messages as values: what a request carries, which JSON type a value has, whether a body is as described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs

from conformance.api.multipart import decode
from conformance.model import Request


class BodyValidator:
    """The described bodies of a description, compiled once each."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._components = root.get("components", {})
        self._compiled: dict[str, Any] = {}

    def errors(self, schema: Any, body: Any) -> Iterator[tuple[list[str | int], str]]:
        """The steps into the body, and the message, of each error."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._compiled:
            whole = {"components": self._components, "allOf": [schema]}
            self._compiled[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        for error in self._compiled[key].iter_errors(body):
            yield list(error.instance_path), " ".join(error.message.split())


def body_of(request: Request) -> tuple[Any, bool]:
    """The request's body as a value, and whether it can be read: JSON, or a form whose parts are."""
    if request.media_type == "multipart/form-data":
        parts = decode(request.headers["content-type"], request.body)
        return {name: _part(part.content, part.filename) for name, part in parts.items()}, bool(parts)
    return (request.json, True) if request.body and request.is_json else (None, False)


def _part(content: bytes, filename: str | None) -> Any:
    if filename is not None:
        return ""
    try:
        return json.loads(content)
    except ValueError:
        return ""


def query_of(request: Request) -> Iterator[str]:
    """The names of the query's parameters, as often as they stand there."""
    yield from (name for name, _ in parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def covers(declared_type: str, media_type: str) -> bool:
    """Whether a declared media type or range takes in a message's (RFC 9110 12.5.1); parameters do not count."""
    bare = declared_type.split(";")[0].strip().lower()
    kind, _, rest = bare.partition("/")
    return bare == media_type or bare == "*/*" or (rest == "*" and media_type.startswith(f"{kind}/"))


def type_of(value: Any) -> str:
    """The JSON type of a value, `integer` for whole numbers however written (JSON Schema 2020-12, 6.1.1)."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    names = {int: "integer", str: "string", list: "array", dict: "object"}
    return names[type(value)]
