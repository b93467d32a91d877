"""Replays recordings to any httpx client: from a folder, a HAR, the names of our own fixtures, or values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx

from conformance.data import FIXTURES
from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.recording.recording import Recording
from conformance.recording.traffic import read
from conformance.spec.document import Document
from conformance.targets.recorded import Recorded

OURS = FIXTURES / "recordings"
"""The recordings that come with the package: every exchange of the tutorial."""


def recorded_transport(*recordings: str | Path | Recording | Exchange, profile: str = "2023.4") -> httpx.BaseTransport:
    """A transport that answers from recordings, for `httpx.Client(transport=...)`; async clients may use it too.

    Each of `recordings` is a folder, a recording, a HAR, the name of one of ours (`pipelines.deploy`,
    `pipelines.create/empty-by-requests`) or a value; none means all of ours.
    Raises UsageError for what is none of these.
    """
    return replay(*recordings, profile=profile).transport


def replay(
    *recordings: str | Path | Recording | Exchange, profile: str = "2023.4", beside: Path | None = None
) -> Recorded:
    """The same as a value that also knows what was asked and what never was; names are looked up `beside` a folder."""
    document = Document.load(profile)
    return Recorded(exchange for given in recordings or (OURS,) for exchange in _exchanges(given, document, beside))


def _exchanges(given: str | Path | Recording | Exchange, document: Document, beside: Path | None) -> Iterator[Exchange]:
    if isinstance(given, Recording):
        yield given.exchange
    elif isinstance(given, Exchange):
        yield given
    else:
        for _, exchanges in read([_found(given, beside)], document):
            yield from exchanges


def _found(given: str | Path, beside: Path | None) -> Path:
    for path in _places(Path(given), beside):
        if path.exists():
            return path
    known = ", ".join(sorted(folder.name for folder in OURS.iterdir() if folder.is_dir()))
    raise UsageError(f"There are no recordings '{given}': it is no file or folder, and none of ours ({known}).")


def _places(path: Path, beside: Path | None) -> Iterable[Path]:
    return (*([beside / path] if beside else []), path, OURS / path, OURS / f"{path}.json")
