"""A run's journal: what it made and may have made at a target, on disk before each call that makes something.

One file per run, `<run id>.jsonl`: a line that says where and when, then the notes of `Holdings`, one JSON object a
line. All workers of a run append to it. It holds ids and names of ours, no credentials, no bodies.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.errors import NoVerdictError, UsageError
from conformance.targets.safety.holdings import Holdings, Note

_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEPT_SECONDS = 30 * 24 * 3600
"""How long the journal of a run that left nothing behind is kept."""


@dataclass(frozen=True)
class Entry:
    """One journal as read: of which run, against which target, and what that run holds there by now."""

    path: Path
    run_id: str
    target: str
    started: str
    closed: bool
    notes: tuple[Note, ...]
    holdings: Holdings

    @property
    def open(self) -> bool:
        """Whether something of the run may still be deployed."""
        return not self.closed and not self.holdings.clean


class Journal:
    """The file of one run, appended to. Every line is on disk before `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        torn = path.exists() and not path.read_bytes().endswith(b"\n")  # its writer died in the midst of a line
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        if torn:
            os.write(self._file, b"\n")

    @classmethod
    def begin(cls, folder: Path, run_id: str, target: str, prefix: str) -> Journal:
        """A new run's journal. Raises UsageError where the folder cannot be written to."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _forget_old(folder)
            journal = cls(folder / f"{run_id}.jsonl")
        except OSError as error:
            raise UsageError(
                f"No journal can be kept in {folder} ({error.strerror}). Give --journal DIR with a folder to write to."
            ) from None
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        journal.write({"journal": 1, "run": run_id, "target": target, "prefix": prefix, "started": now})
        return journal

    def write(self, note: Mapping[str, Any]) -> None:
        """Append one note. Raises NoVerdictError where it cannot be kept: nothing may be made then."""
        line = json.dumps(note, separators=(",", ":")).encode() + b"\n"
        try:
            written = os.write(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            raise NoVerdictError(
                f"The journal {self.path} cannot be written ({error.strerror}); nothing more is made without it."
            ) from None
        if written != len(line):
            raise NoVerdictError(f"The journal {self.path} cannot be written (the disk is full?).")

    def close(self, *, clean: bool) -> None:
        """End it; `clean` says that nothing of the run is left at the target."""
        if clean:
            self.write({"closed": True})
        os.close(self._file)


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where journals are kept: the user's state folder (XDG_STATE_HOME and its like)."""
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"]) / "wallaroo-conformance"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "wallaroo-conformance"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home()) / "wallaroo-conformance"
    return Path.home() / ".local" / "state" / "wallaroo-conformance"


def read(path: Path) -> Entry | None:
    """A journal as far as it can be read; None where the file is none. A torn last line is no reason to stop."""
    lines = path.read_bytes().split(b"\n")
    head = _line(lines[0])
    if head is None or head.get("journal") != 1 or not all(isinstance(head.get(k), str) for k in _HEAD):
        return None
    holdings = Holdings(head["prefix"])
    notes = tuple(note for line in lines[1:] if (note := _line(line)) is not None)
    closed = False
    for note in notes:
        closed = note.get("closed") is True
        try:
            holdings.take(note)
        except (KeyError, TypeError, ValueError):
            continue
    return Entry(path, head["run"], head["target"], head["started"], closed, notes, holdings)


_HEAD = ("run", "target", "prefix", "started")


def entries(folder: Path, run_id: str = "") -> list[Entry]:
    """The journals of a folder, oldest first; only the run's own where one is named.

    Raises UsageError where that run has none here, or the folder cannot be read.
    """
    if run_id and not _RUN_ID.fullmatch(run_id):
        raise UsageError(f"'{run_id}' is no run id. The journals' names in {folder} hold the ids of runs.")
    try:
        paths = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
        found = [entry for path in paths if (not run_id or path.stem == run_id) and (entry := read(path))]
    except OSError as error:
        raise UsageError(f"The journals in {folder} cannot be read ({error.strerror}).") from None
    if run_id and not found:
        raise UsageError(f"There is no journal of run {run_id} in {folder}. Give --journal DIR where it was kept.")
    return sorted(found, key=lambda entry: entry.started)


def _line(line: bytes) -> Note | None:
    try:
        note = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) else None


def _forget_old(folder: Path) -> None:
    """Remove journals of runs that left nothing behind and are long over."""
    for path in folder.glob("*.jsonl"):
        if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
            entry = read(path)
            if entry is not None and entry.closed:
                path.unlink(missing_ok=True)
