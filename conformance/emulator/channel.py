"""How the server and its workers speak: a JSON header and a body, in one message over a socket.

A large body goes through memory that both have mapped, since copying it through a socket costs more than running a
small model on it; one that does not fit there follows the header on the socket.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Any

import orjson

WORKER = struct.Struct("!Qd")
"""Asks the fork server for a worker: memory in bytes beyond what the runtime itself takes, seconds for one task."""

Bytes = bytes | bytearray | memoryview
Frame = tuple[dict[str, Any], Bytes]
"""A header and the bytes that go with it."""

_PREFIX = struct.Struct("!IQ?")
_HALF = 16 * 1024 * 1024
_INLINE = 64 * 1024


class Channel:
    """One side of the conversation: packs what it says, and puts together what it hears.

    `descriptor` is the memory both sides map: one half for what the server says, one for what the worker says.
    """

    def __init__(self, descriptor: int, *, server: bool) -> None:
        whole = memoryview(mmap.mmap(descriptor, 2 * _HALF))
        halves = whole[:_HALF], whole[_HALF:]
        self._said, self._heard = halves if server else halves[::-1]
        self._buffer = bytearray()

    def pack(self, header: dict[str, Any], body: Bytes) -> bytes:
        """The message to put on the socket. A body in shared memory is good until the next is packed."""
        packed = orjson.dumps(header)
        size = len(body)
        if _INLINE < size <= _HALF:
            self._said[:size] = memoryview(body).cast("B")
            return _PREFIX.pack(len(packed), size, True) + packed
        return b"".join((_PREFIX.pack(len(packed), size, False), packed, body))

    def feed(self, data: Bytes) -> Frame | None:
        """The message that `data` completes, None while there is more to come. Its body is good until the next."""
        self._buffer += data
        if len(self._buffer) < _PREFIX.size:
            return None
        header_size, body_size, shared = _PREFIX.unpack_from(self._buffer)
        start = _PREFIX.size + header_size
        if len(self._buffer) < start + (0 if shared else body_size):
            return None
        found = memoryview(self._buffer)
        self._buffer = bytearray()
        body = self._heard[:body_size] if shared else found[start:]
        return orjson.loads(found[_PREFIX.size : start]), body


def shared_memory() -> int:
    """A descriptor of new memory for one channel; pages nobody writes take no room."""
    descriptor = os.memfd_create("conformance-worker")
    os.ftruncate(descriptor, 2 * _HALF)
    return descriptor
