"""Makes one change of known effect at a random place of a description: what a comparison of the two must tell."""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.drift.openapi.dialects import modern
from conformance.drift.openapi.surface import METHODS
from conformance.drift.schema.description import Description, is_hidden
from conformance.drift.schema.identity import plain

Node = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """What was done, where a comparison must tell it, and whether it breaks; `breaking` None: nothing may be told."""

    name: str
    operation: str
    location: str
    breaking: bool | None


@dataclass(frozen=True)
class _Place:
    operation: str
    side: str
    location: str
    schema: Node
    holder: Node | None
    name: str


def mutated(rng: random.Random, root: Node) -> tuple[Node, Mutation]:
    """A copy of the description with one change, and what it is. The description is one of OpenAPI 3.1."""
    whole = copy.deepcopy(root)
    places = _places(whole)
    for _ in range(1000):
        made = rng.choice(OF_OPERATIONS)(rng, whole) if rng.random() < 0.15 else _of_schema(rng, rng.choice(places))
        if made is not None:
            return whole, made
    raise AssertionError("no place of the description can be changed")


def _places(root: Node) -> list[_Place]:
    description = Description(root)
    found: list[_Place] = []
    for path, item in root["paths"].items():
        item = description.follow(item)
        for method in METHODS:
            if isinstance(item.get(method), dict):
                name = item[method].get("operationId") or f"{method.upper()} {path}"
                for side, location, schema in _bodies(description, item[method]):
                    found.extend(_inside(description, name, side, location, schema))
    return found


def _bodies(description: Description, operation: Node) -> Iterator[tuple[str, str, Any]]:
    body = description.follow(operation.get("requestBody") or {})
    if list(body.get("content") or ()) == ["application/json"]:
        yield "request", "request.body", body["content"]["application/json"].get("schema", True)
    for status, listed in (operation.get("responses") or {}).items():
        answer = description.follow(listed)
        if list(answer.get("content") or ()) == ["application/json"]:
            yield "response", f"response.{status}.body", answer["content"]["application/json"].get("schema", True)


def _inside(description: Description, operation: str, side: str, location: str, schema: Any) -> Iterator[_Place]:
    """The schemas of a body that no union holds, nearest first, each once: where a comparison tells of them."""
    queue: deque[tuple[str, Any, Node | None, str]] = deque([(location, schema, None, "")])
    seen: set[int] = set()
    while queue:
        where, node, holder, name = queue.popleft()
        node = plain(description, node)
        if not isinstance(node, dict) or id(node) in seen or _joined(node):
            continue
        seen.add(id(node))
        yield _Place(operation, side, where, node, holder, name)
        properties = node.get("properties") if node.get("type") == "object" else None
        for key, child in (properties or {}).items():
            if not is_hidden(description, child, side):
                queue.append((f"{where}.{key}", child, node, key))
        if node.get("type") == "array":
            queue.append((f"{where}[]", node.get("items", True), None, ""))


def _joined(node: Node) -> bool:
    return bool(node.keys() & {"allOf", "anyOf", "oneOf", "not", "$ref", "if", "enum", "const"}) and "enum" not in node


def _of_schema(rng: random.Random, place: _Place) -> Mutation | None:
    name, change, broken = rng.choice(OF_SCHEMAS)
    location = change(rng, place)
    if location is None:
        return None
    if location:
        location = f"{place.location}{location if location != '.' else ''}"
    else:
        return Mutation(name, place.operation, place.location, None)
    return Mutation(name, place.operation, location, place.side in broken)


def _bound(kind: str, word: str, value: Any, *others: str) -> Callable[[random.Random, _Place], str | None]:
    def change(rng: random.Random, place: _Place) -> str | None:
        node = place.schema
        if node.get("type") != kind or node.keys() & {word, "enum", "const", "format", *others}:
            return None
        node[word] = value
        return "."

    return change


def _less(rng: random.Random, place: _Place) -> str | None:
    values = place.schema.get("enum")
    if not isinstance(values, list) or len(values) < 2 or None in values or not isinstance(values[0], str):
        return None
    place.schema["enum"] = values[1:]
    return "." if values[0] not in values[1:] else None


def _more(rng: random.Random, place: _Place) -> str | None:
    values = place.schema.get("enum")
    if place.schema.get("type") != "string" or not isinstance(values, list) or place.schema.keys() & {"pattern"}:
        return None
    place.schema["enum"] = [*values, "a value of its own"]
    return "." if "maxLength" not in place.schema and "format" not in place.schema else None


def _other_type(rng: random.Random, place: _Place) -> str | None:
    if place.schema.keys() - {"description", "title", "example", "examples", "type"} or "type" not in place.schema:
        return None
    if place.schema["type"] not in ("string", "integer", "boolean"):
        return None
    place.schema["type"] = {"string": "integer", "integer": "boolean", "boolean": "string"}[place.schema["type"]]
    return "."


def _or_null(rng: random.Random, place: _Place) -> str | None:
    if place.schema.get("type") not in ("string", "integer", "object", "array") or "enum" in place.schema:
        return None
    place.schema["type"] = [place.schema["type"], "null"]
    return "."


def _object(place: _Place) -> bool:
    open_one = place.schema.get("additionalProperties", True) in (True, {}) and "maxProperties" not in place.schema
    return place.schema.get("type") == "object" and open_one and "minProperties" not in place.schema


def _required(rng: random.Random, place: _Place) -> str | None:
    free = sorted((place.schema.get("properties") or {}).keys() - set(place.schema.get("required") or ()))
    if not _object(place) or not free:
        return None
    name = rng.choice(free)
    if _sided(place.schema["properties"][name]):
        return None
    place.schema["required"] = [*(place.schema.get("required") or ()), name]
    return f".{name}"


def _optional(rng: random.Random, place: _Place) -> str | None:
    needed = sorted(set(place.schema.get("required") or ()) & (place.schema.get("properties") or {}).keys())
    if not _object(place) or not needed:
        return None
    name = rng.choice(needed)
    if _sided(place.schema["properties"][name]):
        return None
    place.schema["required"] = [one for one in place.schema["required"] if one != name]
    return f".{name}"


def _sided(schema: Any) -> bool:
    return "readOnly" in str(schema) or "writeOnly" in str(schema) or "$ref" in str(schema)


def _with_property(rng: random.Random, place: _Place) -> str | None:
    if not _object(place) or place.schema.get("patternProperties") or place.schema.get("propertyNames"):
        return None
    place.schema["properties"] = {**(place.schema.get("properties") or {}), "brandNew": {"type": "string"}}
    return ".brandNew"


def _with_required_property(rng: random.Random, place: _Place) -> str | None:
    if _with_property(rng, place) is None:
        return None
    place.schema["required"] = [*(place.schema.get("required") or ()), "brandNew"]
    return ".brandNew"


def _without_required_property(rng: random.Random, place: _Place) -> str | None:
    name = _optional(rng, place)
    if name is None:
        return None
    del place.schema["properties"][name[1:]]
    return name


def _said_otherwise(rng: random.Random, place: _Place) -> str | None:
    place.schema["description"] = "said otherwise"
    return ""


OF_SCHEMAS: tuple[tuple[str, Callable[[random.Random, _Place], str | None], tuple[str, ...]], ...] = (
    ("a longest length", _bound("string", "maxLength", 7, "minLength", "pattern"), ("request",)),
    ("a pattern", _bound("string", "pattern", "^q+$", "minLength", "maxLength"), ("request",)),
    ("a format", _bound("string", "format", "date", "pattern", "minLength", "maxLength"), ("request",)),
    ("a greatest number", _bound("integer", "maximum", 7, "minimum", "exclusiveMinimum"), ("request",)),
    ("a least number", _bound("integer", "minimum", 7, "maximum", "exclusiveMaximum"), ("request",)),
    ("a most of items", _bound("array", "maxItems", 7, "minItems"), ("request",)),
    ("different items", _bound("array", "uniqueItems", True, "maxItems"), ("request",)),
    ("a value fewer", _less, ("request",)),
    ("a value more", _more, ("response",)),
    ("another type", _other_type, ("request", "response")),
    ("or null", _or_null, ("response",)),
    ("a property required", _required, ("request",)),
    ("a property optional", _optional, ("response",)),
    ("a property more", _with_property, ()),
    ("a required property more", _with_required_property, ("request",)),
    ("a required property fewer", _without_required_property, ("response",)),
    ("another description", _said_otherwise, ()),
)
"""Each with the sides on which it breaks."""


def _operation(rng: random.Random, root: Node) -> tuple[str, Node, Node, str]:
    listed = [
        (path, item, method)
        for path, item in root["paths"].items()
        for method in METHODS
        if isinstance(item.get(method), dict)
    ]
    path, item, method = rng.choice(listed)
    return item[method].get("operationId") or f"{method.upper()} {path}", item[method], item, method


def _without_operation(rng: random.Random, root: Node) -> Mutation:
    name, _, item, method = _operation(rng, root)
    del item[method]
    return Mutation("an operation fewer", name, "operation", True)


def _with_parameter(rng: random.Random, root: Node) -> Mutation:
    name, operation, _, _ = _operation(rng, root)
    required = rng.random() < 0.5
    new = {"name": "brandNew", "in": "query", "required": required, "schema": {"type": "string"}}
    operation["parameters"] = [*(operation.get("parameters") or ()), new]
    return Mutation("a parameter more", name, "request.query.brandNew", required)


def _parameter(rng: random.Random, root: Node) -> tuple[str, Node, int] | None:
    name, operation, _, _ = _operation(rng, root)
    own = [i for i, one in enumerate(operation.get("parameters") or ()) if one.get("in") == "query" and "schema" in one]
    return (name, operation, rng.choice(own)) if own else None


def _without_parameter(rng: random.Random, root: Node) -> Mutation | None:
    found = _parameter(rng, root)
    if found is None:
        return None
    name, operation, i = found
    gone = operation["parameters"].pop(i)
    return Mutation("a parameter fewer", name, f"request.query.{gone['name']}", False)


def _required_parameter(rng: random.Random, root: Node) -> Mutation | None:
    found = _parameter(rng, root)
    if found is None:
        return None
    name, operation, i = found
    one = operation["parameters"][i]
    one["required"] = not one.get("required", False)
    return Mutation("a parameter required or not", name, f"request.query.{one['name']}", one["required"])


def _without_success(rng: random.Random, root: Node) -> Mutation | None:
    name, operation, _, _ = _operation(rng, root)
    codes = [code for code in operation.get("responses") or {} if str(code).startswith("2")]
    if len(codes) != 1 or "default" in operation["responses"]:
        return None
    del operation["responses"][codes[0]]
    operation["responses"]["500"] = {"description": "Failed."}
    return Mutation("a success fewer", name, f"response.{codes[0]}", True)


def _with_failure(rng: random.Random, root: Node) -> Mutation | None:
    name, operation, _, _ = _operation(rng, root)
    if "default" in operation["responses"] or {"418", "4XX"} & operation["responses"].keys():
        return None
    operation["responses"]["418"] = {"description": "A teapot."}
    return Mutation("a failure more", name, "response.418", False)


OF_OPERATIONS: tuple[Callable[[random.Random, Node], Mutation | None], ...] = (
    _without_operation,
    _with_parameter,
    _without_parameter,
    _required_parameter,
    _without_success,
    _with_failure,
)


def modern_copy(root: Node) -> Node:
    """The description as one of OpenAPI 3.1 in which no two places share a node."""
    return copy.deepcopy(_apart(modern(root)))  # what `modern` shares would be changed in many places at once


def _apart(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _apart(child) for key, child in node.items()}
    return [_apart(child) for child in node] if isinstance(node, list) else node


def told(changes: Any, mutation: Mutation) -> str:
    """Empty where the changes say what was done, where and whether it breaks; else what is wrong."""
    if mutation.breaking is None:
        return "told though nothing changed" if list(changes) else ""
    here = [one for one in changes if one.operation == mutation.operation and one.location == mutation.location]
    if not here:
        return "missed" if mutation.breaking else "not told"
    if any(one.breaking for one in here) != mutation.breaking:
        return "missed" if mutation.breaking else "told as breaking"
    return ""
