"""Journals: on disk before the call, readable after any end, kept no longer than needed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from conformance.errors import NoVerdictError, UsageError
from conformance.targets.safety.journal import Journal, default_folder, entries, read

PREFIX = "conformance-r1-"
INTENT = {"at": 1.0, "call": "1-1", "intent": "pipelines.deploy", "name": PREFIX + "p", "pipeline_id": 5}
OUTCOME = {"at": 2.0, "call": "1-1", "status": 200, "deployment": 14}


def begun(folder: Path, run: str = "r1") -> Journal:
    return Journal.begin(folder, run, "https://x.example", f"conformance-{run}-")


def test_what_is_written_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    journal = begun(tmp_path / "new")
    journal.write(INTENT)
    entry = read(journal.path)
    assert entry is not None
    assert entry.open
    assert [note["call"] for note in entry.holdings.maybe_deployed()] == ["1-1"]
    journal.write(OUTCOME)
    entry = read(journal.path)
    assert entry is not None
    assert list(entry.holdings.deployments) == [14]
    journal.close(clean=False)


def test_every_line_is_synced_before_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, synced = begun(tmp_path), []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(journal.path.read_bytes()))
    journal.write(INTENT)
    assert json.loads(synced[0].splitlines()[-1]) == INTENT
    journal.close(clean=False)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    journal = begun(tmp_path / "new")
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    journal.close(clean=True)


def test_a_torn_line_hides_nothing_before_and_after_it(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.write(INTENT)
    journal.close(clean=False)
    with journal.path.open("ab") as file:
        file.write(b'{"at":2.0,"call":"1-1","sta')
    again = Journal(journal.path)
    again.write(OUTCOME)
    again.close(clean=False)
    entry = read(journal.path)
    assert entry is not None
    assert list(entry.holdings.deployments) == [14]


def test_a_run_that_left_nothing_is_closed(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.close(clean=True)
    entry = read(journal.path)
    assert entry is not None
    assert entry.closed
    assert not entry.open


def test_runs_are_told_apart_and_strange_files_passed_over(tmp_path: Path) -> None:
    for run in ("r1", "r2"):
        begun(tmp_path, run).close(clean=False)
    (tmp_path / "notes.jsonl").write_text("[1]\n", encoding="utf-8")
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    assert [entry.run_id for entry in entries(tmp_path)] == ["r1", "r2"]
    assert [entry.run_id for entry in entries(tmp_path, "r2")] == ["r2"]
    with pytest.raises(UsageError, match="no journal of run r3"):
        entries(tmp_path, "r3")


def test_old_journals_go_once_nothing_is_left_of_their_runs(tmp_path: Path) -> None:
    for run, clean in (("old-clean", True), ("old-open", False), ("new-clean", True)):
        journal = begun(tmp_path, run)
        journal.close(clean=clean)
        if run.startswith("old"):
            os.utime(journal.path, (0, 0))
    begun(tmp_path, "now").close(clean=True)
    assert sorted(entry.run_id for entry in entries(tmp_path)) == ["new-clean", "now", "old-open"]


def test_a_folder_that_cannot_be_written_to_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="--journal DIR"):
        begun(tmp_path / "file" / "folder")


def test_nothing_is_made_once_the_journal_cannot_be_written(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.close(clean=False)
    with pytest.raises(NoVerdictError, match="nothing more is made"):
        journal.write(INTENT)


def test_the_state_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/wallaroo-conformance")
    monkeypatch.setattr("sys.platform", "linux")
    assert default_folder({}) == Path.home() / ".local" / "state" / "wallaroo-conformance"
