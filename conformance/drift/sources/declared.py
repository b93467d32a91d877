"""What a description declares of each operation, field by field: the rows of the table and the yardstick of traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.drift.openapi.dialect import modern
from conformance.drift.schema.references import Description

_DEPTH = 12
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_EVERY = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


@dataclass(frozen=True)
class Shape:
    """What is declared of a value: JSON types (all where none is said), an enumeration, whether it must be there.

    `closed` says that an object takes no other properties than the declared ones.
    """

    types: frozenset[str] = _EVERY
    enum: tuple[Any, ...] | None = None
    required: bool = False
    format: str = ""
    closed: bool = False

    def __str__(self) -> str:
        kinds = sorted(self.types - {"null"})
        words = ["any value" if self.types == _EVERY else " or ".join(kinds) or "null"]
        words += [f"({self.format})"] if self.format else []
        words += ["or null"] if "null" in self.types and kinds and self.types != _EVERY else []
        words += [f"of {len(self.enum)} values"] if self.enum and kinds else []
        return " ".join(words) + (", required" if self.required else "")


@dataclass(frozen=True)
class Declared:
    """One operation as declared: its method and path, its statuses, media types by `request` or status, and fields.

    `fields` maps a location (`request.body.models[].sha`, `response.200.body.id`) to its shape; `schemas` the schema of
    a response's body by status and media type.
    """

    id: str
    method: str
    path: str
    statuses: tuple[str, ...]
    media: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, Shape]
    schemas: Mapping[tuple[str, str], Any]

    @property
    def places(self) -> tuple[str, ...]:
        """Everything declared of the operation: itself, its fields, statuses and media types."""
        media = [
            f"{'request' if side == 'request' else f'response.{side}'}.content.{name}"
            for side, names in self.media.items()
            for name in names
        ]
        return ("operation", *self.fields, *(f"response.{status}" for status in self.statuses), *media)

    def says(self, location: str) -> str:
        """What is declared of a place in a few words; empty where nothing is."""
        if location in self.fields:
            return str(self.fields[location])
        if location == "operation":
            return f"{self.method} {self.path}"
        return "declared" if location in self.places else ""

    def status_of(self, status: int) -> str | None:
        """The declared response a status falls under: its own, its range (`4XX`), `default`; None where it is none."""
        ranged = f"{status // 100}XX"
        return next((one for one in (str(status), ranged, "default") if one in self.statuses), None)


def declared(root: dict[str, Any]) -> dict[str, Declared]:
    """Every operation of a valid, self-contained description by its operationId, else `METHOD /path`."""
    description = Description(modern(root))
    found: dict[str, Declared] = {}
    for path, item in description.root.get("paths", {}).items():
        item = description.follow(item)
        for method in _METHODS:
            if isinstance(item.get(method), dict):
                one = _operation(description, path, method, item)
                found[one.id] = one
    return found


def _operation(description: Description, path: str, method: str, item: dict[str, Any]) -> Declared:
    operation = item[method]
    fields: dict[str, Shape] = {}
    media: dict[str, tuple[str, ...]] = {}
    for parameter in (*item.get("parameters", ()), *operation.get("parameters", ())):
        one = description.follow(parameter)
        shape = _shape(description, one.get("schema", {}), required=one.get("required", False))
        fields[f"request.{one['in']}.{one['name']}"] = shape
    body = description.follow(operation.get("requestBody", {}))
    _content(description, body.get("content", {}), "request", "request.body", media, fields)
    schemas: dict[tuple[str, str], Any] = {}
    for status, response in operation.get("responses", {}).items():
        answer = description.follow(response)
        at = f"response.{status}"
        for name, one in answer.get("content", {}).items():
            schemas[str(status), name.split(";")[0].strip().lower()] = one.get("schema", {})
        _content(description, answer.get("content", {}), str(status), f"{at}.body", media, fields)
    statuses = tuple(map(str, operation.get("responses", {})))
    name = operation.get("operationId", f"{method.upper()} {path}")
    return Declared(name, method.upper(), path, statuses, media, fields, schemas)


def _content(
    description: Description,
    content: Mapping[str, Any],
    side: str,
    at: str,
    media: dict[str, tuple[str, ...]],
    fields: dict[str, Shape],
) -> None:
    media[side] = tuple(content)
    for name, one in content.items():
        if "json" in name or name.startswith(("multipart/", "application/x-www-form-urlencoded")):
            for location, shape in _fields(description, one.get("schema", {}), at):
                fields.setdefault(location, shape)


def _fields(
    description: Description, schema: Any, at: str, required: bool = True, held: tuple[int, ...] = ()
) -> Iterator[tuple[str, Shape]]:
    """The value at a location and everything declared inside it; a schema inside itself is entered once."""
    yield at, _shape(description, schema, required)
    if len(held) > _DEPTH:
        return
    parts = list(_parts(description, schema))
    if any(id(part) in held for part in parts):
        return
    held = (*held, *map(id, parts))
    always = list(_parts(description, schema, choices=False))
    must = {name for part in always for name in part.get("required", ())}
    properties = _properties(parts, always)
    for name, inner in properties.items():
        yield from _fields(description, inner, f"{at}.{name}", name in must, held)
    for part in parts:
        for place, word in (("[]", "items"), (".*", "additionalProperties")):
            if isinstance(part.get(word), dict):
                yield from _fields(description, part[word], f"{at}{place}", False, held)


def _properties(parts: list[dict[str, Any]], always: list[dict[str, Any]]) -> dict[str, Any]:
    """Properties by name: what every part that always holds says of one, else whatever one choice or another says."""
    found: dict[str, Any] = {}
    for part in always:
        for name, inner in part.get("properties", {}).items():
            found[name] = {"allOf": [found[name], inner]} if name in found else inner
    chosen: dict[str, list[Any]] = {}
    for part in parts:
        for name, inner in part.get("properties", {}).items():
            if name not in found:
                chosen.setdefault(name, []).append(inner)
    return found | {name: inner[0] if len(inner) == 1 else {"anyOf": inner} for name, inner in chosen.items()}


def _parts(
    description: Description, schema: Any, depth: int = _DEPTH, *, choices: bool = True
) -> Iterator[dict[str, Any]]:
    """The schema and those it is made of: its `$ref`, the members of allOf and, as `choices`, of anyOf and oneOf."""
    if not isinstance(schema, dict) or depth == 0:
        return
    yield schema
    if "$ref" in schema:
        yield from _parts(description, description.follow(schema), depth - 1, choices=choices)
    for word in ("allOf", "anyOf", "oneOf") if choices else ("allOf",):
        for inner in schema.get(word, ()):
            yield from _parts(description, inner, depth - 1, choices=choices)


def _shape(description: Description, schema: Any, required: bool) -> Shape:
    values = _enumeration(description, schema)
    parts = list(_parts(description, schema))
    formats = [part["format"] for part in parts if "format" in part]
    closed = any(part.get("additionalProperties") is False for part in parts)
    return Shape(_types(description, schema), values, required, formats[0] if formats else "", closed)


def _types(description: Description, schema: Any, depth: int = _DEPTH) -> frozenset[str]:
    if not isinstance(schema, dict) or depth == 0:
        return _EVERY
    found = _EVERY
    if "type" in schema:
        stated = schema["type"]
        found = frozenset([stated] if isinstance(stated, str) else stated)
        found |= {"integer"} if "number" in found else frozenset()
    if "$ref" in schema:
        found &= _types(description, description.follow(schema), depth - 1)
    for inner in schema.get("allOf", ()):
        found &= _types(description, inner, depth - 1)
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            found &= frozenset[str]().union(*(_types(description, one, depth - 1) for one in schema[word]))
    return found


def _enumeration(description: Description, schema: Any, depth: int = _DEPTH) -> tuple[Any, ...] | None:
    """The values a field may have; a union has them only where each of its members has."""
    if not isinstance(schema, dict) or depth == 0:
        return None
    if "enum" in schema or "const" in schema:
        return tuple(schema["enum"]) if "enum" in schema else (schema["const"],)
    if schema.get("type") == "null":
        return (None,)
    if "$ref" in schema:
        return _enumeration(description, description.follow(schema), depth - 1)
    for inner in schema.get("allOf", ()):
        if (values := _enumeration(description, inner, depth - 1)) is not None:
            return values
    for word in ("anyOf", "oneOf"):
        members = [_enumeration(description, one, depth - 1) for one in schema.get(word, ())]
        if members and all(one is not None for one in members):
            return tuple(value for one in members if one is not None for value in one)
    return None
