"""The ways a text may be read: as it stands, unescaped, its lines joined, and what its base64 holds."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

from conformance.recording.leaks.detectors import DETECTORS, UNBROKEN, decoded, goes_on

_DEPTH = 3
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt"\'\\/]))')
_BREAK = re.compile(r"""["']?[ \t]*[\\+,]?[ \t]*(?:\r?\n|\\r?\\n)[ \t]*(?:\|[ \t]*)?["']?""")
_TWICE = re.compile(r'\\+(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt"\'/])?')
"""What escaping leaves of a text in two goes: backslashes with what they escape."""

_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+|\+")
_ENTITY = re.compile(r"&#?\w{1,32};")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


def leaks(text: str, known: tuple[str, ...] = (), depth: int = 0) -> Iterator[tuple[str, int]]:
    """Kind and offset of each secret in `text`, each secret once; inside an encoding the offset is the encoding's.

    `known` are values that must not stand anywhere, for instance this process's own credentials.
    """
    told: set[int] = set()
    for kind, at in _found(text, known, depth):
        if at not in told:
            told.add(at)
            yield kind, at


def _found(text: str, known: tuple[str, ...], depth: int) -> Iterator[tuple[str, int]]:
    tokens: set[int] = set()
    for reading in _readings(text):
        for detector in DETECTORS:
            for kind, at in detector(reading.text):
                tokens.add(reading.place(at))
                yield kind, reading.place(at)
        for value in known:
            if value in reading.text:
                yield "known credential", reading.place(reading.text.find(value))
    joined = _rewritten(text, _BREAK, lambda match: "")
    if joined.text != text:
        yield from ((kind, joined.place(at)) for detector in UNBROKEN for kind, at in detector(joined.text))
    if depth < _DEPTH:
        for match in _BASE64.finditer(text):
            if match.start() not in tokens and not goes_on(
                text, match.start()
            ):  # what a token that was found says inside is the same secret
                yield from ((kind, match.start()) for kind in _inside(match, text, known, depth))


@dataclass(frozen=True)
class _Reading:
    """A text read in another way; `starts` and `offsets` say from where in it which place of the original follows."""

    text: str
    starts: list[int]
    offsets: list[int]

    def place(self, at: int) -> int:
        """Where in the original a place of this reading lies."""
        index = bisect_right(self.starts, at) - 1
        return at - self.starts[index] + self.offsets[index]


def _rewritten(text: str, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> _Reading:
    pieces, starts, offsets, length, end = list[str](), [0], [0], 0, 0
    for match in pattern.finditer(text):
        changed = change(match)
        pieces += [text[end : match.start()], changed]
        length += match.start() - end + len(changed)
        end = match.end()
        starts.append(length)
        offsets.append(end)
    return _Reading("".join([*pieces, text[end:]]), starts, offsets)


def _readings(text: str) -> Iterator[_Reading]:
    yield _Reading(text, [0], [0])
    if "\\" in text:
        yield (once := _rewritten(text, _ESCAPE, _character))
        if "\\" in once.text:
            yield _rewritten(text, _TWICE, lambda match: _ESCAPE.sub(_character, _ESCAPE.sub(_character, match[0])))
    if re.search(r"%[0-9a-fA-F]{2}", text):
        yield _rewritten(text, _PERCENT, lambda match: unquote_plus(match[0]))
    if "&#" in text or "&quot;" in text or "&commat;" in text:
        yield _rewritten(text, _ENTITY, lambda match: html.unescape(match[0]))


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _CONTROL.get(match[3], match[3])


def _inside(match: re.Match[str], text: str, known: tuple[str, ...], depth: int) -> Iterator[str]:
    """Secrets in what a run of base64 holds. A run at the edge of the text may have lost its beginning."""
    for shift in range(4 if match.start() == 0 else 1):
        inner = decoded(match[0][shift:])
        if (
            len(inner) < 12
            or not inner[:64].isascii()
            or sum(byte < 32 and byte not in b"\t\r\n" for byte in inner[:64])
        ):
            continue
        plain = inner.decode("utf-8", "replace")
        yield from (kind for kind, _ in leaks(plain, known, depth + 1))
        before = text[max(0, match.start() - 12) : match.start()].lower()
        if "basic" in before and re.fullmatch(r"[^\s:]+:\S+", plain):
            yield "Basic credentials"
