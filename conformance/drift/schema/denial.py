"""Everything a schema does not admit, as a union of atoms: what `not` and the other branches of `oneOf` leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.drift.schema import applied, conjunction
from conformance.drift.schema.absorption import absorbed
from conformance.drift.schema.atoms import (
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
    type_of_atom,
)
from conformance.drift.schema.values import value_of

if TYPE_CHECKING:
    from conformance.drift.schema.space import Space

_TOO_MANY = 24


def deny(space: Space, description: Any, node: Any, literal: int) -> tuple[Atom, ...]:
    """The complement of the schema behind `literal`; unread (`rest`) where it has no short form."""
    if node is True or node == {}:
        return ()
    if node is False:
        return EVERY
    if not isinstance(node, dict) or description is None or not applied.APPLIED & node.keys():
        return _deny_union(space, space.read(literal), literal)
    if applied.UNEVALUATED & node.keys():
        return space.defer(EVERY, -literal)
    own = [word for word in node if word not in applied.APPLIED]
    part = space.part(description, node, *own)
    found = list(_deny_union(space, space.read(part), part))
    for _, alternatives in applied.applied(space, description, node):
        denied = _deny_terms(space, alternatives)
        if denied is None or len(found) + len(denied) > _TOO_MANY * 2:
            return space.defer(EVERY, -literal)
        found.extend(denied)
    return absorbed(tuple(found))


def _deny_terms(space: Space, terms: list[Term]) -> tuple[Atom, ...] | None:
    """What none of the terms admits; None where it is too wide."""
    result: tuple[Atom, ...] = EVERY
    for term in terms:
        others = tuple(atom for literal in term for atom in space.read(-literal)) if term else ()
        result = absorbed(tuple(_cross(space, result, others)) if result is not EVERY else others)
        if len(result) > _TOO_MANY:
            return None
    return result


def _deny_union(space: Space, atoms: tuple[Atom, ...], literal: int) -> tuple[Atom, ...]:
    if atoms == EVERY:
        return ()
    if len(atoms) > _TOO_MANY:
        return space.defer(EVERY, -literal)
    result: tuple[Atom, ...] = EVERY
    for atom in atoms:
        others = tuple(_other(space, atom, -literal))
        met = absorbed(tuple(_cross(space, result, others)))
        if len(met) > _TOO_MANY:
            return space.defer(EVERY, -literal)
        result = met
    return result


def _cross(space: Space, first: tuple[Atom, ...], second: tuple[Atom, ...]) -> Iterator[Atom]:
    for one in first:
        for two in second:
            met = conjunction.meet(space, one, two)
            if met is not None:
                yield met


def _other(space: Space, atom: Atom, literal: int) -> Iterator[Atom]:
    """The complement of one atom. `literal`, the denied schema, stands in where a constraint has no opposite."""
    if isinstance(atom, Single):
        yield from _other_values(atom)
        return
    yield from (one for one in EVERY if not isinstance(one, type(atom)))
    for unmet in atom.rest:
        yield from (one for one in space.read(-unmet) if type_of_atom(one) == type_of_atom(atom))
    unread = frozenset({literal})
    if isinstance(atom, Number):
        yield from _other_numbers(atom, unread)
    elif isinstance(atom, Text):
        yield from _other_texts(atom)
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
        elif kind == type_of_atom(one):
            yield replace(one, denied=denied)
        else:
            yield one


def _given_back(atom: Number | Text | Array | Object) -> Iterator[Atom]:
    """The values the atom itself denied."""
    yield from (Single(value_of(key), key) for key in atom.denied)


def _other_numbers(atom: Number, unread: Term) -> Iterator[Atom]:
    if atom.low:
        yield Number(high=(atom.low[0], not atom.low[1]))
    if atom.high:
        yield Number(low=(atom.high[0], not atom.high[1]))
    if atom.step or atom.tags:
        yield Number(low=atom.low, high=atom.high, rest=unread)
    yield from _given_back(atom)


def _other_texts(atom: Text) -> Iterator[Atom]:
    if atom.low:
        yield Text(high=atom.low - 1)
    if atom.high is not None:
        yield Text(low=atom.high + 1)
    for pattern, wanted in sorted(atom.patterns):
        yield Text(patterns=frozenset({(pattern, not wanted)}))
    for name, wanted in sorted(atom.tags):
        yield Text(tags=frozenset({(name, not wanted)}))
    yield from _given_back(atom)


def _other_arrays(space: Space, atom: Array, unread: Term) -> Iterator[Atom]:
    if atom.low:
        yield Array(high=atom.low - 1)
    if atom.high is not None:
        yield Array(low=atom.high + 1)
    yield from _given_back(atom)
    hard = atom.unique or any(rule.low != 1 or rule.high is not None for rule in atom.contains)
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
    yield from _given_back(atom)
    hard = bool(atom.names)
    for shape in atom.shapes:
        hard = hard or bool(shape.patterns) or shape.others != ANYTHING
        for name, term in sorted(shape.named.items()):
            if len(term) == 1:
                (literal,) = term
                only = frozenset({name})
                yield Object(shapes=(PropertyShape({name: frozenset({-literal})}),), required=only, forced=only)
            elif term:
                hard = True
    if hard:
        yield Object(rest=unread)
