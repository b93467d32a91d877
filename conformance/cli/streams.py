"""What is printed may get lost; that it does never changes what a command concludes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class SafeStream:
    """A text stream that never raises: what it cannot encode it escapes, and once it is broken it stays silent."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or lose it: on a full disk, into a closed pipe or a closed file."""
        if not self.broken:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding or "ascii"
                self.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except (OSError, ValueError):
                self.broken = True
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or lose it."""
        if not self.broken:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self.broken = True


@contextmanager
def unfailing() -> Iterator[None]:
    """Standard output and error never raise inside, and standard descriptors that were closed lead nowhere.

    A closed descriptor would be given to the next file or socket that is opened, which then gets what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    streams = {name: SafeStream(stream or open(os.devnull, "w")) for name, stream in before.items()}  # noqa: PTH123, SIM115
    for name, stream in streams.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        for name, stream in streams.items():
            stream.flush()
            setattr(sys, name, before[name])
            if stream.broken:
                # What is still buffered would fail once more as Python ends, and make the exit code 120.
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), before[name].fileno())
