"""Regular languages by derivatives: whether one pattern's strings are all of another, with the shortest that is not.

The method is Brzozowski's ("Derivatives of Regular Expressions", JACM 1964): the derivative of a language by a
character is what may follow it; intersection and complement come for free, which automata make hard.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, inclusive ranges of code points."""

LIMIT = 3000
"""States looked at before a question is given up as too large."""

WORK = 300_000
"""Alternatives of those states, added up: repetitions of repetitions have few states, each of thousands of them."""

LAST = 0x10FFFF
SURROGATES = ((0xD800, 0xDFFF),)


@dataclass(frozen=True, eq=False)
class Language:
    """One interned node: two nodes of the same meaning by construction are the same object."""

    kind: str
    parts: tuple[Language, ...] = ()
    ranges: Ranges = ()
    low: int = 0
    high: int | None = None
    nullable: bool = False
    derivatives: dict[int, Language] = field(default_factory=dict)


@lru_cache(maxsize=100_000)
def _intern(
    kind: str, parts: tuple[Language, ...], ranges: Ranges, low: int, high: int | None, nullable: bool
) -> Language:
    return Language(kind, parts, ranges, low, high, nullable)


EMPTY = _intern("empty", (), (), 0, None, False)
EPSILON = _intern("epsilon", (), (), 0, None, True)


def characters(ranges: Iterable[tuple[int, int]]) -> Language:
    """The one-character strings of these ranges."""
    merged = merge(ranges)
    return _intern("characters", (), merged, 0, None, False) if merged else EMPTY


def merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted and disjoint."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return tuple(result)


def complement_ranges(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Every other code point but the surrogates, which no JSON text can hold."""
    result, start = [], 0
    for first, last in merge((*ranges, *SURROGATES)):
        if first > start:
            result.append((start, first - 1))
        start = last + 1
    if start <= LAST:
        result.append((start, LAST))
    return tuple(result)


ANY = characters(complement_ranges(()))


def sequence(*parts: Language) -> Language:
    """One after another."""
    result = EPSILON
    for part in reversed(parts):
        if part is EMPTY or result is EMPTY:
            return EMPTY
        if result is EPSILON:
            result = part
        elif part.kind == "sequence":
            result = sequence(part.parts[0], sequence(part.parts[1], result))
        elif part is not EPSILON:
            result = _intern("sequence", (part, result), (), 0, None, part.nullable and result.nullable)
    return result


def either(*parts: Language) -> Language:
    """The union."""
    flat = {leaf for part in parts for leaf in (part.parts if part.kind == "either" else (part,))} - {EMPTY}
    if ALL in flat:
        return ALL
    if len(flat) < 2:
        return flat.pop() if flat else EMPTY
    return _intern("either", tuple(sorted(flat, key=id)), (), 0, None, any(part.nullable for part in flat))


def both(*parts: Language) -> Language:
    """The intersection."""
    flat = {leaf for part in parts for leaf in (part.parts if part.kind == "both" else (part,))} - {ALL}
    if EMPTY in flat:
        return EMPTY
    if len(flat) < 2:
        return flat.pop() if flat else ALL
    return _intern("both", tuple(sorted(flat, key=id)), (), 0, None, all(part.nullable for part in flat))


def negate(part: Language) -> Language:
    """Every other string."""
    if part.kind == "not":
        return part.parts[0]
    return _intern("not", (part,), (), 0, None, not part.nullable)


def repeat(part: Language, low: int, high: int | None) -> Language:
    """Between `low` and `high` times (None: any number)."""
    if high == 0 or part is EPSILON:
        return EPSILON
    if part is EMPTY:
        return EPSILON if low == 0 else EMPTY
    if (low, high) == (1, 1):
        return part
    return _intern("repeat", (part,), (), low, high, low == 0 or part.nullable)


ALL = negate(EMPTY)


def derivative(language: Language, character: int) -> Language:
    """What may follow this character."""
    known = language.derivatives.get(character)
    if known is None:
        known = language.derivatives[character] = _derive(language, character)
    return known


def _derive(language: Language, character: int) -> Language:
    parts = language.parts
    if language.kind == "characters":
        return EPSILON if any(first <= character <= last for first, last in language.ranges) else EMPTY
    if language.kind == "sequence":
        head = sequence(derivative(parts[0], character), parts[1])
        return either(head, derivative(parts[1], character)) if parts[0].nullable else head
    if language.kind == "either":
        return either(*(derivative(part, character) for part in parts))
    if language.kind == "both":
        return both(*(derivative(part, character) for part in parts))
    if language.kind == "not":
        return negate(derivative(parts[0], character))
    if language.kind == "repeat":
        fewer = repeat(parts[0], max(language.low - 1, 0), None if language.high is None else language.high - 1)
        return sequence(derivative(parts[0], character), fewer)
    return EMPTY


def _leaves(language: Language) -> Iterator[Ranges]:
    seen, stack = {language}, [language]
    while stack:
        node = stack.pop()
        if node.kind == "characters":
            yield node.ranges
        fresh = [part for part in node.parts if part not in seen]
        seen.update(fresh)
        stack.extend(fresh)


def _width(language: Language) -> int:
    """How many alternatives a state stands for: what its derivative costs."""
    inner = language.parts[:1] if language.kind == "sequence" else language.parts
    return 1 + sum(_width(part) for part in inner) if language.kind != "repeat" else 1


@lru_cache(maxsize=1024)
def representatives(language: Language) -> tuple[int, ...]:
    """One code point of each class the language tells apart, readable ones first."""
    edges = {0, LAST + 1, *(edge for pair in SURROGATES for edge in (pair[0], pair[1] + 1))}
    for ranges in _leaves(language):
        edges.update(edge for first, last in ranges for edge in (first, last + 1))
    borders = sorted(edges)
    chosen = [_readable(first, after - 1) for first, after in itertools.pairwise(borders)]
    return tuple(sorted((c for c in chosen if not 0xD800 <= c <= 0xDFFF), key=_unreadable))


def _readable(first: int, last: int) -> int:
    for low, high in ((97, 122), (65, 90), (48, 57), (33, 126), (32, 32)):
        if max(first, low) <= min(last, high):
            return max(first, low)
    return first


def _unreadable(character: int) -> tuple[bool, bool, int]:
    return not 32 <= character < 127, not chr(character).isalnum(), -character


def shortest(language: Language, limit: int = LIMIT) -> str | None:
    """The shortest string of the language, None where it has none.

    Raises OverflowError where `limit` states, or the work that they are, did not settle it.
    """
    if language.nullable:
        return ""
    alphabet = representatives(language)
    seen, queue, work = {language}, deque([(language, "")]), 0
    while queue:
        state, text = queue.popleft()
        for character in alphabet:
            following = derivative(state, character)
            if following is EMPTY or following in seen:
                continue
            longer = text + chr(character)
            if following.nullable:
                return longer
            seen.add(following)
            queue.append((following, longer))
            work += _width(following)
            if len(seen) > limit or work > WORK:
                raise OverflowError("the languages are too large to compare")
    return None
