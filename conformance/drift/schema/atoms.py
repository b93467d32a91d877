"""Atoms: what a schema admits of one JSON type, as one conjunction of constraints.

A schema is read as a union of atoms. The schemas inside an atom (of properties, of items) stay unread `Term`s, so
that a schema that refers to itself has a finite form.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from conformance.drift.schema.values import Key

Term = frozenset[int]
"""A conjunction of schemas by their numbers in a `Space`; a negative number denies the schema. Empty: anything."""

ANYTHING: Term = frozenset()
NOTHING: Term = frozenset({-1})
"""Number 1 is the schema `true`."""

Bound = tuple[Fraction, bool]
"""A limit and whether the limit itself is excluded."""

Tagged = frozenset[tuple[str, bool]]
"""Patterns or formats, each with whether it must (True) or must not (False) hold."""

NONE_DENIED: frozenset[Key] = frozenset()
NO_TAGS: Tagged = frozenset()


@dataclass(frozen=True, eq=False, slots=True)
class Single:
    """Exactly one value."""

    value: Any
    key: Key
    rest: Term = ANYTHING


@dataclass(frozen=True, eq=False, slots=True)
class Number:
    """Numbers between two bounds that are multiples of `step` (0: of anything; 1: integers)."""

    low: Bound | None = None
    high: Bound | None = None
    step: Fraction = Fraction(0)
    tags: Tagged = NO_TAGS
    denied: frozenset[Key] = NONE_DENIED
    rest: Term = ANYTHING
    formats: frozenset[str] = frozenset()
    """Names of the formats that gave bounds (int32); they say nothing more and only name a difference."""
    stated: Number | None = None
    """The numbers without what the formats gave; None where there are none."""


@dataclass(frozen=True, eq=False, slots=True)
class Text:
    """Strings by length in code points, patterns and formats."""

    low: int = 0
    high: int | None = None
    patterns: Tagged = NO_TAGS
    tags: Tagged = NO_TAGS
    denied: frozenset[Key] = NONE_DENIED
    rest: Term = ANYTHING


@dataclass(frozen=True, eq=False, slots=True)
class ItemShape:
    """`prefixItems` and `items` of one schema."""

    prefix: tuple[Term, ...] = ()
    others: Term = ANYTHING

    def at(self, index: int) -> Term:
        """The schema of the item at this index."""
        return self.prefix[index] if index < len(self.prefix) else self.others


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains` with its counts."""

    term: Term
    low: int = 1
    high: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Array:
    """Arrays: every shape binds each item."""

    shapes: tuple[ItemShape, ...] = ()
    low: int = 0
    high: int | None = None
    unique: bool = False
    contains: frozenset[Contains] = frozenset()
    denied: frozenset[Key] = NONE_DENIED
    rest: Term = ANYTHING


@dataclass(frozen=True, eq=False, slots=True)
class PropertyShape:
    """`properties`, `patternProperties` and `additionalProperties` (`others`) of one schema.

    `says_others` holds where the schema states `additionalProperties` at all, be it `true`.
    """

    named: dict[str, Term] = field(default_factory=dict)
    patterns: tuple[tuple[str, Term], ...] = ()
    others: Term = ANYTHING
    says_others: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Object:
    """Objects: every shape binds each property. `declared` are the names the description speaks of."""

    shapes: tuple[PropertyShape, ...] = ()
    required: frozenset[str] = frozenset()
    low: int = 0
    high: int | None = None
    names: Term = ANYTHING
    declared: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    """Declared, but not on this side of the wire (`readOnly`, `writeOnly`)."""
    forced: frozenset[str] = frozenset()
    """Required only because a denied schema says something of them: no sender means to send them for that."""
    denied: frozenset[Key] = NONE_DENIED
    rest: Term = ANYTHING


Atom = Single | Number | Text | Array | Object

EVERY: tuple[Atom, ...] = (
    Single(None, ("null", None)),
    Single(True, ("boolean", True)),
    Single(False, ("boolean", False)),
    Number(),
    Text(),
    Array(),
    Object(),
)
"""The atoms of the schema `true`."""


def type_of_atom(atom: Atom) -> str:
    """The JSON type of the atom's values."""
    if isinstance(atom, Single):
        kind = atom.key[0]  # type: ignore[index]
        return str(kind)
    return {Number: "number", Text: "string", Array: "array", Object: "object"}[type(atom)]


def written(atom: Atom) -> Hashable:
    """What the atom says, `rest` aside, as a key: atoms that say the same in the same words have the same."""
    if isinstance(atom, Single):
        return atom.key
    if isinstance(atom, Array):
        shapes = frozenset((shape.prefix, shape.others) for shape in atom.shapes)
        return "array", shapes, atom.low, atom.high, atom.unique, atom.contains, atom.denied
    if isinstance(atom, Object):
        spoken = frozenset(
            (frozenset(shape.named.items()), shape.patterns, shape.others, shape.says_others) for shape in atom.shapes
        )
        limits = atom.low, atom.high, atom.names, atom.denied
        return "object", spoken, atom.required, atom.declared, atom.hidden, *limits
    if isinstance(atom, Number):
        return "number", atom.low, atom.high, atom.step, atom.tags, atom.denied, atom.formats
    return "string", atom.low, atom.high, atom.patterns, atom.tags, atom.denied
