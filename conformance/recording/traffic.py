"""Traffic to be judged: HAR files, recordings and folders of both, as series of exchanges that share a ledger.

Files come as tools leave them: packed, in other encodings, in folders with others."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import ijson

from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.recording import har, recording
from conformance.recording.recording import Recording, load
from conformance.spec.document import Document

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


Series = tuple[str, Iterable[Exchange]]
"""A name for messages, and exchanges in order of start that are about one instance."""


def read(
    paths: Iterable[Path], document: Document, passed_over: Callable[[str], None] = lambda sentence: None
) -> Iterator[Series]:
    """The series in the files, archives and folders given: one per HAR and instance, per recording, and per session.

    `passed_over` hears of each file of a folder that is no traffic, and why. A series must be used up before the next
    is asked for. Raises UsageError for what is no traffic, or is cut short.
    """
    sessions: dict[str, list[Recording]] = {}
    with tempfile.TemporaryDirectory(prefix="conformance-traffic-") as folder:
        for path in paths:
            for file, kind in _files(path, Path(folder), passed_over):
                if kind == "har":
                    yield from _har(file, document)
                    continue
                for recording in load(file.path, document, file.name):
                    if recording.session:
                        sessions.setdefault(recording.session, []).append(recording)
                    else:
                        yield recording.name, (recording.exchange,)
        for session, recordings in sessions.items():
            yield session, [recording.exchange for recording in ordered(recordings)]


def ordered(recordings: Iterable[Recording]) -> list[Recording]:
    """A session's recordings by `order` where each has one, else by start where each has one, else as given."""
    known = list(recordings)
    if all(recording.order is not None for recording in known):
        return sorted(known, key=lambda recording: recording.order or 0)
    if all(recording.exchange.started is not None for recording in known):
        return sorted(known, key=lambda recording: recording.exchange.started or 0.0)
    return known


def _har(file: File, document: Document) -> Iterator[Series]:
    with har.opened(file.path, file.name) as archive:
        for instance in archive.instances:
            yield f"{file.name} ({instance})", (_placed(e, document) for e in archive.exchanges(instance))


def _placed(exchange: Exchange, document: Document) -> Exchange:
    operation, parameters = recording.operation_of(document, exchange.request, None)
    return replace(exchange, operation=operation, parameters=parameters)


def _files(path: Path, folder: Path, passed_over: Callable[[str], None]) -> Iterator[tuple[File, str]]:
    """Each file with its kind. A folder's other files are passed over, and said; a file that was named is traffic."""
    if not path.exists():
        raise UsageError(f"{path} does not exist; give a HAR, a recording, or a folder of them.")
    any_traffic = False
    for file in found(path, folder):
        kind = _kind(file)
        if kind in ("har", "recording"):
            any_traffic = True
            yield file, kind
        elif not file.given:
            passed_over(f"{file.name} {kind}")
        else:
            raise UsageError(f"{file.name} {kind}: {_FORMATS}.")
    if not any_traffic:
        raise UsageError(f"{path} holds no recording and no HAR; give a folder or an archive that does, or a file.")


_FORMATS = "a HAR has `log.entries`, a recording `request` and `response`"


def _kind(file: File) -> str:
    """`har` or `recording` by the file's outermost names, else what it is instead. Raises UsageError: unreadable."""
    names: set[str] = set()
    try:
        with file.path.open("rb") as stream, suppress(StopIteration):
            for prefix, event, value in ijson.parse(stream, use_float=True):
                if prefix == "" and event == "map_key":
                    names.add(value)
                if "log" in names:
                    return "har"
                if {"request", "response"} <= names or "recordings" in names:
                    return "recording"
    except OSError as error:
        raise UsageError(f"{file.name} cannot be read: {error.strerror}.") from error
    except (ijson.JSONError, ValueError):
        return "is empty, and so is not JSON" if not file.path.stat().st_size else "is not JSON, or is cut short"
    return "is neither a HAR nor a recording"
