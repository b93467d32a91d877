"""Multipart form data of uploads: parts written in a fixed order, and read back from the wire (RFC 7578)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'[; ]name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """One part of a form: its name, content, and where given its file name and content type."""

    name: str
    content: bytes
    content_type: str = ""
    filename: str | None = None


def encode(parts: list[Part], boundary: str = "conformance-5f1c7e0d") -> tuple[str, bytes]:
    """The content type and the body of a form. Raises ValueError where the boundary stands inside a part."""
    delimiter = b"--" + boundary.encode()
    chunks = []
    for part in parts:
        if delimiter in part.content:
            raise ValueError(f"the part '{part.name}' contains the boundary {boundary}; choose another boundary")
        head = f'Content-Disposition: form-data; name="{_quoted(part.name)}"'
        if part.filename is not None:
            head += f'; filename="{_quoted(part.filename)}"'
        if part.content_type:
            head += f"\r\nContent-Type: {part.content_type}"
        chunks += [delimiter, b"\r\n", head.encode(), b"\r\n\r\n", part.content, b"\r\n"]
    return f"multipart/form-data; boundary={boundary}", b"".join([*chunks, delimiter, b"--\r\n"])


def decode(content_type: str, body: bytes) -> dict[str, Part]:
    """The parts of a form by name, the first of each; empty where the body is no form of that content type."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        return {}
    parts: dict[str, Part] = {}
    for chunk in (b"\r\n" + body).split(b"\r\n--" + match[1].encode())[1:]:
        head, separator, content = chunk.partition(b"\r\n\r\n")
        name = _NAME.search(head.replace(b"filename=", b"filenam_=")) if separator else None
        if name is None:
            continue
        filename, kind = _FILENAME.search(head), _TYPE.search(head)
        part = Part(
            name=_plain(name[1]),
            content=content,
            content_type=kind[1].decode("latin-1") if kind else "",
            filename=_plain(filename[1]) if filename else None,
        )
        parts.setdefault(part.name, part)
    return parts


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _plain(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
