"""Reads `pattern` (ECMA-262 with the `u` flag, as JSON Schema asks) as a regular language, where it is one."""

from __future__ import annotations

from functools import lru_cache

from conformance.drift.schema import languages
from conformance.drift.schema.languages import ALL, ANY, EPSILON, Language, Ranges

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
    return languages.either(*(_found(item) for item in alternatives))


def _found(item: _Sequence) -> Language:
    if item and isinstance(item[0], _Group) and _once(item[0]) and _anchors(item[0]):
        return languages.either(*(_found([*piece, *item[1:]]) for piece in item[0].pieces))
    if item and isinstance(item[-1], _Group) and _once(item[-1]) and _anchors(item[-1]):
        return languages.either(*(_found([*item[:-1], *piece]) for piece in item[-1].pieces))
    if item and item[0] == START:
        return _rest(_without(item, START))
    return languages.sequence(ALL, _rest(item))


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
        ahead = languages.either(*(_rest(piece) for piece in first.pieces))
        return languages.both(ahead if first.wanted else languages.negate(ahead), _rest(after))
    return languages.sequence(_whole(first), _rest(after))


def _whole(part: str | Language | _Look | _Group) -> Language:
    if isinstance(part, Language):
        return part
    if isinstance(part, _Group):
        inner = languages.either(*(languages.sequence(*(_whole(p) for p in piece)) for piece in part.pieces))
        return languages.repeat(inner, part.low, part.high)
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
            return languages.characters(self.bracket())
        if character == ".":
            return languages.characters(languages.complement_ranges(NEWLINE))
        if character == "\\":
            return languages.characters(self.escape())
        if character in "*+?{":
            raise NotRegularError("nothing to repeat")
        return languages.characters([(ord(character), ord(character))])

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
        return languages.complement_ranges(ranges) if negated else languages.merge(ranges)

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
            return found if mark.islower() else languages.complement_ranges(found)
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
    return languages.repeat(ANY, low, high)
