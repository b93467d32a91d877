"""`--shard` and `conformance merge`: shards come to the verdict of one run, requirement by requirement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.targets.emulated import emulator_process
from tests.cli.conftest import Run
from tests.cli.test_workers import CREDENTIALS

SUITES = ("--suite", "lifecycle", "--suite", "standards")


def _outcomes(path: Path) -> dict[str, Any]:
    result = json.loads(path.read_text(encoding="utf-8"))
    rows = {row["id"]: (row["outcome"], row["gates"]) for row in result["requirements"]}
    return {"verdict": result["verdict"], "exit_code": result["exit_code"], "scope": result["scope"], "rows": rows}


# It starts slowly enough for every run to see how a start looks, which is a promise of its own.
SLOW = ["--start-seconds", "1"]


@pytest.mark.parametrize(
    ("instance", "of"),
    [([*SLOW, "--fault", "deploy-again-gives-a-new-id"], 2), ([*SLOW, "--vary", "3"], 3)],
    ids=["faulty", "varied"],
)
def test_shards_give_the_verdict_of_one_run(conformance: Run, tmp_path: Path, instance: list[str], of: int) -> None:
    # What a ceiling refuses is untested, and shards reach no ceiling where one process does.
    asked = ["--budget", "quick", "--seed", "11", "--max-deployments", "30", *SUITES]
    names = [f"shard-{index}.json" for index in range(1, of + 1)]
    with emulator_process(instance) as url:
        whole = conformance("run", "--target", url, *asked, "--report", "json=whole.json", **CREDENTIALS)
        for index, name in enumerate(names, 1):
            given = ["--shard", f"{index}/{of}", "--baseline", "whole.json", "--report", f"json={name}"]
            conformance("run", "--target", url, *asked, *given, **CREDENTIALS)
    merged = conformance("merge", *names, "--report", "json=merged.json")
    assert merged.returncode == whole.returncode, merged.stderr
    assert _outcomes(tmp_path / "merged.json") == _outcomes(tmp_path / "whole.json")
    missing = conformance("merge", *names[:-1])
    assert (missing.returncode, missing.stderr) == (
        3, f"No verdict: Shard {of}/{of} is missing: nothing is known of what should have been seen there.\n",
    )  # fmt: skip
    assert conformance("merge", names[0], *names).returncode == 3


def test_a_shard_needs_a_seed_and_a_result_and_something_to_run(conformance: Run) -> None:
    asked = ["run", "--target", "emulated", "--suite", "replayed", "--shard"]
    done = conformance(*asked, "1/2", "--report", "json=a.json")
    assert (done.returncode, "--shard needs --seed N" in done.stderr) == (2, True), done.stderr
    many = conformance(*asked, "1/900", "--seed", "1", "--report", "json=a.json")
    assert (many.returncode, "shards can have an item" in many.stderr) == (2, True), many.stderr
