"""Opens what is to be scanned: files, folders, wheels and other archives, of any size in bounded memory."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from conformance.errors import UsageError
from conformance.recording.leaks.detectors import ADDRESS
from conformance.recording.leaks.views import leaks

_WINDOW = 4 << 20
_OVERLAP = 64 << 10
_SKIPPED = {".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".tox", ".venv"}
_CREDENTIALS = ("CONFORMANCE_PASSWORD", "CONFORMANCE_CLIENT_SECRET", "CONFORMANCE_TOKEN")
_PUBLIC = "conformance"  # what the emulated instance's user, password and client secret are called in its manual

_LICENCE = re.compile(r"(?i)licen[cs]e|notice|copying|authors")
"""Files of third parties that must travel as they are, and name their authors on purpose."""


@dataclass(frozen=True, order=True)
class Leak:
    """A secret that survived: the file (with the entry, in an archive), the line, and its kind; never the secret."""

    file: str
    line: int
    kind: str


def scan(paths: Iterable[Path]) -> Iterator[Leak]:
    """Every leak in the files and folders given. Raises UsageError for what is not there or cannot be unpacked."""
    known = tuple(value for name in _CREDENTIALS if len(value := os.environ.get(name, "")) > 3 and value != _PUBLIC)
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist; name a file or a folder to scan.")
        for file in sorted(_files(path)):
            try:
                with file.open("rb") as stream:
                    yield from _opened(str(file), stream, known)
            except OSError as error:
                raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from error


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, names, files in os.walk(path):
        names[:] = sorted(set(names) - _SKIPPED)
        yield from (Path(folder) / name for name in files)


def _opened(name: str, stream: IO[bytes], known: tuple[str, ...], depth: int = 0) -> Iterator[Leak]:
    """One file, or each member of an archive (a wheel is a zip, a source distribution a compressed tar)."""
    start = stream.read(4)
    stream.seek(0)
    try:
        if start == b"PK\x03\x04" and depth < 3:
            yield from _zip(name, stream, known, depth)
        elif start[:2] == b"\x1f\x8b" and depth < 3:
            yield from _compressed(name, stream, known, depth)
        else:
            yield from _text(name, stream, known)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise UsageError(f"{name} cannot be unpacked: {error}. Scan it unpacked, or make it anew.") from error


def _zip(name: str, stream: IO[bytes], known: tuple[str, ...], depth: int) -> Iterator[Leak]:
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as member:
                    yield from _opened(f"{name}!{entry.filename}", member, known, depth + 1)


def _compressed(name: str, stream: IO[bytes], known: tuple[str, ...], depth: int) -> Iterator[Leak]:
    if not name.endswith((".tar.gz", ".tgz")):
        with gzip.open(stream) as inner:
            yield from _text(name, inner, known)
        return
    with tarfile.open(fileobj=stream) as archive:
        for entry in archive:
            if (member := archive.extractfile(entry)) is not None:
                yield from _opened(f"{name}!{entry.name}", member, known, depth + 1)


def _text(name: str, stream: IO[bytes] | gzip.GzipFile, known: tuple[str, ...]) -> Iterator[Leak]:
    """A stream read in windows that overlap, so that a secret on an edge is whole in one of them."""
    line, tail, seen = 1, b"", set()
    while chunk := stream.read(_WINDOW):
        window = tail + chunk
        text = _decoded(window)
        for kind, at in leaks(text, known):
            leak = Leak(name, line + text.count("\n", 0, at), kind)
            if leak not in seen and not (kind == ADDRESS and _LICENCE.search(name)):
                seen.add(leak)
                yield leak
        tail = window[-_OVERLAP:]
        line += window.count(b"\n") - tail.count(b"\n")


def _decoded(window: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if window.startswith(mark):
            return window.decode(encoding, "replace")
    return window.decode("utf-8", "replace")
