"""How the server and its workers speak: a JSON header and a body, each with its length before it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import orjson

_LENGTHS = struct.Struct("!IQ")
WORKER = struct.Struct("!Qd")
"""What asks the workshop for a worker: memory in bytes beyond what the runtime itself takes, seconds for one task."""

Frame = tuple[dict[str, Any], bytes | memoryview]
"""A header and the bytes that go with it."""


def head(header: dict[str, Any], body: bytes | memoryview) -> bytes:
    """What stands before the body on the wire."""
    packed = orjson.dumps(header)
    return _LENGTHS.pack(len(packed), len(body)) + packed


async def read(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    """The next frame. Raises `IncompleteReadError` where the other side is gone."""
    header_size, body_size = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    header: dict[str, Any] = orjson.loads(await reader.readexactly(header_size))
    return header, await reader.readexactly(body_size)


def receive(connection: socket.socket) -> tuple[dict[str, Any], memoryview] | None:
    """The next frame, waiting for it; None where the other side is gone."""
    lengths = _exactly(connection, _LENGTHS.size)
    if lengths is None:
        return None
    header_size, body_size = _LENGTHS.unpack(lengths)
    packed, body = _exactly(connection, header_size), _exactly(connection, body_size)
    return None if packed is None or body is None else (orjson.loads(packed), body)


def _exactly(connection: socket.socket, size: int) -> memoryview | None:
    found = memoryview(bytearray(size))
    filled = 0
    while filled < size:
        count = connection.recv_into(found[filled:])
        if count == 0:
            return None
        filled += count
    return found
