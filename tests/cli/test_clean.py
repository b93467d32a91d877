"""Nothing is left behind: not after a signal, not after a kill, not by a worker that died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cut_short import CREDENTIALS, NEIGHBOUR, Instance, clean, instance_beside_a_neighbour, run


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with instance_beside_a_neighbour(tmp_path_factory.mktemp("instance"), "--start-seconds", "1") as instance:
        yield instance


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_undeploys_what_it_deployed(instance: Instance, tmp_path: Path, number: int) -> None:
    with run(instance, tmp_path) as cut:
        assert cut.wait_for_deployment()
        os.kill(cut.process.pid, number)
        code, said = cut.ended()
    assert code == 3, said
    assert "The run was interrupted." in said
    assert "Traceback" not in said
    assert instance.deployed() == [NEIGHBOUR]
    assert cut.lines()[-1].get("closed") is True


def test_what_a_killed_run_left_is_cleaned_and_nothing_else_touched(instance: Instance, tmp_path: Path) -> None:
    with run(instance, tmp_path) as cut:
        assert cut.wait_for_deployment()
        cut.kill()
    assert len(instance.deployed()) > 1
    first = clean(instance, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "undeployed conformance-" in first.stdout
    assert instance.deployed() == [NEIGHBOUR]
    again = clean(instance, tmp_path)
    assert again.returncode == 0
    assert "Nothing to clean" in again.stdout


def test_a_deploy_whose_answer_never_came_is_found_by_our_names(instance: Instance, tmp_path: Path) -> None:
    with run(instance, tmp_path) as cut:
        assert cut.wait_for_deployment()
        cut.kill()
    journal = next((tmp_path / "journal").glob("*.jsonl"))
    kept = [line for line in journal.read_text(encoding="utf-8").splitlines() if '"deployment"' not in line]
    journal.write_text("\n".join(kept) + '\n{"call":"torn', encoding="utf-8")
    assert len(instance.deployed()) > 1
    outcome = clean(instance, tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert instance.deployed() == [NEIGHBOUR]


def test_what_a_killed_worker_left_is_cleaned_by_the_run(instance: Instance, tmp_path: Path) -> None:
    with run(instance, tmp_path, "--workers", "2") as cut:
        assert cut.wait_for_deployment()
        call = next(str(line["call"]) for line in cut.lines() if "deployment" in line)
        os.kill(int(call.partition("-")[0]), signal.SIGKILL)
        code, said = cut.ended()
    assert code == 3, said
    assert "died before it was done" in " ".join(said.split())
    assert instance.deployed() == [NEIGHBOUR]


def test_what_cannot_be_undeployed_is_listed(instance: Instance, tmp_path: Path) -> None:
    with instance_beside_a_neighbour(tmp_path / "elsewhere", "--start-seconds", "1") as gone:
        with run(gone, tmp_path, "--timeout", "20") as cut:
            assert cut.wait_for_deployment()
            cut.kill()
        path = next((tmp_path / "journal").glob("*.jsonl"))
        lines = path.read_text(encoding="utf-8").splitlines()
    outcome = clean(gone, tmp_path)
    assert outcome.returncode == 3
    assert "cannot be reached" in outcome.stderr
    assert path.read_text(encoding="utf-8").splitlines() == lines, "what is not clean is not closed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "No target"),
        (["--target", "https://x.example", "--run", "absent"], "no journal of run absent"),
        (["--target", "https://x.example", "--run", "../x"], "is no run id"),
    ],
)
def test_what_cannot_be_cleaned_is_wrong_usage(conformance: Run, arguments: list[str], said: str) -> None:
    outcome = conformance("clean", *arguments, **CREDENTIALS)
    assert outcome.returncode == 2
    assert said in outcome.stderr


def test_a_run_of_another_target_is_not_cleaned_here(conformance: Run, tmp_path: Path) -> None:
    head = {"journal": 1, "run": "r", "target": "https://a.example", "prefix": "conformance-r-", "started": "2026"}
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "r.jsonl").write_text(json.dumps(head) + "\n", encoding="utf-8")
    outcome: subprocess.CompletedProcess[str] = conformance(
        "clean", "--target", "https://b.example", "--run", "r", "--journal", "j", **CREDENTIALS
    )
    assert outcome.returncode == 2
    assert "https://a.example" in outcome.stderr
