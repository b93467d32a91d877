"""Follows `$dynamicRef` to where it leads from each place that gets there, and writes it as a plain `$ref`.

Source: JSON Schema 2020-12 core, 8.2.3.2: a dynamic reference leads to the anchor of its name in the outermost schema
resource passed through. Each schema is copied once for each set of anchors it is reached with.
"""

from __future__ import annotations

from typing import Any

from conformance.drift.schema.references import DATA, Description, walk

HOLDER = "x-dynamic"
_NAMES = ("$id", "$anchor", "$dynamicAnchor")

_Anchors = dict[str, Any]


def bound(root: dict[str, Any]) -> dict[str, Any]:
    """The description without dynamic references; itself where it has none. Raises UsageError as `resolve` does."""
    if not any(isinstance(node.get("$dynamicRef"), str) for _, node in walk(root)):
        return root
    return _Binder(root).whole()


class _Binder:
    def __init__(self, root: dict[str, Any]) -> None:
        self.root, self.description = root, Description(root)
        self._resource: dict[int, Any] = {}
        self._anchors: dict[int, _Anchors] = {}
        self._copies: dict[tuple[int, tuple[tuple[str, int], ...]], str] = {}
        self._held: dict[str, Any] = {}
        self._survey()

    def _survey(self) -> None:
        """Note the resource of each node, and each resource's dynamic anchors."""
        stack: list[tuple[Any, Any]] = [(self.root, self.root)]
        while stack:
            node, resource = stack.pop()
            if isinstance(node, dict):
                resource = node if isinstance(node.get("$id"), str) else resource
                self._resource[id(node)] = resource
                if isinstance(node.get("$dynamicAnchor"), str):
                    self._anchors.setdefault(id(resource), {}).setdefault(node["$dynamicAnchor"], node)
                stack.extend((child, resource) for child in node.values() if isinstance(child, (dict, list)))
            elif isinstance(node, list):
                stack.extend((child, resource) for child in node if isinstance(child, (dict, list)))

    def whole(self) -> dict[str, Any]:
        components = self.root.get("components")
        named = components.get("schemas") if isinstance(components, dict) else None
        copied: dict[str, Any] = self._copy(self.root, {}, kept=named)
        return {**copied, HOLDER: self._held}

    def _copy(self, node: Any, anchors: _Anchors, kept: Any = None) -> Any:
        if isinstance(node, list):
            return [self._copy(child, anchors, kept) for child in node]
        if not isinstance(node, dict):
            return node
        resource = self._resource.get(id(node))
        anchors = {**self._anchors.get(id(resource), {}), **anchors}
        if node is kept:
            return {name: {"$ref": self._led(schema, {})} for name, schema in node.items()}
        copied: dict[str, Any] = {}
        for key, child in node.items():
            if key in ("$ref", "$dynamicRef") and isinstance(child, str):
                copied.update(self._reference(key, child, anchors))
            elif key not in _NAMES:
                copied[key] = child if key in DATA else self._copy(child, anchors, kept)
        return copied

    def _reference(self, key: str, reference: str, anchors: _Anchors) -> dict[str, str]:
        target = self.description.resolve(reference)
        if id(target) not in self._resource:
            return {key: reference}
        name = target.get("$dynamicAnchor") if isinstance(target, dict) else None
        if key == "$dynamicRef" and name in anchors and reference.endswith(f"#{name}"):
            target = anchors[name]
        return {"$ref": self._led(target, anchors)}

    def _led(self, target: Any, anchors: _Anchors) -> str:
        """The pointer to the copy of the target as it is reached with these anchors."""
        key = (id(target), tuple(sorted((name, id(node)) for name, node in anchors.items())))
        if key not in self._copies:
            name = str(len(self._copies))
            self._copies[key] = f"#/{HOLDER}/{name}"
            self._held[name] = None
            self._held[name] = self._copy(target, anchors)
        return self._copies[key]
