"""What an instance says of itself: the description it serves, and the exchanges of a lifecycle run against it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.cli.run import by_pytest, progress_of
from conformance.drift.sources.collection import served_by
from conformance.drift.sources.served import Served
from conformance.model import Exchange
from conformance.recording.traffic import read
from conformance.run.runner import Runner
from conformance.run.settings import Settings, checked, open_target
from conformance.spec.document import Document


@dataclass(frozen=True)
class Exercised:
    """What was seen of an instance; `exchanges` None where nothing was sent on purpose."""

    url: str
    served: Served
    exchanges: tuple[Exchange, ...] | None


def exercised(settings: Settings, place: str, *, send: bool) -> Exercised:
    """Ask an instance for its description, at `place` or the usual ones, and run the lifecycle against it if `send`.

    Raises what opening a target raises. The exchanges are redacted.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-drift-") as folder:
        kept = Path(folder) / "run.har"
        with Runner(checked(_recording(settings, kept) if send else settings)) as runner:
            runner.prepare()
            target = open_target(runner.settings)
            try:
                served = served_by(target, place)
                url = target.url
            finally:
                target.close()
            if send:
                with progress_of(runner) as progress:
                    by_pytest((), progress)(runner)
        exchanges = exchanges_of([kept], Document.load(settings.profile)) if kept.is_file() else ()
        return Exercised(url, served, tuple(exchanges) if send else None)


def exchanges_of(files: Iterable[Path], document: Document) -> tuple[Exchange, ...]:
    """The exchanges in HAR files, recordings and folders of them. Raises UsageError where one is no traffic."""
    return tuple(exchange for _, series in read(files, document) for exchange in series)


def _recording(settings: Settings, file: Path) -> Settings:
    return replace(settings, suites=("lifecycle",), record=str(file))
