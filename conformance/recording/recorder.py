"""Keeps the exchanges of a run, redacted, as a folder of recordings or as a HAR."""

from __future__ import annotations

import threading
from pathlib import Path

from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.recording import folder, har_export
from conformance.recording.recording import Recording
from conformance.redaction import redact_exchange


def checked(path: Path) -> Path:
    """The path, if recordings can be written to it. Raises UsageError before a run begins where they cannot."""
    if _is_har(path) and not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to write {path.name} to; make it first.")
    if _is_har(path) and path.is_dir():
        raise UsageError(f"{path} is a folder; name a file for the HAR.")
    if not _is_har(path) and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is there already and not an empty folder; name another for the recordings.")
    return path


def checked_har(path: Path) -> Path:
    """The path, if a HAR can be written to it. Raises UsageError where it cannot, or is named as a folder would be."""
    if not _is_har(path):
        raise UsageError(f"{path} does not end in .har; name the file that the requests and answers are kept in so.")
    return checked(path)


def _is_har(path: Path) -> bool:
    return path.suffix.lower() == ".har"


class Recorder:
    """Takes exchanges as they happen and writes them at the end; what it holds is redacted already.

    A path that ends in `.har` becomes a HAR, any other a folder of recordings. Each worker of a run sees its own
    exchanges: it writes a HAR of its own (`run-gw0.har`), or recordings of a session of its own. Exchanges with a body
    of more than `largest` bytes are left out and counted; 0 keeps all.
    """

    def __init__(
        self, path: Path, source: str, release: str, session: str = "", worker: str = "", largest: int = 0
    ) -> None:
        self.path = path.with_stem(f"{path.stem}-{worker}") if worker and _is_har(path) else path
        self._source, self._release, self._worker = source, release, worker
        self._session = f"{session} {worker}".strip()
        self.left_out = 0
        self._largest = largest
        self._kept: list[Exchange] = []
        self._lock = threading.Lock()

    def keep(self, exchange: Exchange) -> None:
        """Take one exchange, from any thread."""
        sizes = [len(message.body) for message in (exchange.request, exchange.response) if message]
        if self._largest and max(sizes) > self._largest:
            with self._lock:
                self.left_out += 1
            return
        redacted = redact_exchange(exchange)
        with self._lock:
            self._kept.append(redacted)

    def write(self) -> int:
        """Write what was kept, in order of start, and return how many exchanges that is. Raises UsageError."""
        exchanges = sorted(self._kept, key=lambda exchange: exchange.started or 0.0)
        if _is_har(self.path):
            return har_export.write(self.path, exchanges)
        recordings = (self._recording(number, exchange) for number, exchange in enumerate(exchanges, start=1))
        return len(folder.write(self.path, recordings, self._worker))

    def _recording(self, number: int, exchange: Exchange) -> Recording:
        came = f"status {exchange.status}" if exchange.response else exchange.failure
        labels = f" ({', '.join(sorted(exchange.labels))})" if exchange.labels else ""
        return Recording(
            exchange=exchange,
            about=f"{exchange.operation or exchange.request.path} answered {came}{labels}.",
            source=self._source,
            release=self._release,
            session=self._session,
            order=number,
            intent=exchange.intent,
            labels=exchange.labels,
        )
