"""One description whose references all point into itself: what `$ref` and `$dynamicRef` lead to.

Here too: what a schema says beside its values (its default, who may send it), and what a `discriminator` selects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from conformance.drift.schema.values import ABSENT
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


HIDDEN = {"request": "readOnly", "response": "writeOnly"}


def own_schemas(description: Description, schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and those that describe the same value without a choice: its `$ref` and `allOf`, nearest first.

    A choice whose other side is null is none: `anyOf: [X, {type: null}]` describes X as well.
    """
    seen: set[int] = set()
    queue = [schema]
    while queue:
        node = queue.pop(0)
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node.get("$ref"), str):
            queue.append(description.resolve(node["$ref"]))
        queue.extend(node.get("allOf", ()))
        for word in ("anyOf", "oneOf"):
            branches = [branch for branch in node.get(word, ()) if branch != {"type": "null"}]
            if len(branches) == 1:
                queue.append(branches[0])


def is_hidden(description: Description, schema: Any, side: str) -> bool:
    """Whether this side of the wire leaves the property out: `readOnly` in requests, `writeOnly` in responses."""
    word = HIDDEN.get(side)
    return (
        word is not None
        and description.says(word)
        and any(node.get(word) is True for node in own_schemas(description, schema))
    )


def annotation(description: Description, schema: Any, word: str) -> Any:
    """The nearest value of an annotation (`default`, `deprecated`, `discriminator`), ABSENT where there is none."""
    return next((node[word] for node in own_schemas(description, schema) if word in node), ABSENT)


@dataclass(frozen=True)
class Discriminator:
    """`selects` leads from a value to the schema it selects, or to the text of a reference to elsewhere.

    `stated` says whether any of it was written out.
    """

    name: str
    selects: dict[str, Any]
    stated: bool
    description: Description


def discriminator_of(schema: dict[str, Any], description: Description) -> Discriminator:
    """What the schema's own `discriminator` says, the names of its references included."""
    stated = schema["discriminator"].get("mapping")
    stated = stated if isinstance(stated, dict) else {}
    selects: dict[str, Any] = {}
    for value, target in stated.items():
        found = _led_to(description, target)
        if found is not None:
            selects[str(value)] = found
    mapped = {id(target) for target in selects.values()}
    for branch in [*schema.get("oneOf", ()), *schema.get("anyOf", ())]:
        reference = branch.get("$ref", "") if isinstance(branch, dict) else ""
        if reference and id(description.resolve(reference)) not in mapped:
            selects.setdefault(reference.rpartition("/")[2], description.resolve(reference))
    return Discriminator(str(schema["discriminator"].get("propertyName")), selects, bool(stated), description)


def _led_to(description: Description, target: Any) -> Any:
    """The schema a mapping's value leads to, its text where it stands elsewhere, None where it leads nowhere."""
    if not isinstance(target, str):
        return None
    named = "#" not in target and "/" not in target
    try:
        return description.resolve(f"#/components/schemas/{target}" if named else target)
    except UsageError:
        return None if named or target.startswith("#") else target


def selected(description: Description, schema: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """What the schema's own `discriminator` says: the property, and the schema of each value where any is stated."""
    if isinstance(schema.get("discriminator"), dict):
        one = discriminator_of(schema, description)
        yield ("discriminator", one.name), True
        for value in sorted(one.selects) if one.stated else ():
            target = one.selects[value]
            yield ("mapping", f"{value} {target if isinstance(target, str) else ''}"), isinstance(target, str) or target


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
