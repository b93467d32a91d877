"""Findings pasted as a user would: what `conformance repro` writes exits 1 on the faulty instance, 0 on a good one.

Neither leaves a deployment. Each fault takes about half a minute.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.emulator.faults import FAULTS
from conformance.targets.emulated import emulator_process
from tests.cli.conftest import Run, conformance

__all__ = ["conformance"]
USER = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
SHOWN = (
    "create-null-pipeline-id",
    "create-64-characters-is-500",
    "deploy-again-gives-a-new-id",
    "deploy-refuses-an-older-version",
    "copy-deploys-unasked",
    "copy-takes-the-oldest-version",
    "undeploy-twice-fails",
    "engine-shows-another-sha",
    "url-of-another-deployment",
    "infer-reverses-large-batches",
    "infer-arrow-without-time",
    "infer-after-undeploy",
    "no-challenge",
    "any-media-type",
)
"""One fault of each kind of evidence: of one request, of many, of Arrow, of refusals, of drawn requests."""


def deployed(folder: Path) -> int:
    """The deployments that an instance with this data folder still runs."""
    with sqlite3.connect(folder / "state.sqlite") as database:
        return int(database.execute("SELECT count(*) FROM deployment WHERE stopped IS NULL").fetchone()[0])


def pasted(file: Path, url: str, conformance: Run) -> tuple[int, str]:
    """Run one of the written files as its own words say: its exit code and what it printed."""
    exported = conformance("token", "--target", url, "--export", **USER).stdout
    token = dict(line.removeprefix("export ").split("=", 1) for line in exported.splitlines())
    environment = {**os.environ, **USER, **token, "CONFORMANCE_TARGET": url, "PYTHON": sys.executable}
    command = ["bash", file.name] if file.suffix == ".sh" else [sys.executable, file.name]
    done = subprocess.run(
        command, cwd=file.parent, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("fault", SHOWN)
def test_a_finding_shows_itself_again_and_leaves_nothing_deployed(conformance: Run, tmp_path: Path, fault: str) -> None:
    breaks = next(one for one in FAULTS if one.id == fault).breaks
    data = tmp_path / "faulty"
    with emulator_process(["--fault", fault, "--data-dir", str(data)]) as url:
        run = conformance(
            "run", "--target", url, "--budget", "quick", "--report", "json=result.json", timeout=300, **USER
        )
        rows = json.loads((tmp_path / "result.json").read_text("utf-8"))["requirements"]
        broken = [row["id"] for row in rows if row["outcome"] == "broken" and row["id"] in breaks]
        assert broken, run.stdout
        written = conformance("repro", "result.json", broken[0], "--output", "shown").stdout.split()
        script, test = (tmp_path / name for name in written[:2])
        before = deployed(data)
        for file in (script, test):
            code, said = pasted(file, url, conformance)
            assert code == 1, said
        assert deployed(data) == before
    data = tmp_path / "good"
    with emulator_process(["--data-dir", str(data)]) as url:
        for file in (script, test):
            code, said = pasted(file, url, conformance)
            assert code == 0, said
        assert deployed(data) == 0
