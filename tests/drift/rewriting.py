"""Ways to write a schema otherwise without changing what it means."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

Schema = Any
Rewrite = Callable[[random.Random, dict[str, Any]], Schema]

GROUPS = (
    ("properties", "patternProperties", "additionalProperties"),
    ("prefixItems", "items"),
    ("contains", "minContains", "maxContains"),
    ("if", "then", "else"),
)
"""Keywords that only mean what they mean beside each other."""


def rewritten(rng: random.Random, node: Schema, shared: dict[str, Schema], times: int = 4) -> Schema:
    """The schema after some rewrites at random places; components it now refers to are put into `shared`."""
    whole = {"schema": copy.deepcopy(node)}
    for _ in range(times):
        holder, key = rng.choice(_places(whole))
        holder[key] = _once(rng, holder[key], shared)
    return whole["schema"]


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every place that holds a schema."""
    found: list[tuple[Any, Any]] = []
    items = node.items() if isinstance(node, dict) else []
    for key, child in items:
        if key in ("schema", "items", "additionalProperties", "not", "contains", "propertyNames", "if", "then"):
            found.append((node, key))
            found.extend(_places(child))
        elif key in ("properties", "patternProperties", "dependentSchemas"):
            for name in child:
                found.append((child, name))
                found.extend(_places(child[name]))
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for i, one in enumerate(child):
                found.append((child, i))
                found.extend(_places(one))
    return found


def _once(rng: random.Random, node: Schema, shared: dict[str, Schema]) -> Schema:
    if isinstance(node, bool):
        return rng.choice(({} if node else {"not": {}}, {"allOf": [node]}))
    if rng.random() < 0.15:
        name = f"Part{len(shared)}"
        shared[name] = node
        return {"$ref": f"#/components/schemas/{name}"}
    return rng.choice(REWRITES)(rng, copy.deepcopy(node))


def _wrapped(rng: random.Random, node: dict[str, Any]) -> Schema:
    return {rng.choice(("allOf", "anyOf", "oneOf")): [node]}


def _doubled(rng: random.Random, node: dict[str, Any]) -> Schema:
    return {rng.choice(("allOf", "anyOf")): [node, copy.deepcopy(node)]}


def _twice_denied(rng: random.Random, node: dict[str, Any]) -> Schema:
    if "properties" in str(node):
        return node  # denied properties are declared by nobody
    return {"not": {"not": node}}


def _shuffled(rng: random.Random, node: dict[str, Any]) -> Schema:
    for word in ("enum", "required", "anyOf", "oneOf", "allOf"):
        if word in node:
            rng.shuffle(node[word])
    pairs = list(node.items())
    rng.shuffle(pairs)
    return dict(pairs)


def _split(rng: random.Random, node: dict[str, Any]) -> Schema:
    """Some keywords said in a part of their own."""
    if "allOf" in node or "$ref" in node or "unevaluatedProperties" in node:
        return node
    part: dict[str, Any] = {}
    for word in list(node):
        group = next((group for group in GROUPS if word in group), (word,))
        if word in node and rng.random() < 0.5:
            part.update({each: node.pop(each) for each in group if each in node})
    return {**node, "allOf": [part]}


def _redundant(rng: random.Random, node: dict[str, Any]) -> Schema:
    says_nothing = {
        "minLength": 0, "minItems": 0, "uniqueItems": False, "additionalProperties": True, "required": [],
        "minProperties": 0,
        "deprecated": False, "description": "said otherwise", "dependentRequired": {}, "then": {"maxLength": 0},
        "patternProperties": {}, "propertyNames": {"type": "string"}, "readOnly": False, "not": False, "allOf": [True],
    }  # fmt: skip
    word = rng.choice([word for word in says_nothing if word not in node] or ["title"])
    if word == "additionalProperties" and "unevaluatedProperties" in node:
        return node
    if word == "then" and "if" in node:
        return node
    return {**node, word: says_nothing.get(word, "t")}


def _values(rng: random.Random, node: dict[str, Any]) -> Schema:
    if node == {"type": "boolean"}:
        return {"enum": [False, True]}
    if set(node) != {"enum"}:
        return node
    if len(node["enum"]) == 1:
        return {"const": node["enum"][0]}
    if rng.random() < 0.5:
        return {rng.choice(("anyOf", "oneOf")): [{"const": value} for value in _different(node["enum"])]}
    return {"anyOf": [{"enum": node["enum"][:2]}, {"enum": node["enum"][1:]}]}


def _different(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if not any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in kept):
            kept.append(value)
    return kept


def _numbers(rng: random.Random, node: dict[str, Any]) -> Schema:
    if node.get("type") != "integer":
        return node
    if isinstance(node.get("minimum"), int) and rng.random() < 0.5:
        node["exclusiveMinimum"] = node.pop("minimum") - 1
    elif isinstance(node.get("maximum"), int) and rng.random() < 0.5:
        node["maximum"] += 0.5
    elif "multipleOf" not in node:
        node.update({"type": "number", "multipleOf": 1})
    return node


def _distributed(rng: random.Random, node: dict[str, Any]) -> Schema:
    """What stands beside a union said in each of its branches."""
    if "anyOf" not in node or "unevaluatedProperties" in node:
        return node
    beside = {word: value for word, value in node.items() if word != "anyOf"}
    return {"anyOf": [{"allOf": [copy.deepcopy(beside), branch]} for branch in node["anyOf"]]}


def _absorbed(rng: random.Random, node: dict[str, Any]) -> Schema:
    return {"anyOf": [node, {"allOf": [copy.deepcopy(node), {"maxLength": 1, "maxItems": 1, "maximum": 0}]}]}


def _null(rng: random.Random, node: dict[str, Any]) -> Schema:
    if set(node) == {"anyOf"} and len(node["anyOf"]) == 2 and node["anyOf"][1] == {"type": "null"}:
        first = node["anyOf"][0]
        if (
            isinstance(first, dict)
            and isinstance(first.get("type"), str)
            and first["type"] != "null"
            and not ({"enum", "const", "allOf", "anyOf", "oneOf", "not", "if"} & set(first))
        ):
            return {**first, "type": [first["type"], "null"]}
        return {"anyOf": [{"enum": [None]}, first]}
    return node


def _closed(rng: random.Random, node: dict[str, Any]) -> Schema:
    if node.get("additionalProperties") is False and not (
        {"allOf", "anyOf", "oneOf", "$ref", "if", "dependentSchemas"} & set(node)
    ):
        del node["additionalProperties"]
        node["unevaluatedProperties"] = False
    return node


def _dependent(rng: random.Random, node: dict[str, Any]) -> Schema:
    for name, others in node.pop("dependentRequired", {}).items():
        node.setdefault("allOf", []).append({"dependentSchemas": {name: {"required": others}}})
    return node


def _types(rng: random.Random, node: dict[str, Any]) -> Schema:
    if node.get("type") == "object" and "oneOf" not in node:
        return {"allOf": [{"type": "object"}, {word: value for word, value in node.items() if word != "type"}]}
    return node


REWRITES: tuple[Rewrite, ...] = (
    _wrapped,
    _doubled,
    _twice_denied,
    _shuffled,
    _split,
    _redundant,
    _redundant,
    _values,
    _numbers,
    _distributed,
    _absorbed,
    _null,
    _closed,
    _dependent,
    _types,
)
