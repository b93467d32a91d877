"""Traffic to be judged: HAR files, recordings and folders of both, as series of exchanges that share a ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import ijson

from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.recording import foreign, har
from conformance.recording.recording import Recording, load
from conformance.spec.document import Document

Series = tuple[str, Iterable[Exchange]]
"""A name for messages, and exchanges in order of start that are about one instance."""


def read(paths: Iterable[Path], document: Document) -> Iterator[Series]:
    """The series in the files and folders given: one per HAR and instance, per recording, and per session.

    A series must be used up before the next is asked for. Raises UsageError for what is no traffic, or is cut short.
    """
    sessions: dict[str, list[Recording]] = {}
    for path in paths:
        for file, kind in _files(path):
            if kind == "har":
                yield from _har(file, document)
                continue
            recording = load(file, document)
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


def _har(file: Path, document: Document) -> Iterator[Series]:
    with har.opened(file) as archive:
        for instance in archive.instances:
            yield f"{file} ({instance})", (_placed(e, file, document) for e in archive.exchanges(instance))


def _placed(exchange: Exchange, file: Path, document: Document) -> Exchange:
    operation, parameters = foreign.operation_of(document, exchange.request, None)
    return replace(exchange, operation=operation, parameters=parameters, source=str(file))


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Each file with its kind. A folder's other JSON files are passed over; a file that was named must be traffic."""
    if path.is_dir():
        found = [(file, _kind(file)) for file in sorted(path.rglob("*")) if file.suffix in (".json", ".har")]
        if not any(kind for _, kind in found):
            raise UsageError(f"{path} holds no recording and no HAR; give a folder that does, or a file.")
        yield from ((file, kind) for file, kind in found if kind)
        return
    if not path.exists():
        raise UsageError(f"{path} does not exist; give a HAR, a recording, or a folder of them.")
    kind = _kind(path)
    if not kind:
        raise UsageError(f"{path} is neither a HAR nor a recording: {_FORMATS}.")
    yield path, kind


_FORMATS = "a HAR has `log.entries`, a recording `request` and `response`"


def _kind(path: Path) -> str:
    """`har` or `recording` by the file's outermost names, "" for neither. Raises UsageError where it is no JSON."""
    names: set[str] = set()
    try:
        with path.open("rb") as file, suppress(StopIteration):
            for prefix, event, value in ijson.parse(file, use_float=True):
                if prefix == "" and event == "map_key":
                    names.add(value)
                if "log" in names:
                    return "har"
                if {"request", "response"} <= names:
                    return "recording"
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except (ijson.JSONError, ValueError) as error:
        raise UsageError(f"{path} is not JSON, or is cut short; {_FORMATS}.") from error
    return ""
