"""Rewrites a description of OpenAPI 3.0 as one of 3.1, whose schemas are JSON Schema 2020-12.

Source: the OpenAPI 3.0.4 Schema Object and the 3.1 migration notes. `nullable` without `type` in its own object has no effect
by the letter of 3.0.3; beside `allOf`, `anyOf`, `oneOf` or `$ref` alone it is read as its authors mean it: or null.
"""

from __future__ import annotations

from typing import Any

from conformance.drift.references import DATA, NAMED

_APPLIED = ("allOf", "anyOf", "oneOf")
_SCHEMA_PARENTS = frozenset({"schema", "items", "additionalProperties", "not"})
_SCHEMA_LISTS = frozenset(_APPLIED)
_SCHEMA_MAPS = frozenset({"properties", "schemas", "patternProperties"})


def is_old(root: dict[str, Any]) -> bool:
    """Whether the description is of OpenAPI 3.0."""
    return str(root.get("openapi", "")).startswith("3.0")


def modern(root: dict[str, Any]) -> dict[str, Any]:
    """The description in the 3.1 dialect, as a copy of its own that shares no node with the original."""
    old = is_old(root)
    copy: dict[str, Any] = _copy(root, False, old, False)
    if old:
        copy["openapi"] = "3.1.0"
    info = copy.get("info")
    if isinstance(info, dict) and isinstance(info.get("version"), (int, float)):
        info["version"] = str(info["version"])
    return copy


def _copy(node: Any, schema: bool, old: bool, named: bool) -> Any:
    """`schema`: the node is a Schema Object; `named`: its members are named by the author."""
    if isinstance(node, list):
        return [_copy(item, schema, old, False) for item in node]
    if not isinstance(node, dict):
        return node
    copied: dict[str, Any] = {}
    for key, child in node.items():
        if named:
            copied[key] = _copy(child, schema, old, False)
        elif key in DATA:
            copied[key] = _data(child)
        else:
            names = key in NAMED
            inside = key in _SCHEMA_MAPS if names else key in _SCHEMA_PARENTS or key in _SCHEMA_LISTS
            copied[key] = _copy(child, inside, old, names)
    return _modern_schema(copied) if old and schema and not named else copied


def _data(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _data(child) for key, child in node.items()}
    return [_data(item) for item in node] if isinstance(node, list) else node


def _modern_schema(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema and schema.get("nullable") is not True:
        return {"$ref": schema["$ref"]}  # 3.0 ignores what stands beside a $ref
    if "$ref" in schema:
        return {"anyOf": [{"$ref": schema["$ref"]}, {"type": "null"}]}
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool):
            if schema.pop(exclusive) and inclusive in schema:
                schema[exclusive] = schema.pop(inclusive)
    return _nullable(schema)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    nullable = schema.pop("nullable", False) is True
    if not nullable:
        return schema
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
        return _or_null_inside(schema)
    if kind is None and any(word in schema for word in _APPLIED):
        about = {word: schema.pop(word) for word in ("default", "description", "readOnly", "writeOnly", "deprecated")
                 if word in schema}  # fmt: skip
        return {"anyOf": [schema, {"type": "null"}], **about}
    return schema


def _or_null_inside(schema: dict[str, Any]) -> dict[str, Any]:
    """`type` and `nullable` beside `allOf` or a union: null is meant to pass the whole, so the parts must let it through."""
    parts = {word: schema.pop(word) for word in _APPLIED if word in schema}
    if not parts:
        return schema
    rest = {**schema, **parts, "type": schema["type"][0]}
    about = {word: rest.pop(word) for word in ("default", "description", "readOnly", "writeOnly", "deprecated") if word in rest}
    return {"anyOf": [rest, {"type": "null"}], **about}
