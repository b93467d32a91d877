"""Rewrites a description of OpenAPI 3.0 as one of 3.1, whose schemas are JSON Schema 2020-12.

Source: the OpenAPI 3.0.4 Schema Object and the 3.1 migration notes. `nullable` without `type` in its own object has no
effect by the letter of 3.0.3; beside `allOf`, `anyOf`, `oneOf` or `$ref` alone it is read as its authors mean it: or
null.
"""

from __future__ import annotations

from typing import Any

from conformance.drift.schema.references import DATA, NAMED, walk

_APPLIED = ("allOf", "anyOf", "oneOf")
_SCHEMA_PARENTS = frozenset({"schema", "items", "additionalProperties", "not"})
_ABOUT = ("default", "description", "readOnly", "writeOnly", "deprecated", "discriminator")
_UNKNOWN = frozenset({"$recursiveAnchor", "$recursiveRef"})
"""Keywords of JSON Schema 2019-09 that 2020-12 no longer knows, and ignores."""
_SCHEMA_MAPS = frozenset({"properties", "schemas", "patternProperties"})


def is_old(root: dict[str, Any]) -> bool:
    """Whether the description is of OpenAPI 3.0."""
    return str(root.get("openapi", "")).startswith("3.0")


def modern(root: dict[str, Any], null_in_enums: bool = True) -> dict[str, Any]:
    """The description in the 3.1 dialect, as a copy of its own that shares no node with the original.

    `null_in_enums`: a nullable schema's `enum` without null admits null all the same, as most authors and tools take
    it; else not, by the letter of 3.0.3.
    """
    copy: dict[str, Any] = _Copier(is_old(root), null_in_enums).copy(root, False, False)
    if is_old(root):
        copy["openapi"] = "3.1.0"
    info = copy.get("info")
    if isinstance(info, dict) and isinstance(info.get("version"), (int, float)):
        info["version"] = str(info["version"])
    return copy


def is_ambiguous(root: dict[str, Any]) -> bool:
    """Whether it makes a difference how a nullable `enum` without null is read."""
    return is_old(root) and any(
        node.get("nullable") is True and isinstance(node.get("enum"), list) and None not in node["enum"]
        for _, node in walk(root)
    )


class _Copier:
    def __init__(self, old: bool, null_in_enums: bool) -> None:
        self.old, self.null_in_enums = old, null_in_enums
        self._shared: dict[tuple[Any, ...], Any] = {}

    def copy(self, node: Any, schema: bool, named: bool) -> Any:
        """`schema`: the node is a Schema Object; `named`: its members are named by the author."""
        if isinstance(node, list):
            return self._once([self.copy(item, schema, False) for item in node])
        if not isinstance(node, dict):
            return node
        copied: dict[str, Any] = {}
        for key, child in node.items():
            if key in _UNKNOWN and not named:
                continue
            if named:
                copied[key] = self.copy(child, schema, False)
            elif key in DATA:
                copied[key] = self.data(child)
            else:
                names = key in NAMED
                inside = key in _SCHEMA_MAPS if names else key in _SCHEMA_PARENTS or key in _APPLIED
                copied[key] = self.copy(child, inside, names)
        return self._once(self._schema(copied) if self.old and schema and not named else copied)

    def _once(self, node: Any) -> Any:
        """The node, or one written alike before: what is said often is compared once."""
        items = node.items() if isinstance(node, dict) else enumerate(node)
        key = (type(node), *((k, id(v) if isinstance(v, (dict, list)) else (type(v), v)) for k, v in items))
        return self._shared.setdefault(key, node)

    def _schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        nullable = schema.pop("nullable", False) is True
        if "$ref" in schema:  # 3.0 ignores what else stands beside a $ref
            only = {"$ref": schema["$ref"]}
            return {"anyOf": [only, {"type": "null"}]} if nullable else only
        for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and inclusive in schema:
                schema[exclusive] = schema.pop(inclusive)
        return self._or_null(schema) if nullable else schema

    def _or_null(self, schema: dict[str, Any]) -> dict[str, Any]:
        kind = schema.get("type")
        if any(word in schema for word in _APPLIED):
            about = {word: schema.pop(word) for word in _ABOUT if word in schema}
            return {"anyOf": [schema, {"type": "null"}], **about}
        if isinstance(kind, str):
            schema["type"] = [kind, "null"]
            if self.null_in_enums and isinstance(schema.get("enum"), list) and None not in schema["enum"]:
                schema["enum"] = [*schema["enum"], None]
        return schema

    def data(self, node: Any) -> Any:
        """A copy of what is no description but a value."""
        if isinstance(node, dict):
            return self._once({key: self.data(child) for key, child in node.items()})
        return self._once([self.data(item) for item in node]) if isinstance(node, list) else node
