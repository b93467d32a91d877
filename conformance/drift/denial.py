"""Everything a schema does not admit, as a union of atoms: what `not` and the other branches of `oneOf` leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.drift.atoms import (
    ANYTHING,
    EVERY,
    NOTHING,
    Array,
    Atom,
    Contains,
    ItemShape,
    Number,
    Object,
    PropertyShape,
    Single,
    Term,
    Text,
)
from conformance.drift.values import key_of

if TYPE_CHECKING:
    from conformance.drift.space import Space

_TOO_MANY = 24


def deny(space: Space, description: Any, node: Any, literal: int) -> tuple[Atom, ...]:
    """The complement of the schema behind `literal`; unread (`rest`) where it has no short form."""
    if node is True or node == {}:
        return ()
    atoms = space.read(literal)
    if len(atoms) > _TOO_MANY:
        return space.defer(EVERY, -literal)
    result: tuple[Atom, ...] = EVERY
    for atom in atoms:
        others = tuple(_other(space, atom, -literal))
        met = tuple(_cross(space, result, others))
        if len(met) > _TOO_MANY:
            return space.defer(EVERY, -literal)
        result = met
    return result


def _cross(space: Space, first: tuple[Atom, ...], second: tuple[Atom, ...]) -> Iterator[Atom]:
    from conformance.drift.conjunction import meet

    for one in first:
        for two in second:
            met = meet(space, one, two)
            if met is not None:
                yield met


def _other(space: Space, atom: Atom, literal: int) -> Iterator[Atom]:
    """The complement of one atom. `literal`, the denied schema, stands in where a constraint has no opposite."""
    if isinstance(atom, Single):
        yield from _other_values(atom)
        return
    yield from (one for one in EVERY if not isinstance(one, type(atom)))
    unread = frozenset({literal})
    if isinstance(atom, Number):
        yield from _other_numbers(atom, unread)
    elif isinstance(atom, Text):
        yield from _other_texts(atom, unread)
    elif isinstance(atom, Array):
        yield from _other_arrays(space, atom, unread)
    else:
        yield from _other_objects(space, atom, unread)


def _other_values(atom: Single) -> Iterator[Atom]:
    kind = atom.key[0]  # type: ignore[index]
    denied = frozenset({atom.key})
    for one in EVERY:
        if isinstance(one, Single):
            if one.key != atom.key:
                yield one
        elif kind == {Number: "number", Text: "string", Array: "array", Object: "object"}[type(one)]:
            yield replace(one, denied=denied)
        else:
            yield one


def _given_back(atom: Atom) -> Iterator[Atom]:
    """The values the atom itself denied."""
    for key in getattr(atom, "denied", ()):
        if key[0] in ("string", "number"):
            value = key[1] if key[0] == "string" else (int(key[1]) if key[1].denominator == 1 else float(key[1]))
            yield Single(value, key_of(value))


def _other_numbers(atom: Number, unread: Term) -> Iterator[Atom]:
    if atom.low:
        yield Number(high=(atom.low[0], not atom.low[1]))
    if atom.high:
        yield Number(low=(atom.high[0], not atom.high[1]))
    if atom.step or atom.tags or atom.rest:
        yield Number(low=atom.low, high=atom.high, rest=unread)
    yield from _given_back(atom)


def _other_texts(atom: Text, unread: Term) -> Iterator[Atom]:
    if atom.low:
        yield Text(high=atom.low - 1)
    if atom.high is not None:
        yield Text(low=atom.high + 1)
    for pattern, wanted in sorted(atom.patterns):
        yield Text(patterns=frozenset({(pattern, not wanted)}))
    for name, wanted in sorted(atom.tags):
        yield Text(tags=frozenset({(name, not wanted)}))
    if atom.rest:
        yield Text(rest=unread)
    yield from _given_back(atom)


def _other_arrays(space: Space, atom: Array, unread: Term) -> Iterator[Atom]:
    if atom.low:
        yield Array(high=atom.low - 1)
    if atom.high is not None:
        yield Array(low=atom.high + 1)
    hard = atom.unique or atom.rest or atom.denied or any(rule.low != 1 or rule.high is not None for rule in atom.contains)
    for rule in atom.contains:
        if rule.low == 1 and rule.high is None and len(rule.term) == 1:
            (literal,) = rule.term
            yield Array(shapes=(ItemShape((), frozenset({-literal})),))
        else:
            hard = True
    for shape in atom.shapes:
        if shape.prefix or len(shape.others) != 1:
            hard = True
        else:
            (literal,) = shape.others
            yield Array(contains=frozenset({Contains(frozenset({-literal}))}), low=1)
    if hard:
        yield Array(rest=unread)


def _other_objects(space: Space, atom: Object, unread: Term) -> Iterator[Atom]:
    for name in sorted(atom.required):
        yield Object(shapes=(PropertyShape({name: NOTHING}),))
    if atom.low:
        yield Object(high=atom.low - 1)
    if atom.high is not None:
        yield Object(low=atom.high + 1)
    hard = bool(atom.names or atom.rest or atom.denied)
    for shape in atom.shapes:
        hard = hard or bool(shape.patterns) or shape.others != ANYTHING
        for name, term in sorted(shape.named.items()):
            if len(term) == 1:
                (literal,) = term
                yield Object(shapes=(PropertyShape({name: frozenset({-literal})}),), required=frozenset({name}))
            elif term:
                hard = True
    if hard:
        yield Object(rest=unread)
