"""Which schemas say the same, wherever they stand: order, names of components and where a `$ref` leads are no matter.

Every schema of both descriptions gets a number, and two schemas get the same number exactly where no keyword that a
comparison heeds tells them apart, at any depth. Schemas that end are numbered from the leaves up; those that lead back
to themselves are told apart round by round until nothing more is (partition refinement: Moore, "Gedanken-experiments
on Sequential Machines", 1956).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from conformance.drift.schema.description import Description, selected, walk
from conformance.drift.schema.values import key_of

SILENT = frozenset(
    {"$ref", "description", "summary", "title", "$comment", "examples", "example", "externalDocs", "xml"}
)
"""Keywords beside a `$ref` that do not affect the comparison."""

_ONE = ("items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else")
_ONE_MORE = ("unevaluatedProperties", "unevaluatedItems", "$dynamicRef")
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_UNORDERED = ("allOf", "anyOf", "oneOf")
_VALUES = (
    "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties", "uniqueItems",
    "contentEncoding", "contentMediaType", "const", "default", "deprecated", "readOnly", "writeOnly",
)  # fmt: skip
_UNSAID = {"uniqueItems": False, "deprecated": False, "readOnly": False, "writeOnly": False}

HEARD = frozenset(
    (*_ONE, *_ONE_MORE, *_NAMED, *_UNORDERED, *_VALUES, "$ref", "prefixItems", "type", "enum", "required")
) | {"dependentRequired", "discriminator"}
"""Keywords that affect the comparison."""

_ANYTHING, _NOTHING = 0, 1


class Identity:
    """The numbers of the schemas of one or more descriptions."""

    def __init__(self, *descriptions: Description) -> None:
        self._places: dict[int, int] = {}
        self._nodes: list[Any] = [True, False]
        self._statics: list[int] = [0, 0]
        self._children: list[tuple[int, ...]] = [(), ()]
        self._groups: list[tuple[tuple[int, ...], ...]] = [(), ()]
        self._words: dict[Hashable, int] = {}
        self._known: dict[Hashable, int] = {}
        self._classes: list[int] = [_ANYTHING, _NOTHING]
        self._add(pair for one in descriptions for pair in _schemas(one))

    def of(self, description: Description, node: Any) -> int:
        """The schema's number."""
        place = self._place_of(description, node)
        if place is None:
            self._add([(description, node)])
            place = self._place_of(description, node)
            assert place is not None
        return self._classes[place]

    def _place_of(self, description: Description, node: Any) -> int | None:
        node = plain(description, node)
        if not isinstance(node, dict):
            return _NOTHING if node is False else _ANYTHING
        return self._places.get(id(node))

    def _add(self, schemas: Iterable[tuple[Description, Any]]) -> None:
        first = len(self._nodes)
        queue = [(description, plain(description, node)) for description, node in schemas]
        unread: list[tuple[int, Description]] = []
        for description, node in queue:
            self._enter(description, node, unread)
        while unread:
            place, description = unread.pop()
            self._read(place, description, unread)
        self._number(range(first, len(self._nodes)))

    def _enter(self, description: Description, node: Any, unread: list[tuple[int, Description]]) -> int:
        if not isinstance(node, dict):
            return _NOTHING if node is False else _ANYTHING
        place = self._places.get(id(node))
        if place is None:
            place = self._places[id(node)] = len(self._nodes)
            self._nodes.append(node)
            self._statics.append(0)
            self._children.append(())
            self._groups.append(())
            self._classes.append(-1)
            unread.append((place, description))
        return place

    def _read(self, place: int, description: Description, unread: list[tuple[int, Description]]) -> None:
        node = self._nodes[place]
        values: list[Hashable] = sorted(_said(node), key=str)
        children: list[int] = []
        for slot, child in _parts(description, node):
            values.append(slot)
            children.append(self._enter(description, plain(description, child), unread))
        groups = []
        for word in _UNORDERED:
            if isinstance(node.get(word), list):
                values.append(word)
                parts = (self._enter(description, plain(description, child), unread) for child in node[word])
                groups.append(tuple(parts))
        self._statics[place] = self._words.setdefault(tuple(values), len(self._words) + 1) if values else 0
        self._children[place], self._groups[place] = tuple(children), tuple(groups)

    def _number(self, places: range) -> None:
        waiting: dict[int, int] = {}
        users: dict[int, list[int]] = {}
        ready: list[int] = []
        for place in places:
            needed = {one for one in self._parts_of(place) if self._classes[one] < 0}
            waiting[place] = len(needed)
            for one in needed:
                users.setdefault(one, []).append(place)
            if not needed:
                ready.append(place)
        while ready:
            place = ready.pop()
            del waiting[place]
            self._classes[place] = self._class_of(self._signature(place))
            for user in users.get(place, ()):
                waiting[user] -= 1
                if not waiting[user]:
                    ready.append(user)
        self._refine(list(waiting))

    def _parts_of(self, place: int) -> Iterator[int]:
        yield from self._children[place]
        for group in self._groups[place]:
            yield from group

    def _signature(self, place: int) -> Hashable:
        classes = self._classes
        if not self._statics[place]:
            return None
        return (
            self._statics[place],
            tuple([classes[one] for one in self._children[place]]),
            tuple([tuple(sorted([classes[one] for one in group])) for group in self._groups[place]]),
        )

    def _class_of(self, signature: Hashable) -> int:
        return _ANYTHING if signature is None else self._known.setdefault(signature, len(self._known) + 2)

    def _refine(self, places: list[int]) -> None:
        """Number the schemas that lead back to themselves, or to one that does."""
        for place in places:
            self._classes[place] = -2
        count, before = 1, 0
        while count > before:
            signatures: dict[Hashable, int] = {}
            keys = [(self._classes[place], self._signature(place)) for place in places]
            numbers = [-2 - signatures.setdefault(key, len(signatures)) for key in keys]
            for place, number in zip(places, numbers, strict=True):
                self._classes[place] = number
            count, before = len(signatures), count
            if count == 1:
                break
        base = len(self._known) + 2
        for place in places:
            number = base + (-2 - self._classes[place])
            self._known.setdefault(("recursive", number), number)
        for place in places:
            self._classes[place] = base + (-2 - self._classes[place])


def plain(description: Description, node: Any) -> Any:
    """The schema that says the same: behind a lone `$ref`, or alone in an `allOf`, `anyOf` or `oneOf`."""
    seen: set[int] = set()
    while isinstance(node, dict) and id(node) not in seen:
        seen.add(id(node))
        words = node.keys() & HEARD
        if len(words) != 1:
            break
        (word,) = words
        if word == "$ref" and isinstance(node["$ref"], str):
            node = description.resolve(node["$ref"])
        elif word in _UNORDERED and isinstance(node[word], list) and len(node[word]) == 1:
            node = node[word][0]
        else:
            break
    return node


def _schemas(description: Description) -> Iterator[tuple[Description, Any]]:
    """The outermost schemas of the description."""
    for pointer, node in walk(description.root):
        for word in ("schema", "itemSchema"):
            if isinstance(node.get(word), dict):
                yield description, node[word]
        if pointer == "/components" and isinstance(node.get("schemas"), dict):
            yield from ((description, one) for one in node["schemas"].values())


def _said(node: dict[str, Any]) -> Iterator[tuple[str, Hashable]]:
    """What the keywords say that hold no schema."""
    for word in node.keys() & _VALUES_SET:
        if word not in _UNSAID or node[word] is not _UNSAID[word]:
            yield word, key_of(node[word])
    kinds = node.get("type")
    if kinds is not None:
        listed = frozenset([kinds] if isinstance(kinds, str) else kinds)
        yield "type", listed - {"integer"} if "number" in listed else listed
    if isinstance(node.get("enum"), list):
        yield "enum", frozenset(map(key_of, node["enum"]))
    if node.get("required"):
        yield "required", frozenset(node["required"])
    if node.get("dependentRequired"):
        yield "dependentRequired", frozenset((name, frozenset(v)) for name, v in node["dependentRequired"].items())


_VALUES_SET = frozenset(_VALUES)


def _parts(description: Description, node: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """The schemas inside whose place is told by a name, in one order."""
    if isinstance(node.get("$ref"), str):
        yield ("$ref", ""), description.resolve(node["$ref"])
    for word in _ONE:
        if word in node:
            yield (word, ""), node[word]
    for word in _ONE_MORE:
        if isinstance(node.get(word), str):
            yield (word, ""), description.resolve(node[word])
        elif word in node:
            yield (word, ""), node[word]
    for word in _NAMED:
        named = node.get(word)
        if isinstance(named, dict):
            for name in sorted(named):
                yield (word, name), named[name]
    for i, child in enumerate(node.get("prefixItems") or ()):
        yield ("prefixItems", str(i)), child
    yield from selected(description, node)
