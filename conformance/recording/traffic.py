"""Traffic to be judged: HAR files, recordings and folders of both, as series of exchanges that share a ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import ijson

from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.recording import foreign, har
from conformance.recording.files import File, found
from conformance.recording.recording import Recording, load
from conformance.spec.document import Document

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
    operation, parameters = foreign.operation_of(document, exchange.request, None)
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
