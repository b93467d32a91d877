from __future__ import annotations

import base64
import gzip
import zlib
from typing import Any

import pytest

from conformance.recording.bodies import Kept, bytes_of

JSON = b'{"id":14}'
ARROW = b"ARROW1\x00\x00\xff\xfe\x00\x00ARROW1"
PACKED = gzip.compress(b'{"ids":' + str(list(range(40))).encode() + b"}", mtime=0)
WHOLE = gzip.decompress(PACKED)


def in_base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def kept(text: str | None, media_type: str = "application/json", *counted: int, **changes: Any) -> Kept:
    return Kept(text, media_type, counted=frozenset(counted), **changes)


@pytest.mark.parametrize(
    ("what", "body"),
    [
        (kept('{"id":14}', "application/json", 9), JSON),
        (kept('{"id":14}'), JSON),
        (kept('{"n":"é"}', "application/json", 10), '{"n":"é"}'.encode()),
        (kept('{"n":"Ã©"}', "application/json", 10), '{"n":"é"}'.encode()),
        (kept("null", "application/json", 4, packed=True), b"null"),
        (kept("null", "application/json", packed=True), b"null"),
        (kept(in_base64(JSON), "application/json", 9, packed=True), JSON),
        (kept(in_base64(JSON), "application/json", 9), JSON),
        (kept("abcd", "text/plain", 4), b"abcd"),
        (kept(base64.encodebytes(ARROW * 9).decode(), "x/arrow", len(ARROW * 9), packed=True), ARROW * 9),
        (kept(in_base64(ARROW).rstrip("="), "application/vnd.apache.arrow.file", packed=True), ARROW),
        (kept(ARROW.decode("latin-1"), "application/octet-stream", declared=len(ARROW)), ARROW),
        (kept(in_base64(PACKED), declared=len(PACKED), coding="gzip", packed=True), WHOLE),
        (kept(PACKED.decode("latin-1"), declared=len(PACKED), coding="gzip"), WHOLE),
        (kept(in_base64(zlib.compress(WHOLE)), "application/json", len(WHOLE), coding="deflate", packed=True), WHOLE),
        (kept(WHOLE.decode(), "application/json", len(PACKED), len(WHOLE), declared=len(PACKED), coding="gzip"), WHOLE),
        (kept(in_base64(PACKED), "application/json", len(PACKED), coding=None, packed=True), WHOLE),
        (kept("", empty=True), b""),
        (kept(None, empty=True), b""),
    ],
)
def test_a_text_whose_length_is_the_stated_one_is_the_body(what: Kept, body: bytes) -> None:
    assert bytes_of(what) == body


@pytest.mark.parametrize(
    "what",
    [
        kept(None, "application/json", 9),
        kept(""),
        kept("", "application/json", packed=True),
        kept('{"id":1', "application/json", 9),
        kept('{"id":1'),
        kept('{"id":14}', declared=611),
        kept('{"id":14} ', "application/json", 9),
        kept(in_base64(JSON[:5]), "application/json", 9, packed=True),
        kept('{"id":"\ufffd"}', "application/json", 12),
        kept("é", "application/json", 1),
        kept("\ud800", "text/plain"),
        kept(in_base64(ARROW[:-3]), "application/vnd.apache.arrow.file", packed=True),
        kept(in_base64(PACKED[:-9]), declared=len(PACKED) - 9, coding="gzip", packed=True),
        kept(in_base64(b"\x8b\x01\x80null\x03"), "application/json", 8, declared=8, coding="br", packed=True),
        kept(in_base64(b"\x8b\x01\x80null\x03"), "application/json", 8, coding="br", packed=True),
        kept("--x\r\nContent-Disposition: form-data", "multipart/form-data"),
    ],
)
def test_a_text_of_another_length_is_not_the_body(what: Kept) -> None:
    assert bytes_of(what) is None
