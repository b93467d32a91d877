"""Reads YAML 1.2 or JSON text into plain values, within bounds, and finds the line of each node.

PyYAML's events are used without its constructors: those follow YAML 1.1 (`no` is false, a date is a date), say nothing
of two equal keys, and expand aliases without limit. Every refusal is a UsageError of one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from conformance.drift.schema.description import escape
from conformance.errors import UsageError

MOST_NODES = 3_000_000
"""Nodes after aliases are expanded; the largest public descriptions have a few hundred thousand."""

DEEPEST = 200
"""Levels of nesting."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MERGE = object()


def parse(text: str, name: str, twice: list[str] | None = None) -> Any:
    """The text's value. `name` is the file's, for the sentence of a refusal.

    A key that stands twice in one object is refused, or, where a list is given for them, noted there; the last counts.
    """
    repeated: list[str] = []
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        value = _json(text.lstrip("\ufeff"), name, repeated)
    else:
        value = _Builder(name, repeated).build(text)
    if repeated and twice is None:
        line = repetitions(text).get(repeated[0], 0)
        where = f" (line {line})" if line else ""
        raise UsageError(f"{name} has the key {repeated[0]!r} twice in one object{where}; keep one of them.")
    if twice is not None:
        twice += repeated
    return value


def _json(text: str, name: str, repeated: list[str]) -> Any:
    try:
        value = json.loads(
            text, object_pairs_hook=_pairs(repeated), parse_constant=_constant(name), parse_float=_float(name)
        )
    except RecursionError:
        raise UsageError(f"{name} nests deeper than {DEEPEST} levels; it is not read.") from None
    except json.JSONDecodeError:
        return _Builder(name, repeated).build(text)  # YAML may begin with a brace too
    except ValueError as error:
        raise UsageError(f"{name} holds a number that cannot be read: {_short(error)}.") from None
    _measure(value, name)
    return value


def _pairs(repeated: list[str]) -> Any:
    def take(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        taken = dict(pairs)
        if len(taken) < len(pairs):
            repeated.extend(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        return taken

    return take


def _constant(name: str) -> Any:
    def refuse(word: str) -> Any:
        raise UsageError(f"{name} holds {word}, which is not JSON.")

    return refuse


def _float(name: str) -> Any:
    def read(text: str) -> float:
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise UsageError(f"{name} holds the number {text[:40]}, which is too large to be read.")
        return number

    return read


def _measure(value: Any, name: str) -> None:
    level, depth, count = [value], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > DEEPEST:
            raise UsageError(f"{name} nests deeper than {DEEPEST} levels; it is not read.")
        if count > MOST_NODES:
            raise UsageError(f"{name} has more than {MOST_NODES:,} nodes; it is not read.")
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".")


class _Builder:
    """Builds values from YAML events; counts what aliases would expand to."""

    def __init__(self, name: str, repeated: list[str]) -> None:
        self.name, self.repeated = name, repeated
        self.anchors: dict[str, tuple[Any, int]] = {}

    def build(self, text: str) -> Any:
        try:
            return self._build(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or _short(error)
            raise UsageError(f"{self.name} is neither JSON nor YAML{where}: {problem}.") from None

    def _build(self, text: str) -> Any:
        # A frame is [container, pending key, size, anchor, keys that a merge brought].
        stack: list[list[Any]] = [[[], None, 0, None, set()]]
        event: Any
        for event in yaml.parse(text, Loader=_Loader):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                value = _scalar(event, self.name)
                if event.anchor:
                    self.anchors[event.anchor] = (value, 1)
                self._put(stack[-1], value, 1, event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                stack.append([{} if kind is yaml.MappingStartEvent else [], None, 1, event.anchor, set()])
                if len(stack) > DEEPEST:
                    raise UsageError(f"{self.name} nests deeper than {DEEPEST} levels; it is not read.")
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                container, _, size, anchor, _ = stack.pop()
                if anchor:
                    self.anchors[anchor] = (container, size)
                self._put(stack[-1], container, size, event)
            elif kind is yaml.AliasEvent:
                self._alias(stack[-1], event)
        documents = stack[0][0]
        if len(documents) != 1:
            raise UsageError(f"{self.name} holds {len(documents)} YAML documents where one is needed.")
        return documents[0]

    def _alias(self, frame: list[Any], event: Any) -> None:
        if event.anchor not in self.anchors:
            raise UsageError(f"{self.name} uses the alias {event.anchor!r} inside itself or before it is defined.")
        value, size = self.anchors[event.anchor]
        self._put(frame, value, size, event)

    def _put(self, frame: list[Any], value: Any, size: int, event: Any) -> None:
        container, key, _, _, merged = frame
        frame[2] += size
        if frame[2] > MOST_NODES:
            raise UsageError(
                f"{self.name} has more than {MOST_NODES:,} nodes once its aliases are expanded; it is not read."
            )
        if isinstance(container, list):
            container.append(value)
        elif key is None:
            frame[1] = self._key(value, event)
        else:
            self._member(container, merged, key, value, event)
            frame[1] = None

    def _key(self, value: Any, event: Any) -> Any:
        if isinstance(value, (dict, list)):
            raise UsageError(f"{self.name} uses a mapping or a list as a key at line {event.start_mark.line + 1}.")
        plain = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.tag is None
        text = event.value if isinstance(event, yaml.ScalarEvent) else str(value)
        return _MERGE if plain and text == "<<" else text

    def _member(self, container: dict[str, Any], merged: set[str], key: Any, value: Any, event: Any) -> None:
        """What is merged (`<<`) gives way to what the mapping says itself, wherever that stands (YAML's merge type)."""
        if key is _MERGE:
            for source in value if isinstance(value, list) else [value]:
                if not isinstance(source, dict):
                    raise UsageError(
                        f"{self.name} merges (`<<`) what is not a mapping at line {event.start_mark.line + 1}."
                    )
                merged.update(source.keys() - container.keys())
                for name, one in source.items():
                    container.setdefault(name, one)
            return
        if key in container and key not in merged:
            self.repeated.append(key)
        merged.discard(key)
        container[key] = value


def _scalar(event: Any, name: str) -> Any:
    text, tag = event.value, event.tag
    if tag == "tag:yaml.org,2002:str" or (tag is None and not event.implicit[0]):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > 1000:
            raise UsageError(f"{name} holds a number of {len(text)} digits; it is not read.")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise UsageError(f"{name} holds the number {text}, which is too large to be read.")
        return number
    return text


def lines(text: str) -> dict[str, int]:
    """The line (from 1) of each node's key or value, by JSON pointer. JSON is read as the YAML it nearly is."""
    found: dict[str, int] = {}
    for pointer, line, _ in _marks(text):
        found.setdefault(pointer, line)
    return found


def repetitions(text: str) -> dict[str, int]:
    """The line of each key's first repetition within one object."""
    seen: set[str] = set()
    found: dict[str, int] = {}
    for pointer, line, key in _marks(text):
        if key is not None and pointer in seen:
            found.setdefault(key, line)
        if key is not None:
            seen.add(pointer)
    return found


def _marks(text: str) -> Iterator[tuple[str, int, str | None]]:
    """Pointer, line and, where it is one, key of each node in the order they stand."""
    stack: list[list[Any]] = []  # [pointer, index or None, pending key or None]
    try:
        for event in yaml.parse(text.lstrip("\ufeff").replace("\t", " "), Loader=_Loader):
            if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                stack.pop()
                continue
            if not isinstance(event, yaml.NodeEvent):
                continue
            pointer, key = _place(stack, event)
            yield pointer, event.start_mark.line + 1 if event.start_mark else 0, key
            if key is None and isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                stack.append([pointer, 0 if isinstance(event, yaml.SequenceStartEvent) else None, None])
    except yaml.YAMLError:
        return


def _place(stack: list[list[Any]], event: Any) -> tuple[str, str | None]:
    """The pointer of the node that begins here; with the key where it is one."""
    if not stack:
        return "", None
    pointer, index, key = stack[-1]
    if index is not None:
        stack[-1][1] += 1
        return f"{pointer}/{index}", None
    if key is None and isinstance(event, yaml.ScalarEvent):
        stack[-1][2] = event.value
        return f"{pointer}/{escape(event.value)}", str(event.value)
    stack[-1][2] = None
    return f"{pointer}/{escape(str(key))}", None
