"""Forms survive the wire, and what is no form is none."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.api.multipart import Part, decode, encode

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='%"\\\r\n'), min_size=1, max_size=20)


@given(name=names, filename=names, content=st.binary(max_size=200))
def test_what_is_written_is_read_back(name: str, filename: str, content: bytes) -> None:
    part = Part(name, content, "application/octet-stream", filename)
    kind, body = encode([part, Part("metadata" if name != "metadata" else "other", b"{}", "application/json")])
    assert decode(kind, body)[name] == part


def test_a_form_of_httpx_is_read() -> None:
    sent = httpx.Request(
        "POST",
        "http://x.example",
        files={"metadata": (None, '{"a": 1}', "application/json"), "file": ("m.onnx", b"\x00\r\n--x", "application/x")},
    )
    parts = decode(sent.headers["content-type"], sent.read())
    assert parts["metadata"].content == b'{"a": 1}'
    assert parts["metadata"].filename is None
    assert (parts["file"].filename, parts["file"].content) == ("m.onnx", b"\x00\r\n--x")


def test_a_quoted_boundary_is_understood() -> None:
    _, body = encode([Part("a", b"1")], "b-1")
    assert decode('multipart/form-data; boundary="b-1"', body)["a"].content == b"1"


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data"])
def test_what_has_no_boundary_has_no_parts(content_type: str) -> None:
    assert decode(content_type, b"--x\r\n\r\n1\r\n--x--") == {}


def test_a_boundary_inside_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="choose another boundary"):
        encode([Part("a", b"xx--b-1xx")], "b-1")
