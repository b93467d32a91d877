"""The conjunction of two atoms, None where it certainly holds nothing."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from conformance.drift.schema import formats, membership
from conformance.drift.schema.atoms import Array, Atom, Bound, Number, Object, Single, Text, type_of_atom

if TYPE_CHECKING:
    from conformance.drift.schema.space import Space


def size(first: tuple[Atom, ...], second: tuple[Atom, ...]) -> int:
    """How many conjunctions of the two unions could hold anything."""
    if len(first) * len(second) < 64:
        return 0
    left = Counter(type_of_atom(atom) for atom in first if not isinstance(atom, Single))
    right = Counter(type_of_atom(atom) for atom in second if not isinstance(atom, Single))
    return sum(count * right[kind] for kind, count in left.items())


def meet(space: Space, first: Atom, second: Atom) -> Atom | None:
    """Everything both atoms hold."""
    if isinstance(first, Single):
        return first if membership.holds(space, first.value, second) else None
    if isinstance(second, Single):
        return second if membership.holds(space, second.value, first) else None
    if isinstance(first, Number) and isinstance(second, Number):
        return meet_numbers(first, second)
    if isinstance(first, Text) and isinstance(second, Text):
        return _texts(first, second)
    if isinstance(first, Array) and isinstance(second, Array):
        return _arrays(first, second)
    if isinstance(first, Object) and isinstance(second, Object):
        return _objects(space, first, second)
    return None


def higher(first: Bound | None, second: Bound | None) -> Bound | None:
    """The stricter of two lower bounds."""
    return max((b for b in (first, second) if b is not None), default=None)


def lower(first: Bound | None, second: Bound | None) -> Bound | None:
    """The stricter of two upper bounds."""
    return min((b for b in (first, second) if b is not None), key=lambda b: (b[0], not b[1]), default=None)


def _least(first: int | None, second: int | None) -> int | None:
    return min((n for n in (first, second) if n is not None), default=None)


def _common_step(first: Fraction, second: Fraction) -> Fraction:
    if not first or not second:
        return first or second
    return Fraction(math.lcm(first.numerator, second.numerator), math.gcd(first.denominator, second.denominator))


def meet_numbers(first: Number, second: Number) -> Number | None:
    return settle(
        Number(
            low=higher(first.low, second.low),
            high=lower(first.high, second.high),
            step=_common_step(first.step, second.step),
            tags=first.tags | second.tags,
            denied=first.denied | second.denied,
            rest=first.rest | second.rest,
            formats=first.formats | second.formats,
            stated=_stated(first, second),
        )
    )


def _stated(first: Number, second: Number) -> Number | None:
    if first.stated is None and second.stated is None:
        return None
    return meet_numbers(first.stated or first, second.stated or second)


def of_formats(atom: Number, names: frozenset[str]) -> Number | None:
    """The numbers of the atom that are of these formats too, which give bounds; the atom has none itself."""
    made: Number | None = atom
    for name in sorted(names):
        low, high, step = formats.RANGES[name]
        given = Number((low, False), (high, False), step, formats=frozenset({name}), stated=Number())
        made = meet_numbers(made, given) if made is not None else None
    return made


def settle(atom: Number) -> Number | None:
    """Bounds moved to the nearest multiples of the step: `exclusiveMinimum: 0` of integers is `minimum: 1`."""
    low, high, step = atom.low, atom.high, atom.step
    if step:
        if low:
            multiple = math.ceil(low[0] / step) * step
            low = (multiple + step if low[1] and multiple == low[0] else multiple, False)
        if high:
            multiple = math.floor(high[0] / step) * step
            high = (multiple - step if high[1] and multiple == high[0] else multiple, False)
    if low and high and (low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))):
        return None
    return replace(atom, low=low, high=high) if (low, high) != (atom.low, atom.high) else atom


def _texts(first: Text, second: Text) -> Text | None:
    low, high = max(first.low, second.low), _least(first.high, second.high)
    patterns, tags = first.patterns | second.patterns, first.tags | second.tags
    contradictory = any((name, not wanted) in both for both in (patterns, tags) for name, wanted in both)
    if contradictory or (high is not None and low > high):
        return None
    return Text(low, high, patterns, tags, first.denied | second.denied, first.rest | second.rest)


def _arrays(first: Array, second: Array) -> Array | None:
    low, high = max(first.low, second.low), _least(first.high, second.high)
    if high is not None and low > high:
        return None
    return Array(
        shapes=tuple(dict.fromkeys((*first.shapes, *second.shapes))),
        low=low,
        high=high,
        unique=first.unique or second.unique,
        contains=first.contains | second.contains,
        denied=first.denied | second.denied,
        rest=first.rest | second.rest,
    )


def _objects(space: Space, first: Object, second: Object) -> Object | None:
    low, high = max(first.low, second.low), _least(first.high, second.high)
    hidden = first.hidden | second.hidden
    required = (first.required | second.required) - hidden
    if high is not None and max(low, len(required)) > high:
        return None
    both = Object(
        shapes=tuple(dict.fromkeys((*first.shapes, *second.shapes))),
        required=required,
        low=low,
        high=high,
        names=first.names | second.names,
        declared=(first.declared | second.declared) - hidden,
        hidden=hidden,
        forced=(first.forced | second.forced) - (first.required - first.forced) - (second.required - second.forced),
        denied=first.denied | second.denied,
        rest=first.rest | second.rest,
    )
    return None if space.vacant_atom(both) else both
