"""One description whose references all point into itself: what `$ref` leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from conformance.errors import UsageError

DATA = frozenset({"example", "examples", "default", "enum", "const", "value"})
"""Members that hold data, in which `$ref` is a name like any other."""

NAMED = frozenset(
    {
        "properties",
        "patternProperties",
        "$defs",
        "definitions",
        "dependentSchemas",
        "schemas",
        "parameters",
        "responses",
    }
    | {"requestBodies", "headers", "securitySchemes", "links", "callbacks", "pathItems", "paths", "webhooks", "content"}
    | {"encoding", "mapping", "variables", "scopes", "dependentRequired"}
)
"""Members whose own members are named by the description's author, not by OpenAPI."""


def walk(node: Any, pointer: str = "", named: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the description with its JSON pointer, data left out; no recursion, so depth does not matter."""
    stack = [(node, pointer, named)]
    while stack:
        node, pointer, named = stack.pop()
        if isinstance(node, dict):
            if not named:
                yield pointer, node
            stack.extend(
                (child, f"{pointer}/{escape(key)}", not named and key in NAMED)
                for key, child in node.items()
                if (named or key not in DATA) and isinstance(child, (dict, list))
            )
        elif isinstance(node, list):
            stack.extend(
                (child, f"{pointer}/{i}", False) for i, child in enumerate(node) if isinstance(child, (dict, list))
            )


def escape(key: str) -> str:
    """The key as a token of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


class Description:
    """An OpenAPI document as read, and what its references lead to. `root` must not be changed afterwards."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self._found: dict[str, Any] = {}
        self._anchors: dict[str, Any] | None = None
        self._said: dict[str, bool] = {}

    def says(self, word: str) -> bool:
        """Whether any object of the description says yes to this word (`readOnly`)."""
        if word not in self._said:
            self._said[word] = any(node.get(word) is True for _, node in walk(self.root))
        return self._said[word]

    def resolve(self, reference: str) -> Any:
        """The node a `$ref` names. Raises UsageError where there is none."""
        if reference not in self._found:
            self._found[reference] = self._look_up(reference)
        return self._found[reference]

    def follow(self, node: Any) -> Any:
        """The node itself, or what its chain of `$ref`s ends in. Raises UsageError for a chain that never ends."""
        seen = set()
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            if node["$ref"] in seen:
                raise UsageError(f"The reference {node['$ref']!r} leads back to itself.")
            seen.add(node["$ref"])
            node = self.resolve(node["$ref"])
        return node

    def _look_up(self, reference: str) -> Any:
        resource, _, fragment = reference.partition("#")
        node = self._named(resource, reference) if resource else self.root
        if not fragment:
            return node
        if not fragment.startswith("/"):
            return self._named(f"#{fragment}", reference)
        for token in unquote(fragment)[1:].split("/"):
            node = _step(node, token.replace("~1", "/").replace("~0", "~"), reference)
        return node

    def _named(self, name: str, reference: str) -> Any:
        if self._anchors is None:
            self._anchors = {}
            for _, node in walk(self.root):
                names = [f"#{node[word]}" for word in ("$anchor", "$dynamicAnchor") if isinstance(node.get(word), str)]
                names += [node["$id"]] if isinstance(node.get("$id"), str) else []
                self._anchors.update(dict.fromkeys(names, node))
        if name not in self._anchors:
            raise UsageError(
                f"The reference {reference!r} leads nowhere in the description: correct it, or add its target."
            )
        return self._anchors[name]


def _step(node: Any, token: str, reference: str) -> Any:
    if isinstance(node, dict) and token in node:
        return node[token]
    if isinstance(node, list) and token.isdigit() and int(token) < len(node):
        return node[int(token)]
    raise UsageError(f"The reference {reference!r} leads nowhere in the description: correct it, or add its target.")
