"""`--workers`: several processes come to the verdict of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.targets.emulated import emulator_process
from tests.cli.conftest import Run

CREDENTIALS = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


@pytest.mark.parametrize("fault", ["", "deploy-again-gives-a-new-id"])
def test_two_workers_and_four_give_the_verdict_of_one(conformance: Run, tmp_path: Path, fault: str) -> None:
    outcomes = {}
    for workers in ("1", "2", "4"):
        with emulator_process(["--fault", fault] if fault else []) as url:
            conformance(
                "run", "--target", url, "--workers", workers, "--budget", "quick",
                *("--suite", "lifecycle", "--suite", "refusals", "--suite", "standards"),
                "--report", f"json={workers}.json", **CREDENTIALS,
            )  # fmt: skip
        result = json.loads((tmp_path / f"{workers}.json").read_text(encoding="utf-8"))
        broken = {row["id"] for row in result["requirements"] if row["gates"] and row["outcome"] == "broken"}
        outcomes[workers] = (result["exit_code"], result["verdict"], broken)
    assert outcomes == dict.fromkeys(outcomes, outcomes["1"])
    assert outcomes["1"][0] == (1 if fault else 0)
