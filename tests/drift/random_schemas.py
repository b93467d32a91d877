"""Draws schemas, ways to write one otherwise without changing what it means, and values near what it admits."""

from __future__ import annotations

import copy
import random
from typing import Any

NAMES = ("a", "b", "c")
TEXTS = ("x", "y", "zz")

Schema = Any


def schema(rng: random.Random, depth: int = 3) -> Schema:
    """A schema of JSON Schema 2020-12, of at most `depth` levels."""
    makers = [_integer, _number, _string, _values, _anything]
    if depth > 0:
        makers += [_object, _object, _object, _array, _union, _all_of, _nullable]
        if rng.random() < 0.3:
            makers += [_one_of, _not, _conditional]
    return rng.choice(makers)(rng, depth - 1)


def _some(rng: random.Random, made: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    for word, value in keywords.items():
        if rng.random() < 0.35:
            made[word] = value
    return made


def _integer(rng: random.Random, depth: int) -> Schema:
    low = rng.randint(-3, 3)
    made = _some(rng, {"type": "integer"}, minimum=low, maximum=low + rng.randint(0, 6))
    return _some(rng, made, multipleOf=rng.choice((2, 3))) if rng.random() < 0.3 else _some(rng, made, format="int32")


def _number(rng: random.Random, depth: int) -> Schema:
    low = rng.choice((-1, 0, 0.5, 2))
    return _some(rng, {"type": "number"}, minimum=low, exclusiveMaximum=low + rng.choice((0.5, 1, 4)))


def _string(rng: random.Random, depth: int) -> Schema:
    low = rng.randint(0, 3)
    made = _some(rng, {"type": "string"}, minLength=low, maxLength=low + rng.randint(0, 4))
    if rng.random() < 0.3:
        made["pattern"] = rng.choice(("^[a-z]+$", "^[a-c]*$", "^x", "\\d", "^(x|y|zz)$", "z$"))
    if rng.random() < 0.2:
        made["format"] = rng.choice(("uuid", "date", "email", "uri"))
    return made


def _values(rng: random.Random, depth: int) -> Schema:
    pool = [1, 2, 3, "x", "y", "zz", None, True, False, 1.5, [], {"a": 1}]
    return {"enum": rng.sample(pool, rng.randint(1, 4))}


def _anything(rng: random.Random, depth: int) -> Schema:
    return rng.choice(({}, True, {"type": "boolean"}, {"type": "null"}, {"type": "object"}, {"type": "array"}))


def _object(rng: random.Random, depth: int) -> Schema:
    names = rng.sample(NAMES, rng.randint(1, 3))
    made: dict[str, Any] = {"type": "object", "properties": {name: schema(rng, depth) for name in names}}
    required = [name for name in names if rng.random() < 0.5]
    if required:
        made["required"] = required
    chance = rng.random()
    if chance < 0.25:
        made["additionalProperties"] = False
    elif chance < 0.4:
        made["additionalProperties"] = schema(rng, 0)
    if rng.random() < 0.1:
        made["minProperties"] = rng.randint(0, 2)
    if rng.random() < 0.1:
        made["maxProperties"] = rng.randint(2, 3)
    if rng.random() < 0.08:
        made["patternProperties"] = {"^x": schema(rng, 0)}
    if rng.random() < 0.08:
        made["dependentRequired"] = {names[0]: [rng.choice(NAMES)]}
    if rng.random() < 0.06:
        made["propertyNames"] = {"pattern": "^[a-c]"}
    return made


def _array(rng: random.Random, depth: int) -> Schema:
    made = _some(rng, {"type": "array"}, items=schema(rng, depth), minItems=rng.randint(0, 2), uniqueItems=True)
    if rng.random() < 0.15:
        made["maxItems"] = made.get("minItems", 0) + rng.randint(0, 2)
    if rng.random() < 0.15:
        made["prefixItems"] = [schema(rng, 0) for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.1:
        made["contains"] = schema(rng, 0)
    return made


def _union(rng: random.Random, depth: int) -> Schema:
    return {"anyOf": [schema(rng, depth) for _ in range(rng.randint(1, 3))]}


def _one_of(rng: random.Random, depth: int) -> Schema:
    return {"oneOf": [schema(rng, depth) for _ in range(rng.randint(1, 3))]}


def _all_of(rng: random.Random, depth: int) -> Schema:
    return {"allOf": [schema(rng, depth) for _ in range(rng.randint(1, 2))]}


def _nullable(rng: random.Random, depth: int) -> Schema:
    return {"anyOf": [schema(rng, depth), {"type": "null"}]}


def _not(rng: random.Random, depth: int) -> Schema:
    return {**_object(rng, depth), "not": schema(rng, 0)}


def _conditional(rng: random.Random, depth: int) -> Schema:
    made = _object(rng, depth)
    name = next(iter(made["properties"]))
    return {**made, "if": {"properties": {name: schema(rng, 0)}}, "then": {"required": [rng.choice(NAMES)]}}


def mutated(rng: random.Random, node: Schema) -> Schema:
    """The schema with one part replaced or one keyword taken away: near enough to be nearly the same."""
    whole = copy.deepcopy(node)
    places = [(parent, key) for parent, key in _places(whole)]
    if not places or rng.random() < 0.1:
        return schema(rng, 2)
    parent, key = rng.choice(places)
    if (
        isinstance(parent, dict)
        and key not in ("properties", "items", "anyOf", "allOf", "oneOf")
        and rng.random() < 0.4
    ):
        del parent[key]
    elif key in ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "exclusiveMaximum"):
        parent[key] = max(parent[key] + rng.choice((-1, 1)), 0)
    elif key == "enum":
        parent[key] = [*parent[key], rng.choice((1, "x", "new", None))]
    elif isinstance(parent[key], (dict, bool)) and key not in ("properties", "patternProperties", "uniqueItems"):
        parent[key] = schema(rng, 1)
    return whole


def _places(node: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key in ("dependentRequired", "patternProperties"):
            continue
        if key not in ("required",):
            found.append((node, key))
        if key not in ("enum", "const"):
            found.extend(_places(child))
    return found


def value(rng: random.Random, depth: int = 3) -> Any:
    """Any JSON value of the little world the schemas speak of."""
    kinds = [
        None,
        True,
        False,
        0,
        1,
        2,
        3,
        4,
        -1,
        -4,
        0.5,
        1.5,
        10,
        2**40,
        "",
        "x",
        "y",
        "zz",
        "abc",
        "abcd",
        "d1",
        "new",
    ]
    kinds += ["2024-02-29", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "a@b.example", "urn:a", [], {}]
    if depth > 0 and rng.random() < 0.6:
        if rng.random() < 0.6:
            names = rng.sample((*NAMES, "x1", "other"), rng.randint(0, 4))
            return {name: value(rng, depth - 1) for name in names}
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    return rng.choice(kinds)
