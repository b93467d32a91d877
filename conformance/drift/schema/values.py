"""JSON values as hashable keys: two values that JSON Schema calls equal (1 and 1.0) have one key."""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from functools import lru_cache
from typing import Any, cast

Key = Hashable

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT", "__bool__": lambda self: False})()
"""Stands where there is no value; JSON's null is a value."""

TYPES = ("null", "boolean", "number", "string", "array", "object")


@lru_cache(maxsize=8192, typed=True)
def exact(number: float | Fraction) -> Fraction:
    """The number as written in JSON: 0.1 is a tenth, not the binary float nearest to it."""
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def plain(number: Fraction) -> int | float:
    """The number as JSON carries it: an int where it is whole, else a float."""
    return number.numerator if number.denominator == 1 else float(number)


def is_number(value: Any) -> bool:
    """Whether it is a JSON number; Python's bool is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def type_of(value: Any) -> str:
    """The JSON type's name: one of TYPES."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def key_of(value: Any) -> Key:
    """A hashable key; keys are equal exactly where JSON Schema's `const` calls the values equal."""
    kind = type_of(value)
    if kind == "string":
        return kind, value
    if kind == "number":
        return kind, exact(value)
    if kind == "array":
        return kind, tuple(key_of(item) for item in value)
    if kind == "object":
        return kind, frozenset((name, key_of(item)) for name, item in value.items())
    return kind, value


def depth_of(value: Any) -> int:
    """Levels of nesting; 0 for a value that holds no other."""
    depth, level = -1, [value]
    while level:
        depth += 1
        level = [
            child
            for one in level
            if isinstance(one, (dict, list))
            for child in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def value_of(key: Key) -> Any:
    """A value of this key."""
    kind, held = cast("tuple[str, Any]", key)
    if kind == "number":
        return plain(held)
    if kind == "array":
        return [value_of(item) for item in held]
    if kind == "object":
        return {name: value_of(item) for name, item in held}
    return held
