"""Folders of recordings: `<operation id>/<slug>.json`, and the exchanges of a run kept as such a folder or as a HAR."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.errors import UsageError
from conformance.model import Exchange, Request, Response
from conformance.recording import har
from conformance.recording.recording import Recording, bytes_of, load, recordings_in, text_of
from conformance.redaction import redact_exchange
from conformance.spec.document import Document

OTHER = "other"
"""The folder of exchanges that are of no operation."""


def read(folder: Path, document: Document) -> tuple[Recording, ...]:
    """Every recording in a folder and below it, by path; other JSON files are passed over. Raises UsageError."""
    found = tuple(_recordings(folder, document))
    if not found:
        raise UsageError(f"{folder} holds no recording; specs/recording.schema.json has the format.")
    return found


def _recordings(folder: Path, document: Document) -> Iterator[Recording]:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    for path in sorted(folder.rglob("*.json")):
        try:
            raw = json.loads(path.read_bytes())
        except ValueError as error:
            raise UsageError(f"{path} is not JSON, or is cut short ({error}).") from error
        if recordings_in(raw):
            yield from load(path, document)


def write(folder: Path, recordings: Iterable[Recording], prefix: str = "") -> tuple[Path, ...]:
    """Write each recording to a file of its own, named by `prefix`, its order and status; a namesake is replaced.

    Exchanges are written as they are: redact them first. Raises UsageError where the folder cannot be written.
    """
    written = []
    for number, recording in enumerate(recordings, start=1):
        exchange = recording.exchange
        status = exchange.status if exchange.response else "no-answer"
        slug = "-".join(filter(None, (prefix, f"{number:03}", str(status))))
        try:
            written.append(_write_one(folder / (exchange.operation or OTHER), slug, recording))
        except OSError as error:
            raise UsageError(f"The recording cannot be written to {folder}: {error.strerror}.") from error
    return tuple(written)


def _write_one(folder: Path, slug: str, recording: Recording) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    raw, files = rendered(recording, slug)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    path = folder / f"{slug}.json"
    part = folder / f".{slug}.part"
    part.write_text(json.dumps(raw, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def rendered(recording: Recording, slug: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A recording as its file holds it, and the body files to stand beside it, by name."""
    exchange = recording.exchange
    files: dict[str, bytes] = {}
    raw: dict[str, Any] = {"about": recording.about, "source": recording.source, "release": recording.release}
    if recording.session:
        raw["session"] = recording.session
    if recording.order is not None:
        raw["order"] = recording.order
    if recording.intent:
        raw["intent"] = recording.intent
    if recording.labels:
        raw["labels"] = sorted(recording.labels)
    for name, moment in (("started", exchange.started), ("ended", exchange.ended)):
        if moment is not None:
            raw[name] = text_of(moment)
    request = exchange.request
    place = {"url": request.url} if urlsplit(request.url).netloc else {"path": request.url}
    asked = _message(request, f"{slug}.request", files)
    if not request.body_known:
        asked.pop("body", None)
    raw["request"] = {"method": request.method, **place, **asked}
    raw["response"] = _answer(recording, exchange, slug, files)
    return raw, files


def _answer(recording: Recording, exchange: Exchange, slug: str, files: dict[str, bytes]) -> dict[str, Any]:
    response = exchange.response
    if response is None:
        return {"status": None, "failure": exchange.failure}
    source = {"status_source": recording.status_source} if recording.status_source else {}
    message = _message(response, f"{slug}.response", files)
    if not response.body_known:
        message.pop("body", None)
    if not response.headers_known:
        message.pop("headers", None)
    return {"status": response.status, **source, **message}


def _message(message: Request | Response, slug: str, files: dict[str, bytes]) -> dict[str, Any]:
    content_type = message.headers.get("content-type", "")
    headers = {name: value for name, value in message.headers.items() if name != "content-type"}
    raw: dict[str, Any] = {"headers": headers}
    if content_type:
        raw["content_type"] = content_type
    kept, value = _written(message.body)
    if kept:
        # JSON kept as a value is read back as other bytes; a length that was true stays true of them.
        if headers.get("content-length") == str(len(message.body)):
            headers["content-length"] = str(len(bytes_of(value)))
        return raw | {"body": value}
    name = f"{slug}{_ending(content_type)}"
    files[name] = message.body
    return raw | {"body_file": name, "sha256": hashlib.sha256(message.body).hexdigest()}


def _written(body: bytes) -> tuple[bool, Any]:
    """Whether a body can stand in the file, and as what: JSON that is no string as itself, other text as a string."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False, None
    try:
        value = json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_unrepeated)
    except (ValueError, RecursionError):
        return text.isprintable() or text.replace("\n", "").replace("\r", "").isprintable(), text
    return True, (text if isinstance(value, str) else value)


def _unrepeated(pairs: Any) -> dict[str, Any]:
    """Repeated names and NaN would not survive being written as JSON anew; the text does."""
    if isinstance(pairs, str) or len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("kept as text")
    return dict(pairs)


def _ending(content_type: str) -> str:
    media_type = content_type.split(";")[0].strip().lower()
    return {"application/vnd.apache.arrow.file": ".arrow", "multipart/form-data": ".form"}.get(media_type, ".bin")


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
            return har.write(self.path, exchanges)
        recordings = (self._recording(number, exchange) for number, exchange in enumerate(exchanges, start=1))
        return len(write(self.path, recordings, self._worker))

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
