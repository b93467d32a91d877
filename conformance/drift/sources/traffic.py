"""What a description declares of each operation, and what observed traffic says beside it, folded into counts.

Nothing is claimed of what was not seen: a field that never came is `never seen`, not gone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs

from conformance.api.multipart import decode
from conformance.drift.changes import KINDS, Change
from conformance.drift.openapi.dialects import modern
from conformance.drift.schema.description import Description
from conformance.ledger import is_of_absence
from conformance.model import Exchange, Request, Response
from conformance.redaction import redact_text
from conformance.spec.document import Document

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


@dataclass(frozen=True)
class Fact:
    """One way in which traffic differs from the description, and in how many of the exchanges that could show it.

    `kind` is never-served, undeclared-field, undeclared-status, undeclared-media-type, value-outside-enum, other-type,
    required-but-absent or not-as-described.
    """

    operation: str
    location: str
    kind: str
    message: str
    count: int
    of: int


_KINDS = {
    "never-served": "operation-removed",
    "undeclared-field": "response-property-added",
    "undeclared-media-type": "response-media-type-added",
    "value-outside-enum": "response-enum-loosened",
    "other-type": "response-type-changed",
    "required-but-absent": "response-property-became-optional",
    "not-as-described": "response-schema-loosened",
}


def change_of(fact: Fact) -> Change | None:
    """The change an instance's answers show; None for a fact of what was sent, which is its sender's."""
    if not fact.location.startswith(("response", "operation")):
        return None
    success = fact.location.startswith("response.2")
    status = "response-success-status-added" if success else "response-status-added"
    kind = KINDS[_KINDS.get(fact.kind, status)]
    message = f"{fact.message} ({fact.count} of {fact.of})"
    return Change(fact.operation, fact.location, kind.id, kind.direction, kind.breaking, bool(kind.contested), message)


_LOCATIONS = 5_000
"""Locations kept of one operation: a body keyed by ids must not grow without end."""


_SAYS_NOTHING = frozenset({"401", "403", "429"})
"""Statuses that say nothing of what an operation would have answered."""


@dataclass(frozen=True)
class FieldSeen:
    """How often a field came, was null, and was absent where what holds it came (`of`), and with which JSON types."""

    seen: int
    null: int
    absent: int
    types: tuple[str, ...]

    @property
    def of(self) -> int:
        """How often it could have come."""
        return self.seen + self.absent

    @property
    def null_share(self) -> float:
        """The part of those seen that were null, 0 to 1."""
        return self.null / self.seen if self.seen else 0.0

    @property
    def absent_share(self) -> float:
        """The part of the chances in which it was absent, 0 to 1."""
        return self.absent / self.of if self.of else 0.0


@dataclass(frozen=True)
class Observed:
    """What the traffic of one operation showed.

    `answered` counts declared statuses and media types by their location (`response.4XX`,
    `response.200.content.application/json`); `never_seen` are declared fields that never came.
    """

    operation: str
    exchanges: int
    statuses: Mapping[str, int]
    answered: Mapping[str, int]
    fields: Mapping[str, FieldSeen]
    never_seen: tuple[str, ...]
    facts: tuple[Fact, ...]


def observe(exchanges: Iterable[Exchange], document: Document) -> dict[str, Observed]:
    """The traffic of every operation of the document that was seen, by operation id; other requests are passed over."""
    shapes = declared(dict(document.raw))
    counts: dict[str, _Count] = {}
    validator = BodyValidator(modern(dict(document.raw)))
    for exchange in exchanges:
        match = document.match(exchange.request.method, exchange.request.path)
        operation = exchange.operation or (match[0].id if match else None)
        if operation in shapes:
            count = counts.setdefault(operation, _Count(shapes[operation], validator))
            count.add(exchange)
    return {operation: count.concluded() for operation, count in counts.items()}


@dataclass
class _Count:
    """The fold: how often each location of one operation was seen."""

    of: Declared
    validator: BodyValidator
    exchanges: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    null: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    types: dict[str, Counter[str]] = field(default_factory=dict)
    facts: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def add(self, exchange: Exchange) -> None:
        self.exchanges += 1
        if exchange.response is None or exchange.response.ok or exchange.status is None:
            self._request(exchange.request)
        if exchange.response is not None:
            self._response(exchange.response)

    def _request(self, request: Request) -> None:
        """Only of a request that was served: what was refused says nothing of what is taken."""
        body, content = body_of(request)
        if content:
            self._media("request", request.media_type)
            self._value("request.body", body)
        self.objects["request.query"] += 1
        for at in dict.fromkeys(f"request.query.{name}" for name in query_of(request)):
            self.seen[at] += 1
            if at not in self.of.fields:
                self._fact(at, "undeclared-field", "the parameter is not declared")

    def _response(self, response: Response) -> None:
        status = self._status(response)
        if status is None or not response.body_known:
            return
        if response.body:
            self._media(status, response.media_type)
        if response.is_json and f"response.{status}.body" in self.of.fields:
            self._value(f"response.{status}.body", response.json)
            self._valid(status, response)

    def _status(self, response: Response) -> str | None:
        """The declared response this is of; a recording that does not know its status is of the first success."""
        if response.status is None:
            return next((one for one in self.of.statuses if one.startswith("2")), None)
        self.statuses[str(response.status)] += 1
        status = self.of.status_of(response.status)
        self.answered[f"response.{status}"] += 1
        if status is None:
            self._fact(f"response.{response.status}", "undeclared-status", f"status {response.status} is not declared")
        return status

    def _media(self, side: str, media_type: str) -> None:
        known = self.of.media.get(side, ())
        at = "request.content" if side == "request" else f"response.{side}.content"
        fitting = next((one for one in sorted(known, key=lambda one: "*" in one) if covers(one, media_type)), None)
        if fitting:
            self.answered[f"{at}.{fitting}"] += 1
        elif known and media_type:
            self._fact(f"{at}.{media_type}", "undeclared-media-type", f"media type {media_type} is not declared")

    def _value(self, at: str, value: Any) -> None:
        if at not in self.seen and len(self.seen) >= _LOCATIONS:
            return
        shape = self.of.fields.get(at)
        self.seen[at] += 1
        self.null[at] += value is None
        self.types.setdefault(at, Counter())[type_of(value)] += 1
        if shape is None:
            self._fact(at, "undeclared-field", "the field is not declared")
            return
        self._held_to(at, shape, value)
        if isinstance(value, dict):
            self.objects[at] += 1
            for name, inner in value.items():
                if (place := self._inside(at, name)) is not None:
                    self._value(place, inner)
        elif isinstance(value, list) and f"{at}[]" in self.of.fields:
            for inner in value:
                self._value(f"{at}[]", inner)

    def _inside(self, at: str, name: str) -> str | None:
        """Where a property counts: by its name, under `*` in a map; None in an object of any content."""
        if f"{at}.{name}" in self.of.fields:
            return f"{at}.{name}"
        if f"{at}.*" in self.of.fields:
            return f"{at}.*"
        named = any(one.startswith(f"{at}.") for one in self.of.fields)
        return f"{at}.{name}" if named else None

    def _held_to(self, at: str, shape: Shape, value: Any) -> None:
        kind = type_of(value)
        if kind not in shape.types:
            self._fact(at, "other-type", f"{kind} where {shape} is declared")
        elif shape.enum is not None and value not in shape.enum:
            shown = redact_text(json.dumps(value, ensure_ascii=False))[:60]
            self._fact(at, "value-outside-enum", f"{shown} is none of the declared values")

    def _valid(self, status: str, response: Response) -> None:
        """Whatever else the described schema says; what is told of a field already is not told again."""
        at = f"response.{status}.body"
        schema = self.of.schemas.get((status, response.media_type))
        if schema is None:
            return
        for path, message in self.validator.errors(schema, response.json):
            place = self._located(at, path)
            told = any(location.startswith(place) for location, _ in self.facts)
            if not told and "required property" not in message:
                self._fact(place, "not-as-described", redact_text(message)[:200])

    def _located(self, at: str, path: list[str | int]) -> str:
        for step in path:
            inside = f"{at}[]" if isinstance(step, int) else self._inside(at, step)
            if inside is None:
                break
            at = inside
        return at

    def _fact(self, location: str, kind: str, message: str) -> None:
        first, count = self.facts.get((location, kind), (message, 0))
        self.facts[location, kind] = (first, count + 1)

    def concluded(self) -> Observed:
        fields = {at: self._field(at) for at in (*self.of.fields, *self.seen) if self.seen[at] or self._chances(at)}
        for at, shape in self.of.fields.items():
            if shape.required and (seen := fields.get(at)) and seen.absent:
                self.facts[at, "required-but-absent"] = ("a required field is absent", seen.absent)
        self._never_served()
        facts = (
            Fact(self.of.id, at, kind, message, count, self._of(at))
            for (at, kind), (message, count) in self.facts.items()
        )
        never = tuple(at for at in self.of.fields if not self.seen[at])
        return Observed(
            self.of.id, self.exchanges, dict(self.statuses), dict(self.answered), fields, never, tuple(facts)
        )

    def _never_served(self) -> None:
        """An operation of which every answer says that it is not there; who may not ask was told nothing of it."""
        told = {int(status): count for status, count in self.statuses.items() if status not in _SAYS_NOTHING}
        if told and all(is_of_absence(self.of.id, status) for status in told):
            shown = " or ".join(map(str, sorted(told)))
            self.facts["operation", "never-served"] = (f"it is never served, always {shown}", sum(told.values()))

    def _field(self, at: str) -> FieldSeen:
        seen = self.seen[at]
        types = tuple(sorted(self.types.get(at, ())))
        return FieldSeen(seen, self.null[at], max(0, self._chances(at) - seen), types)

    def _chances(self, at: str) -> int:
        """How often the object that would hold it came; an entry of an array or a map has no such count."""
        holder, dot, name = at.rpartition(".")
        return self.objects[holder] if dot and name != "*" and not at.endswith("[]") else 0

    def _of(self, at: str) -> int:
        return max(self._chances(at), self.seen[at]) or self.exchanges
