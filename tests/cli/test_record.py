"""`conformance record --replay`: recorded requests sent to a live instance, and who stands alone in a difference."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.data import FIXTURES
from conformance.recording import folder
from conformance.spec.document import Document
from conformance.targets.emulated import emulator_process

USER = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


def record(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", "record", "--journal", str(tmp_path / "journal"), *arguments]
    return subprocess.run(command, env=os.environ | USER, capture_output=True, text=True, check=False)


@pytest.mark.smoke
def test_a_difference_of_the_service_alone_is_told_and_its_answers_can_be_replayed(tmp_path: Path) -> None:
    recordings = str(FIXTURES / "recordings")
    with emulator_process(["--fault", "engine-without-ip"]) as url:
        done = record(tmp_path, "--target", url, "--replay", recordings, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "  body.engines[].ip: gone, string before, absent now; the service stands alone" in done.stdout
    assert "12 sent again: 11 answered alike by all three, 1 with differences." in done.stdout
    kept = folder.read(tmp_path / "out", Document.load())
    assert len(kept) == 12
    assert {one.session for one in kept if "copy" not in one.name} == {"tutorial of 2023-11-30"}
    with emulator_process() as url:
        again = record(
            tmp_path, "--target", url, "--replay", str(tmp_path / "out"), "--output", str(tmp_path / "again")
        )
    assert again.returncode == 0, again.stderr
    assert "  body.engines[].ip: new, absent before, string now; the recording stands alone" in again.stdout


def test_what_was_recorded_of_another_release_stands_alone_and_what_is_gone_is_not_sent(tmp_path: Path) -> None:
    with emulator_process(["--profile", "2024.1"]) as url:
        done = record(
            tmp_path, "--target", url, "--profile", "2024.1", "--replay", str(FIXTURES / "recordings"),
            "--output", str(tmp_path / "out"),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "  body: null, null before, object now; the recording stands alone" in done.stdout
    assert "Not sent: 2. It is of no operation described here" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--whole"], "--replay sends recorded requests; leave --everything and --whole out."),
        (["--output", "x.har"], "name a folder for --output"),
        (["--replay", "nowhere"], "There is no folder nowhere."),
    ],
)
def test_a_replay_that_cannot_be_is_wrong_usage(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--target", "http://127.0.0.1:9", "--output", "out", "--replay", str(FIXTURES / "recordings")]
    done = record(tmp_path, *options, *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
