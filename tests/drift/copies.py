"""Descriptions that say the same in another way: in another order, under other names, inlined, in the other dialect."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from conformance.drift.schema.description import DATA, NAMED, Description, walk
from tests.drift.random_schemas import schema

Node = dict[str, Any]
SECTIONS = ("schemas", "parameters", "responses", "requestBodies", "headers")
_UNORDERED = frozenset({"required", "allOf", "anyOf", "oneOf", "tags", "parameters", "security", "servers", "type"})


def reordered(rng: random.Random, root: Node) -> Node:
    """Members of objects, and of lists whose order says nothing, in another order."""
    return _shuffled(rng, copy.deepcopy(root), "", named=False)


def _shuffled(rng: random.Random, node: Any, word: str, named: bool) -> Any:
    if isinstance(node, list):
        made = [_shuffled(rng, child, "", False) for child in node]
        if word in _UNORDERED:
            rng.shuffle(made)
        return made
    if not isinstance(node, dict):
        return node
    pairs = list(node.items())
    rng.shuffle(pairs)
    made = {}
    for key, child in pairs:
        if key == "enum" and not named and isinstance(child, list):
            made[key] = rng.sample(child, len(child))
        elif key in DATA and not named:
            made[key] = child
        else:
            made[key] = _shuffled(rng, child, "" if named else key, not named and key in NAMED)
    return made


def renamed(root: Node) -> Node:
    """Every component under another name; discriminators name their values, where a component's name was one."""
    whole = copy.deepcopy(root)
    names: dict[str, str] = {}
    for section in SECTIONS:
        held = (whole.get("components") or {}).get(section) or {}
        for i, name in enumerate(list(held)):
            names[f"#/components/{section}/{_escaped(name)}"] = f"#/components/{section}/Other{section}{i}"
            held[f"Other{section}{i}"] = held.pop(name)
    for _, node in walk(whole):
        if isinstance(node.get("$ref"), str):
            node["$ref"] = _moved(names, node["$ref"])
        discriminator = node.get("discriminator")
        mapping = discriminator.get("mapping") if isinstance(discriminator, dict) else None
        if isinstance(mapping, dict):
            selected = set(mapping.values())
            for branch in [*(node.get("oneOf") or ()), *(node.get("anyOf") or ())]:
                new = branch.get("$ref", "")
                old = next((one for one, other in names.items() if other == new), new)
                if old and old not in selected and new not in selected:
                    mapping[old.rpartition("/")[2]] = old
            for value, target in list(mapping.items()):
                full = target if "#" in target else f"#/components/schemas/{target}"
                mapping[value] = _moved(names, full)
    return whole


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _moved(names: dict[str, str], reference: str) -> str:
    for old, new in ((reference, names.get(reference)),):
        if new is not None:
            return new
        prefix = next((one for one in names if old.startswith(f"{one}/")), None)
        if prefix is not None:
            return names[prefix] + old[len(prefix) :]
    return reference


def inlined(root: Node, most: int = 40) -> Node:
    """References replaced by what they lead to, those of small components that do not lead back to themselves."""
    whole = copy.deepcopy(root)
    description = Description(copy.deepcopy(root))
    sizes: dict[str, int] = {}

    def size(reference: str) -> int:
        if reference not in sizes:
            sizes[reference] = most + 1  # met inside itself: not inlined
            target = description.resolve(reference)
            inner = [node for _, node in walk(target)]
            total = len(inner) + sum(size(node["$ref"]) for node in inner if isinstance(node.get("$ref"), str))
            sizes[reference] = total
        return sizes[reference]

    def replaced(node: Any, named: bool = False) -> Any:
        if isinstance(node, list):
            return [replaced(child) for child in node]
        if not isinstance(node, dict):
            return node
        if not named and isinstance(node.get("$ref"), str) and len(node) == 1 and size(node["$ref"]) <= most:
            return replaced(copy.deepcopy(description.resolve(node["$ref"])))
        made = {}
        for key, child in node.items():
            joined = "discriminator" in node and key in ("oneOf", "anyOf") and not named
            data = key in DATA and not named
            made[key] = child if data or joined else replaced(child, not named and key in NAMED)
        return made

    made: Node = replaced(whole)
    return made


def in_the_new_dialect(root: Node) -> Node:
    """A description of OpenAPI 3.0 as one of 3.1: null among the types, exclusive bounds as numbers."""
    whole = copy.deepcopy(root)
    whole["openapi"] = "3.1.0"
    for _, node in walk(whole):
        for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(node.get(word), bool) and node.pop(word) and bound in node:
                node[word] = node.pop(bound)
        if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
            if isinstance(node.get("enum"), list) and None not in node["enum"]:
                node["enum"] = [*node["enum"], None]
    return whole


COPIES: dict[str, Callable[[random.Random, Node], Node]] = {
    "itself": lambda rng, root: copy.deepcopy(root),
    "reordered": reordered,
    "renamed": lambda rng, root: renamed(root),
    "inlined": lambda rng, root: inlined(root),
    "all three": lambda rng, root: reordered(rng, renamed(inlined(root))),
}


def generated(rng: random.Random) -> Node:
    """A description of OpenAPI 3.1 of a few operations over components that refer to each other, some to themselves."""
    names = [f"Part{i}" for i in range(rng.randint(1, 5))]
    schemas = {name: _with_references(rng, schema(rng, 2), names, depth=0) for name in names}
    for name in names:
        if rng.random() < 0.3:
            schemas[name] = {"type": "object", "properties": {"value": schemas[name], "next": _led(rng.choice(names))}}
    paths: Node = {}
    for i in range(rng.randint(1, 4)):
        paths[f"/things{i}/{{id}}"] = {rng.choice(("get", "post", "put")): _operation(rng, i, names)}
    info = {"title": "Generated", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _led(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}


def _with_references(rng: random.Random, node: Any, names: list[str], depth: int) -> Any:
    """The schema with some of its properties and items led to components, so that every way round has an end."""
    if not isinstance(node, dict):
        return node
    made = dict(node)
    for key, child in node.items():
        if key == "properties":
            made[key] = {
                name: _led(rng.choice(names)) if rng.random() < 0.3 else _with_references(rng, one, names, depth + 1)
                for name, one in child.items()
            }
        elif key == "items" and rng.random() < 0.3:
            made[key] = _led(rng.choice(names))
    if depth == 0 and rng.random() < 0.2:
        return {rng.choice(("anyOf", "oneOf")): [made, schema(rng, 1), {"type": "null"}]}
    return made


def _operation(rng: random.Random, i: int, names: list[str]) -> Node:
    def content(one: Any) -> Node:
        return {"application/json": {"schema": one}}

    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    for name in rng.sample(("limit", "tag", "sort"), rng.randint(0, 3)):
        simple = rng.choice(({"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "string"}}))
        parameters.append({"name": name, "in": "query", "required": rng.random() < 0.3, "schema": simple})
    made: Node = {"operationId": f"op{i}", "parameters": parameters}
    if rng.random() < 0.7:
        made["requestBody"] = {"required": True, "content": content(_led(rng.choice(names)))}
    made["responses"] = {"200": {"description": "done", "content": content(_led(rng.choice(names)))}}
    if rng.random() < 0.5:
        made["responses"]["4XX"] = {"description": "failed", "content": content(schema(rng, 1))}
    return made


def in_the_old_dialect(rng: random.Random) -> Node:
    """A description of OpenAPI 3.0 whose schemas use what both dialects have, each in its own words."""

    def simple(depth: int) -> Any:
        made: Node = (
            rng.choice(
                (
                    {"type": "string", "maxLength": 5},
                    {"type": "integer", "minimum": 0, "exclusiveMinimum": rng.random() < 0.5},
                    {"type": "string", "enum": ["a", "b"]},
                    {"type": "number", "maximum": 9, "exclusiveMaximum": True},
                )
            )
            if depth <= 0 or rng.random() < 0.4
            else rng.choice((_list, _object))(depth)
        )
        return {**made, "nullable": True} if rng.random() < 0.3 else made

    def _list(depth: int) -> Node:
        return {"type": "array", "items": simple(depth - 1)}

    def _object(depth: int) -> Node:
        names = rng.sample("abcd", rng.randint(1, 4))
        return {"type": "object", "properties": {name: simple(depth - 1) for name in names}, "required": names[:1]}

    whole = generated(rng)
    whole["openapi"] = "3.0.3"
    whole["components"]["schemas"] = {name: simple(3) for name in whole["components"]["schemas"]}
    for _, node in walk(whole["paths"]):
        if "application/json" in node:
            node["application/json"]["schema"] = rng.choice([_led("Part0"), simple(2)])
    return whole
