"""The ways a text may be read: as it stands, unescaped, its lines joined, and what its base64 holds."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from conformance.recording.leaks.detectors import DETECTORS, UNBROKEN, decoded

_DEPTH = 3
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt"\'\\/]))')
_BREAK = re.compile(r"""["']?[ \t]*[\\+,]?[ \t]*(?:\r?\n|\\r?\\n)[ \t]*(?:\|[ \t]*)?["']?""")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


def leaks(text: str, known: tuple[str, ...] = (), depth: int = 0) -> Iterator[tuple[str, int]]:
    """Kind and offset of each secret in `text`; inside an encoding the offset is that of the encoded text.

    `known` are values that must not stand anywhere, for instance this process's own credentials.
    """
    for reading in _readings(text):
        for detector in DETECTORS:
            yield from ((kind, _near(at, text, reading)) for kind, at in detector(reading))
        yield from (
            ("known credential", _near(reading.find(value), text, reading)) for value in known if value in reading
        )
    joined = _BREAK.sub("", text)
    if joined != text:
        yield from ((kind, 0) for detector in UNBROKEN for kind, _ in detector(joined))
    if depth < _DEPTH:
        for match in _BASE64.finditer(text):
            yield from ((kind, match.start()) for kind in _inside(match, text, known, depth))


def _readings(text: str) -> Iterator[str]:
    yield text
    if "\\" in text:
        yield (once := _ESCAPE.sub(_character, text))
        if "\\" in once:
            yield _ESCAPE.sub(_character, once)
    if re.search(r"%[0-9a-fA-F]{2}", text):
        yield unquote_plus(text)
    if "&#" in text or "&quot;" in text or "&commat;" in text:
        yield html.unescape(text)


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _CONTROL.get(match[3], match[3])


def _near(at: int, text: str, reading: str) -> int:
    """Where about in `text` a place of a reading lies; exact for the text itself."""
    return at if reading is text else min(len(text), at * len(text) // max(1, len(reading)))


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
