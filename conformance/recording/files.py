"""Files of traffic as tools leave them: packed, in other encodings, in folders; each becomes plain UTF-8 to be read."""

from __future__ import annotations

import gzip
import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from conformance.errors import UsageError

_ENDINGS = (".har", ".json", ".har.gz", ".json.gz", ".zhar", ".zip")
"""How files end that a folder may hold traffic in; `.zhar` is mitmproxy's, a HAR compressed by zlib."""

_LARGEST = 4 << 30
"""Bytes to which one archive may unpack."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BARE = ((b"{\x00", "utf-16-le"), (b"\x00{", "utf-16-be"), (b"[\x00", "utf-16-le"), (b"\x00[", "utf-16-be"))
"""How a file begins that is in another encoding: with a byte order mark, or with UTF-16 and none."""


class File(NamedTuple):
    """A file to be read as UTF-8 at `path`; messages call it `name`. `given`: the user named it, no folder did."""

    path: Path
    name: str
    given: bool


def found(path: Path, folder: Path) -> Iterator[File]:
    """The files at a path: of a folder and below, of an archive, or the file itself. `folder` is for what is unpacked.

    Raises UsageError for what cannot be read or unpacked.
    """
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in inside:
        if file is path or (file.is_file() and file.name.lower().endswith(_ENDINGS)):
            try:
                yield from _plain(File(file, str(file), given=file is path), folder)
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
                why = getattr(error, "strerror", None) or error
                raise UsageError(f"{file} cannot be read or unpacked: {why}.") from error


def _plain(file: File, folder: Path, depth: int = 0) -> Iterator[File]:
    with file.path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if start == b"PK\x03\x04" and depth < 2:
            yield from _zip(file, stream, folder, depth)
        elif start[:2] == b"\x1f\x8b" and depth < 2:
            with gzip.open(stream) as inner:
                yield from _plain(File(_copied(inner, file, folder), file.name, file.given), folder, depth + 1)
        elif start[:1] == b"\x78" and file.name.endswith(".zhar"):
            yield File(_copied(io.BytesIO(zlib.decompress(stream.read())), file, folder), file.name, file.given)
        elif encoding := next((name for mark, name in _MARKS + _BARE if start.startswith(mark)), ""):
            text = io.TextIOWrapper(stream, encoding, errors="replace", newline="")
            yield File(_recoded(text, file, folder), file.name, file.given)
        else:
            yield file


def _zip(file: File, stream: IO[bytes], folder: Path, depth: int) -> Iterator[File]:
    """An archive's members, unpacked into a folder of their own: bodies may stand beside a HAR (Playwright)."""
    with zipfile.ZipFile(stream) as archive:
        members = [member for member in archive.infolist() if not member.is_dir() and _is_safe(member.filename)]
        if sum(member.file_size for member in members) > _LARGEST:
            raise UsageError(f"{file.name} would unpack to more than {_LARGEST >> 30} GiB; give the files in it.")
        root = _place(folder)
        for member in members:
            archive.extract(member, root)
    traffic = [member.filename for member in members if member.filename.lower().endswith(_ENDINGS)]
    attached = any(name.lower().endswith(".har") for name in traffic)
    for name in traffic:
        if attached and name.lower().endswith(".json"):
            continue  # bodies, named by their digests
        yield from _plain(File(root / name, f"{file.name}!{name}", given=False), folder, depth + 1)


def _is_safe(name: str) -> bool:
    place = PurePosixPath(name.replace("\\", "/"))
    return not place.is_absolute() and ".." not in place.parts


def _copied(stream: IO[bytes] | gzip.GzipFile, file: File, folder: Path) -> Path:
    path = _place(folder) / (file.path.name.removesuffix(".gz") or "file")
    with path.open("wb") as copy:
        shutil.copyfileobj(stream, copy)
    return path


def _recoded(text: io.TextIOWrapper, file: File, folder: Path) -> Path:
    path = _place(folder) / file.path.name
    with path.open("w", encoding="utf-8", newline="") as copy:
        shutil.copyfileobj(text, copy)
    return path


def _place(folder: Path) -> Path:
    """A new folder inside."""
    for number in count():
        place = folder / str(number)
        if not place.exists():
            place.mkdir()
            return place
    raise AssertionError
