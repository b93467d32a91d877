"""Whether several atoms together hold all of one: cut into cases, each of which a single one holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from conformance.drift.schema import conjunction, membership, strings
from conformance.drift.schema.atoms import (
    NOTHING,
    Array,
    Atom,
    Number,
    Object,
    PropertyShape,
    Single,
    Term,
    Text,
    type_of_atom,
)
from conformance.drift.schema.containment import Candidates
from conformance.drift.schema.values import ABSENT, exact, key_of, plain, value_of

if TYPE_CHECKING:
    from conformance.drift.schema.inclusion import Inclusion

_FEW = 64
"""Integers of a range that are looked at one by one, and cases that are looked at at all."""


def covered(
    inclusion: Inclusion, atom: Atom, others: list[Atom], goal: Term, splits: int, candidates: Candidates
) -> bool:
    """Whether the atom, cut into cases, is covered by several of the others together."""
    if isinstance(atom, Text):
        texts = [o for o in others if isinstance(o, Text) and inclusion.rest_implied(atom, o)]
        listed = [o.value for o in others if isinstance(o, Single)]
        if len(texts) + len(listed) < 2 - (not texts):
            return False
        proven, found = strings.difference(atom, texts, listed)
        candidates.extend(found)
        return proven
    if not splits:
        return False
    cases = list(_cases(inclusion, atom, others))
    if len(cases) > _FEW or (len(cases) < 2 and not all(isinstance(case, Single) for case in cases)) or not cases:
        return False
    for case in cases:
        answer = inclusion.covered(case, goal, splits - 1)
        if not answer.included:
            if answer.witness is not ABSENT:
                candidates.insert(0, answer.witness)
            return False
    return True


def _cases(inclusion: Inclusion, atom: Atom, others: list[Atom]) -> Iterator[Atom]:
    if isinstance(atom, Number):
        yield from _number_cases(atom, others)
    elif isinstance(atom, (Array, Object)) and atom.high == 0:
        empty: list[Any] | dict[str, Any] = [] if isinstance(atom, Array) else {}
        yield Single(empty, key_of(empty))
    elif isinstance(atom, Object) and len(others) > 1:
        yield from _object_cases(inclusion, atom, [one for one in others if isinstance(one, Object)])


def _object_cases(inclusion: Inclusion, atom: Object, others: list[Object]) -> Iterator[Atom]:
    """By a property the others disagree on: absent, or one case for each atom of its value."""
    for name in sorted({name for one in others for name in one.required | one.declared}):
        terms = {membership.property_term(inclusion.space, one, name) for one in others}
        if len(terms) < 2 and all((name in one.required) == (name in others[0].required) for one in others):
            continue
        present = replace(atom, required=atom.required | {name})
        values = [
            case
            for value in inclusion.space.expand(membership.property_term(inclusion.space, atom, name))
            for case in _cut(inclusion, value, terms)
        ]
        if name not in atom.required:
            yield replace(atom, shapes=(*atom.shapes, PropertyShape({name: NOTHING})))
        elif len(values) < 2:
            continue
        for value in values:
            shape = PropertyShape({name: inclusion.space.of_atom(value)})
            yield replace(present, shapes=(*atom.shapes, shape))
        return


def _cut(inclusion: Inclusion, value: Atom, terms: set[Term]) -> list[Atom]:
    """The value's atom, numbers cut where the terms tell them apart."""
    if not isinstance(value, Number):
        return [value]
    others = [one for term in terms for one in inclusion.space.expand(term) if type_of_atom(one) == "number"]
    return list(_number_cases(value, others)) or [value]


def numbers_within(atom: Number, other: Number) -> bool:
    low = conjunction.higher(atom.low, other.low) == atom.low
    high = conjunction.lower(atom.high, other.high) == atom.high
    step = not other.step or (bool(atom.step) and atom.step % other.step == 0)
    denied = all(key in atom.denied or not membership.in_range(atom, value_of(key)) for key in other.denied)
    return low and high and step and denied and other.tags <= atom.tags


def _number_cases(atom: Number, others: list[Atom]) -> Iterator[Atom]:
    if atom.step and atom.low and atom.high and (atom.high[0] - atom.low[0]) / atom.step < _FEW:
        value = atom.low[0]
        while value <= atom.high[0]:
            if key_of(number := plain(value)) not in atom.denied:
                yield Single(number, key_of(number))
            value += atom.step
        return
    cuts = {bound for one in others if isinstance(one, Number) for bound in _cuts(one)}
    cuts |= {
        cut
        for one in others
        if isinstance(one, Single)
        for cut in ((exact(one.value), True), (exact(one.value), False))
    }
    low = atom.low
    for value, before in sorted(cuts, key=lambda cut: (cut[0], not cut[1])):
        piece = conjunction.settle(replace(atom, low=low, high=conjunction.lower(atom.high, (value, before))))
        if piece is not None:
            yield piece
        low = conjunction.higher(atom.low, (value, not before))
    last = conjunction.settle(replace(atom, low=low))
    if last is not None:
        yield last


def _cuts(atom: Number) -> Iterator[tuple[Fraction, bool]]:
    """Where the line is cut: the value, and whether it belongs to what comes after."""
    if atom.low:
        yield atom.low[0], not atom.low[1]
    if atom.high:
        yield atom.high[0], atom.high[1]
