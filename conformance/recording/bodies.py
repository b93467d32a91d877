"""Which bytes a captured body stands for. Content counts only where its length fits what the capture says of it.

Tools write one body in many ways: as text, in base64 (said or not), its bytes as characters, unpacked or still
compressed. They also lose bodies: evicted, left out, cut short. So each way to read a text is tried, and the first of
the stated length is the body. Where none fits the body is unknown, and so is what depends on it.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_LOST = "\ufffd"
"""What a writer puts where bytes were not UTF-8: such a text is not what was sent."""

_GZIP = b"\x1f\x8b"
_LARGEST = 1 << 28
"""Bytes to which a compressed body may unpack."""

_ARROW = b"ARROW1"
"""What an Arrow file begins and ends with (Arrow columnar format, IPC File Format)."""


@dataclass(frozen=True)
class Kept:
    """A body as a capture holds it, with everything it says of the body's length.

    `text` is None where there is none; `packed` that it is said to be base64. `declared` is the Content-Length, of the
    bytes that travelled; `counted` the lengths that the tool counted of the unpacked body, one of which is right.
    `coding` is the Content-Encoding, empty for none, None where the headers were not kept. `empty` says that the
    capture shows by itself that there was no body.
    """

    text: str | None
    media_type: str
    packed: bool = False
    declared: int | None = None
    counted: frozenset[int] = frozenset()
    coding: str | None = ""
    empty: bool = False


def bytes_of(kept: Kept) -> bytes | None:
    """The body's bytes; None where they are unknown."""
    if not kept.text:
        return b"" if kept.empty else None
    told = kept.counted or (kept.declared is not None and kept.coding in (None, "", "identity"))
    if not told and not kept.text.isascii() and "arrow" in kept.media_type:
        return None  # which characters were which bytes is told by the length alone
    for reading, as_said in _readings(kept.text, kept.packed):
        body = _unpacked(reading, kept)
        if body is not None and (as_said or not _is_json(kept.media_type) or _is_whole(body, kept.media_type)):
            return body
    return None


def _readings(text: str, packed: bool) -> Iterator[tuple[bytes, bool]]:
    """The ways to read a text, the likeliest first, each with whether the capture says that the text is so written."""
    base = _from_base64(text)
    if packed and base is not None:
        yield base, True
    if _LOST not in text and (plain := _encoded(text, "utf-8")) is not None:
        yield plain, not packed
    if not text.isascii() and (narrow := _encoded(text, "latin-1")) is not None:
        yield narrow, False
    if not packed and base is not None:
        yield base, False


def _encoded(text: str, encoding: str) -> bytes | None:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return None


def _from_base64(text: str) -> bytes | None:
    """Base64 in one line or many, with or without padding; None where the text is none."""
    joined = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(joined + "=" * (-len(joined) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _unpacked(reading: bytes, kept: Kept) -> bytes | None:
    """A reading, unpacked, if it is the body; None where its length is not what the capture says."""
    if kept.coding is None and not _is_utf8(reading) and not reading.startswith(_ARROW):
        return _inflated(reading, kept)  # no answer of this API is so, but for what travelled compressed
    if kept.coding not in (None, "", "identity"):
        # What the Content-Length says of a compressed body is not the length of what it holds.
        fits = not kept.counted or len(reading) in kept.counted
        return reading if fits and _is_whole(reading, kept.media_type) else _inflated(reading, kept)
    if kept.declared is not None:
        return reading if len(reading) == kept.declared else None
    if kept.counted:
        return reading if len(reading) in kept.counted else None
    return reading if _is_whole(reading, kept.media_type) else None


def _inflated(body: bytes, kept: Kept) -> bytes | None:
    """What a body left compressed holds; None where it is cut short, or in a coding that Python does not know."""
    for window in (31, 15, -15):  # gzip, zlib, and the bare stream that some servers call deflate
        engine = zlib.decompressobj(window)
        try:
            whole = engine.decompress(body, _LARGEST)
        except zlib.error:
            continue
        others = kept.counted - {len(body)}
        if engine.eof and not engine.unused_data and (not others or len(whole) in others):
            return whole
    return None


def _is_whole(body: bytes, media_type: str) -> bool:
    """Whether a body of which no length is known shows by itself that nothing of it is missing."""
    if media_type.startswith("multipart/"):
        return body.isascii() and body.rstrip().endswith(b"--")
    if "arrow" in media_type:
        return len(body) > 2 * len(_ARROW) and body.startswith(_ARROW) and body.endswith(_ARROW)
    if media_type.endswith("form-urlencoded"):
        return body.isascii()
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _is_json(media_type: str) -> bool:
    return "json" in media_type


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
