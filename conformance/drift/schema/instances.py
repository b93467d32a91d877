"""Values of a term, made from its atoms: the smallest, several at its edges, and one completed around a given part."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

from conformance.drift.schema import strings
from conformance.drift.schema.atoms import Array, Atom, Contains, Number, Object, Single, Term, Text
from conformance.drift.schema.space import Space, is_of, item_term, property_term
from conformance.drift.schema.values import ABSENT, key_of, plain

FRESH = "anything-else"
"""A property name that no description uses by chance."""

DEEPEST = 30
"""Levels beyond which no witness is made: a chain of schemas may be as long as the description."""

_MOST_ITEMS = 2000


class Instances:
    """Makes values of one space's terms; remembers the smallest of each."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._smallest: dict[Term, Any] = {}
        self._open: set[Term] = set()

    def smallest(self, term: Term) -> Any:
        """A small value of the term, ABSENT where none was found; recursive schemas end where they may."""
        if term in self._smallest:
            return self._smallest[term]
        if term in self._open:
            return ABSENT
        self._open.add(term)
        try:
            found = next((v for atom in self.space.expand(term) if (v := self.of_atom(atom)) is not ABSENT), ABSENT)
        finally:
            self._open.discard(term)
        if found is not ABSENT or not self._open:
            self._smallest[term] = found
        return found

    def of_atom(self, atom: Atom) -> Any:
        """A small value of the atom, or ABSENT."""
        return next(self.several(atom, depth=0), ABSENT)

    def several_of(self, term: Term, depth: int = 2, most: int = 12) -> Iterator[Any]:
        """Different values of the term, edges included; `depth` levels deep they vary."""
        each = [self.several(atom, depth) for atom in self.space.expand(term)]
        mixed = (v for row in itertools.zip_longest(*each, fillvalue=ABSENT) for v in row if v is not ABSENT)
        return itertools.islice(mixed, most)

    def several(self, atom: Atom, depth: int = 1) -> Iterator[Any]:
        """Different values of the atom, the smallest first."""
        if isinstance(atom, Single):
            candidates: Iterator[Any] = iter([atom.value])
        elif isinstance(atom, Number):
            candidates = numbers(atom)
        elif isinstance(atom, Text):
            candidates = strings.samples(atom)
        elif isinstance(atom, Array):
            candidates = self._arrays(atom, depth)
        else:
            candidates = self._objects(atom, depth)
        return (v for v in candidates if v is not ABSENT and is_of(self.space, v, atom))

    def _arrays(self, atom: Array, depth: int) -> Iterator[Any]:
        yield from self.array_of(atom, [], atom.low)
        if depth <= 0:
            return
        for index in range(max((len(shape.prefix) for shape in atom.shapes), default=0) + 1):
            for item in self.several_of(item_term(atom, index), depth - 1, 6):
                yield from self.around_item(atom, index, item)
        for length in {atom.low + 1, atom.high if atom.high is not None else atom.low + 2} - {atom.low}:
            yield from self.array_of(atom, [], length)

    def around_item(self, atom: Array, index: int, item: Any) -> Iterator[Any]:
        """Arrays of the atom that hold this item, at this index or after."""
        before = [self.smallest(item_term(atom, i)) for i in range(index)]
        for length in (max(atom.low, index + 1), max(atom.low, index + 1) + 1):
            yield from self.array_of(atom, [*before, item], length)

    def array_of(self, atom: Array, items: list[Any], length: int) -> Iterator[Any]:
        if length > _MOST_ITEMS or ABSENT in items:
            return
        items = list(items)
        for rule in atom.contains:
            self._contain(atom, rule, items)
        if ABSENT in items:
            return
        used = {key_of(item) for item in items}
        pool: dict[Term, Iterator[Any]] = {}
        while len(items) < length:
            term = item_term(atom, len(items))
            if not atom.unique:
                item = self.smallest(term)
            else:
                source = pool.setdefault(term, self._unused(term, used))
                item = next(source, ABSENT)
            if item is ABSENT:
                return
            used.add(key_of(item))
            items.append(item)
        yield items

    def _contain(self, atom: Array, rule: Contains, items: list[Any]) -> None:
        """Add what the rule asks for and the items have not, after as many others as its place needs."""
        missing = rule.low - sum(self.space.member(item, rule.term) for item in items)
        if missing <= 0:
            return
        prefix = max((len(shape.prefix) for shape in atom.shapes), default=0)
        while self.space.vacant(rule.term | item_term(atom, len(items))) and len(items) < prefix:
            items.append(self.smallest(item_term(atom, len(items))))
        wanted = self.several_of(rule.term | item_term(atom, len(items)), 1, missing)
        items.extend(itertools.islice(wanted if atom.unique else itertools.cycle(list(wanted)), missing))

    def _unused(self, term: Term, used: set[Any]) -> Iterator[Any]:
        grown = itertools.chain(range(1, 100), (f"a{i}" for i in range(100)))
        for value in itertools.chain(self.several_of(term, 1, 40), grown):
            if key_of(value) not in used and self.space.member(value, term):
                yield value

    def _objects(self, atom: Object, depth: int) -> Iterator[Any]:
        least = self.completed(atom, {})
        if least is ABSENT:
            return
        yield least
        if depth <= 0:
            return
        declared = [name for name in names_of(self.space, atom) if name != FRESH]
        everything = dict(least)
        for name in declared:
            for value in self.several_of(property_term(self.space, atom, name), depth - 1, 6):
                everything.setdefault(name, value)
                yield self.completed(atom, {name: value})
        yield everything
        for name in (FRESH, f"{FRESH}-too"):
            extra = self.smallest(property_term(self.space, atom, name))
            if extra is not ABSENT:
                yield {**least, name: extra}

    def completed(self, atom: Object, part: dict[str, Any]) -> Any:
        """The part with the properties the atom requires and no more, or ABSENT."""
        value = dict(part)
        for name in sorted(atom.required - part.keys()):
            value[name] = self.smallest(property_term(self.space, atom, name))
            if value[name] is ABSENT:
                return ABSENT
        if len(value) < atom.low:
            self._fill(atom, value)
        return value if is_of(self.space, value, atom) else ABSENT

    def marks(self, atom: Object) -> dict[str, Any]:
        """The properties that may hold one value only, required or not: what tells alternatives apart."""
        found = {}
        for name in sorted(atom.declared):
            values = self.space.expand(property_term(self.space, atom, name))
            if len(values) == 1 and isinstance(values[0], Single):
                found[name] = values[0].value
        return found

    def everything(self, atom: Object) -> dict[str, Any]:
        """A small value of every declared property."""
        found = {name: self.smallest(property_term(self.space, atom, name)) for name in sorted(atom.declared)}
        return {name: value for name, value in found.items() if value is not ABSENT}

    def _fill(self, atom: Object, value: dict[str, Any]) -> None:
        fresh = (f"{FRESH}-{i}" for i in range(min(atom.low, _MOST_ITEMS)))
        for name in itertools.chain(names_of(self.space, atom), fresh):
            if len(value) >= atom.low:
                return
            extra = self.smallest(property_term(self.space, atom, name))
            if name not in value and extra is not ABSENT:
                value[name] = extra


def names_of(space: Space, *atoms: Object) -> list[str]:
    """Property names that stand for all: those the atoms name, and some inside and outside of every pattern."""
    found: dict[str, None] = {}
    patterns: dict[str, None] = {}
    for atom in atoms:
        found.update(dict.fromkeys(sorted(atom.declared | atom.required)))
        for shape in atom.shapes:
            found.update(dict.fromkeys(shape.named))
            patterns.update(dict.fromkeys(pattern for pattern, _ in shape.patterns))
        if atom.names:
            for one in space.expand(atom.names):
                if isinstance(one, Single) and isinstance(one.value, str):
                    found[one.value] = None
                elif isinstance(one, Text):
                    patterns.update(dict.fromkeys(pattern for pattern, _ in one.patterns))
                    found.update(dict.fromkeys(_around(one)))
    found.update(dict.fromkeys(_by_patterns(tuple(patterns)[:8])))
    found[FRESH] = None
    return list(found)


def _around(atom: Text) -> list[str]:
    """A few strings of the atom, and some it does not admit."""
    return [*itertools.islice(strings.samples(atom), 3), *strings.difference(Text(), [atom])[1][:3]]


@lru_cache(maxsize=256)
def _by_patterns(patterns: tuple[str, ...]) -> list[str]:
    """Names that match each pattern, each alone, and none of them."""
    wanted = [frozenset({(one, True)}) for one in patterns]
    wanted += [frozenset((other, other == one) for other in patterns) for one in (*patterns, "")]
    return [name for tagged in wanted if tagged for name in itertools.islice(strings.samples(Text(patterns=tagged)), 2)]


def numbers(atom: Number) -> Iterator[Any]:
    """Numbers at and around the atom's bounds."""
    step = atom.step or Fraction(1, 2)
    seen: set[Fraction] = set()
    for edge in (Fraction(0), Fraction(1), *(b[0] for b in (atom.low, atom.high) if b is not None)):
        base = math.ceil(edge / step) * step if atom.step else edge
        for candidate in (
            base,
            base + step,
            base - step,
            base + 7 * step,
            edge + Fraction(1, 4),
            edge - Fraction(1, 4),
        ):
            if candidate not in seen:
                seen.add(candidate)
                yield _carried(candidate)
    if atom.low and atom.high:
        yield _carried((atom.low[0] + atom.high[0]) / 2)
    yield from (10**9, -(10**9), 2**40, -(2**40), 2**70, 10**400, -(10**400), 0.1)


def _carried(number: Fraction) -> int | float:
    try:
        return plain(number)
    except OverflowError:
        return int(number)
