"""Confirms a witness with an independent validator: the sender's schema must admit it, the receiver's must not.

The validator is jsonschema-rs over the description's own schemas, not over atoms: an error in how atoms are read cannot
confirm itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jsonschema_rs

from conformance.drift.schema import formats
from conformance.drift.schema.annotations import HIDDEN, is_hidden, own_schemas
from conformance.drift.schema.references import DATA, Description

_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_DROPPED = frozenset({"$id", "$anchor", "$dynamicAnchor", "$schema", "discriminator", "xml", "externalDocs"})


def _check(name: str) -> Callable[[str], bool]:
    return lambda text: formats.fits(name, text)


_CHECKS = {name: _check(name) for name in ("byte", "base64url")}


class Validators:
    """Validators of one side of the wire, made when asked for, over what the values at hand can reach."""

    def __init__(self, side: str) -> None:
        self.side = side
        self._names: frozenset[str] = frozenset()
        self._made: dict[int, tuple[Any, frozenset[str], jsonschema_rs.Draft202012Validator | None]] = {}

    def prepare(self, values: Iterable[Any]) -> None:
        """Forget the validators made so far, and make the next ones for values that hold the properties of these."""
        self._names = names_in(values)
        self._made.clear()

    def admits(self, description: Description, schema: Any, value: Any) -> bool | None:
        """Whether the schema admits the value; formats are asserted, the other side's properties left out.

        None where the validator cannot take the schema: a `pattern` that is none, or that is too large for it.
        """
        names = names_in([value])
        made = self._made.get(id(schema))
        if made is None or not names <= made[1]:
            names |= self._names if made is None else made[1]
            made = self._made[id(schema)] = (schema, names, self._make(description, schema, names))
        return None if made[2] is None else bool(made[2].is_valid(value))

    def _make(
        self, description: Description, schema: Any, names: frozenset[str]
    ) -> jsonschema_rs.Draft202012Validator | None:
        copier = Copier(description, self.side, names)
        try:
            return jsonschema_rs.Draft202012Validator(copier.whole(schema), validate_formats=True, formats=_CHECKS)
        except jsonschema_rs.ValidationError:
            return None


def names_in(values: Iterable[Any]) -> frozenset[str]:
    """The names of all properties anywhere in the values."""
    found: set[str] = set()
    left = list(values)
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found.update(one)
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return frozenset(found)


class Copier:
    """Copies schemas into ones that stand alone: references led into `$defs`, numeric formats written as bounds.

    With `names`, the copies judge values whose properties are all among them: they say nothing of any other property.
    """

    def __init__(self, description: Description, side: str, names: frozenset[str] | None = None) -> None:
        self.description, self.side, self.names = description, side, names
        self._definitions: dict[str, Any] = {}
        self._needs: dict[str, set[str]] = {"": set()}
        self._names: dict[tuple[int, frozenset[str]], str] = {}
        self._prefix = f"d{id(description)}-"
        self._within = ""
        self._hides = description.says(HIDDEN[side])

    def whole(self, schema: Any) -> dict[str, Any]:
        """The schema with every definition it needs, and no other."""
        self._needs[""] = set()
        root = self.copy(schema, frozenset())
        needed, queue = set[str](), [*self._needs[""]]
        while queue:
            name = queue.pop()
            if name not in needed:
                needed.add(name)
                queue.extend(self._needs[name])
        return {"allOf": [root], "$defs": {name: self._definitions[name] for name in sorted(needed)}}

    def copy(self, node: Any, hidden: frozenset[str]) -> Any:
        if not isinstance(node, dict):
            return node
        if self._hides:
            hidden = hidden | self._hidden(node)
        copied: dict[str, Any] = {}
        for key, child in node.items():
            if key in ("$ref", "$dynamicRef") and isinstance(child, str):
                copied["$ref"] = f"#/$defs/{self._definition(self.description.resolve(child), hidden)}"
            elif key not in _DROPPED:
                copied[key] = self._member(key, child, hidden)
        self._leave_out(copied, hidden)
        return self._with_format(copied)

    def _hidden(self, node: dict[str, Any]) -> frozenset[str]:
        return frozenset(
            name
            for own in own_schemas(self.description, node)
            for name, schema in (own.get("properties") or {}).items()
            if is_hidden(self.description, schema, self.side)
        )

    def _definition(self, target: Any, hidden: frozenset[str]) -> str:
        key = (id(target), hidden)
        if key not in self._names:
            self._names[key] = name = f"{self._prefix}{len(self._names)}"
            outer, self._within = self._within, name
            self._needs[name] = set()
            self._definitions[name] = self.copy(target, hidden)
            self._within = outer
        self._needs[self._within].add(self._names[key])
        return self._names[key]

    def _member(self, key: str, child: Any, hidden: frozenset[str]) -> Any:
        if key in DATA:
            return child
        if key in _MAPS and isinstance(child, dict):
            kept = child if self.names is None or key != "properties" else child.keys() & self.names
            return {name: self.copy(child[name], frozenset()) for name in child if name in kept}
        if isinstance(child, list):
            same_value = key in ("allOf", "anyOf", "oneOf")
            return [self.copy(item, hidden if same_value else frozenset()) for item in child]
        return self.copy(child, frozenset()) if isinstance(child, dict) else child

    def _leave_out(self, copied: dict[str, Any], hidden: frozenset[str]) -> None:
        if not hidden:
            return
        if isinstance(copied.get("properties"), dict):
            copied["properties"] = {name: s for name, s in copied["properties"].items() if name not in hidden}
        if isinstance(copied.get("required"), list):
            copied["required"] = [name for name in copied["required"] if name not in hidden]

    def _with_format(self, copied: dict[str, Any]) -> dict[str, Any]:
        parts = []
        if isinstance(copied.get("format"), str) and copied["format"] in formats.RANGES:
            low, high, step = formats.RANGES[copied.pop("format")]
            bounds = {"minimum": int(low), "maximum": int(high), **({"multipleOf": 1} if step else {})}
            parts.append({"if": {"type": "number"}, "then": bounds})
        if copied.get("contentEncoding") in ("base64", "base64url"):
            name = "byte" if copied["contentEncoding"] == "base64" else "base64url"
            parts.append({"if": {"type": "string"}, "then": {"format": name}})
        return {**copied, "allOf": [*copied.get("allOf", ()), *parts]} if parts else copied
