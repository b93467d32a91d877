"""Regular languages by derivatives: whether one pattern's strings are all of another, with the shortest that is not.

Patterns are read as ECMA-262 with the `u` flag, as JSON Schema asks. The method is Brzozowski's ("Derivatives of
Regular Expressions", JACM 1964): the derivative of a language by a character is what may follow it; intersection and
complement come for free, which automata make hard.
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


DIGIT: Ranges = ((48, 57),)
WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
SPACE: Ranges = (
    (9, 13), (32, 32), (160, 160), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
NEWLINE: Ranges = ((10, 10), (13, 13), (0x2028, 0x2029))
CLASSES: dict[str, Ranges] = {"d": DIGIT, "w": WORD, "s": SPACE}
CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "0": 0}

START, END = "start", "end"
MAXIMUM_REPEAT = 1000


class NotRegularError(ValueError):
    """The pattern uses what no regular language has, or what this reader does not read (`\\b`, backreferences)."""


class _Look:
    def __init__(self, wanted: bool, pieces: list[_Sequence]) -> None:
        self.wanted, self.pieces = wanted, pieces


class _Group:
    def __init__(self, pieces: list[_Sequence], low: int = 1, high: int | None = 1) -> None:
        self.pieces, self.low, self.high = pieces, low, high


_Sequence = list["str | Language | _Look | _Group"]


@lru_cache(maxsize=2048)
def language_of(pattern: str) -> Language:
    """The strings in which the pattern is found anywhere. Raises NotRegularError."""
    try:
        alternatives = _Reader(pattern).read()
    except (IndexError, ValueError, RecursionError) as error:
        raise NotRegularError(f"The pattern {pattern!r} cannot be compared as a regular language.") from error
    return either(*(_found(item) for item in alternatives))


def _found(item: _Sequence) -> Language:
    if item and isinstance(item[0], _Group) and _once(item[0]) and _anchors(item[0]):
        return either(*(_found([*piece, *item[1:]]) for piece in item[0].pieces))
    if item and isinstance(item[-1], _Group) and _once(item[-1]) and _anchors(item[-1]):
        return either(*(_found([*item[:-1], *piece]) for piece in item[-1].pieces))
    if item and item[0] == START:
        return _rest(_without(item, START))
    return sequence(ALL, _rest(item))


def _once(group: _Group) -> bool:
    return (group.low, group.high) == (1, 1)


def _anchors(group: _Group) -> bool:
    return any(
        part in (START, END) or (isinstance(part, _Group) and _anchors(part)) for p in group.pieces for part in p
    )


def _without(item: _Sequence, anchor: str) -> _Sequence:
    while item and item[0] == anchor:
        item = item[1:]
    return item


def _rest(item: _Sequence) -> Language:
    """The language of everything from here to the string's end."""
    if not item:
        return ALL
    first, after = item[0], item[1:]
    if first == END:
        if any(part != END for part in after):
            raise NotRegularError("an anchor in the middle")
        return EPSILON
    if isinstance(first, _Look):
        ahead = either(*(_rest(piece) for piece in first.pieces))
        return both(ahead if first.wanted else negate(ahead), _rest(after))
    return sequence(_whole(first), _rest(after))


def _whole(part: str | Language | _Look | _Group) -> Language:
    if isinstance(part, Language):
        return part
    if isinstance(part, _Group):
        inner = either(*(sequence(*(_whole(p) for p in piece)) for piece in part.pieces))
        return repeat(inner, part.low, part.high)
    raise NotRegularError("an anchor or a look-ahead in the middle")


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.text, self.at = pattern, 0

    def read(self) -> list[_Sequence]:
        pieces = self.alternatives()
        if self.at < len(self.text):
            raise NotRegularError("an unmatched parenthesis")
        return pieces

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def alternatives(self) -> list[_Sequence]:
        pieces: list[_Sequence] = [[]]
        while self.peek() not in ("", ")"):
            if self.peek() == "|":
                self.take()
                pieces.append([])
            else:
                self.term(pieces[-1])
        return pieces

    def term(self, into: _Sequence) -> None:
        part = self.factor()
        low, high = self.quantifier()
        if (low, high) == (1, 1):
            into.append(part)
        elif isinstance(part, (str, _Look)):
            raise NotRegularError("a quantified anchor")
        elif max(low, high or 0) > MAXIMUM_REPEAT:
            raise NotRegularError("a repetition too long to compare")
        else:
            into.append(_Group([[part]], low, high))

    def factor(self) -> str | Language | _Look | _Group:
        character = self.take()
        if character == "^":
            return START
        if character == "$":
            return END
        if character == "(":
            return self.group()
        if character == "[":
            return characters(self.bracket())
        if character == ".":
            return characters(complement_ranges(NEWLINE))
        if character == "\\":
            return characters(self.escape())
        if character in "*+?{":
            raise NotRegularError("nothing to repeat")
        return characters([(ord(character), ord(character))])

    def quantifier(self) -> tuple[int, int | None]:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        mark = self.peek()
        if mark in simple and mark:
            self.take()
            bounds = simple[mark]
        elif mark == "{":
            end = self.text.index("}", self.at)
            low, comma, high = self.text[self.at + 1 : end].partition(",")
            bounds = (int(low), int(high) if high else None) if comma else (int(low), int(low))
            self.at = end + 1
        else:
            return 1, 1
        if self.peek() == "?":  # lazy: the same language
            self.take()
        if bounds[1] is not None and bounds[0] > bounds[1]:
            raise NotRegularError("a repetition of more than it may be")
        return bounds

    def group(self) -> _Look | _Group:
        look = None
        if self.peek() == "?":
            self.take()
            mark = self.take()
            if mark in "=!":
                look = mark == "="
            elif mark == "<" and self.peek() not in "=!":
                self.at = self.text.index(">", self.at) + 1
            elif mark != ":":
                raise NotRegularError("a look-behind or a flag")
        pieces = self.alternatives()
        if self.take() != ")":
            raise NotRegularError("an unclosed group")
        return _Group(pieces) if look is None else _Look(look, pieces)

    def bracket(self) -> Ranges:
        negated = self.peek() == "^"
        self.at += negated
        ranges: list[tuple[int, int]] = []
        while self.peek() != "]":
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1] != "]" and len(low) == 1 and low[0][0] == low[0][1]:
                self.take()
                ranges.append((low[0][0], self.member()[0][1]))
                if ranges[-1][0] > ranges[-1][1]:
                    raise NotRegularError("a range from its end to its start")
            else:
                ranges.extend(low)
        self.take()
        return complement_ranges(ranges) if negated else merge(ranges)

    def member(self) -> Ranges:
        character = self.take()
        if character == "\\":
            if self.peek() == "b":
                self.take()
                return ((8, 8),)
            return self.escape()
        return ((ord(character), ord(character)),)

    def escape(self) -> Ranges:
        mark = self.take()
        if mark.lower() in CLASSES:
            found = CLASSES[mark.lower()]
            return found if mark.islower() else complement_ranges(found)
        if mark in CONTROLS:
            code = CONTROLS[mark]
        elif mark == "u" and self.peek() == "{":
            end = self.text.index("}", self.at)
            code, self.at = int(self.text[self.at + 1 : end], 16), end + 1
        elif mark in "ux":
            width = 4 if mark == "u" else 2
            code, self.at = int(self.text[self.at : self.at + width], 16), self.at + width
        elif mark.isalnum():
            raise NotRegularError("an escape that is no character")
        else:
            code = ord(mark)
        return ((code, code),)


def lengths(low: int, high: int | None) -> Language:
    """Every string of these lengths."""
    return repeat(ANY, low, high)
