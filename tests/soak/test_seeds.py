"""Whole runs under many seeds: whatever is drawn, and whatever variations the instance takes, nothing is found.

`pytest tests/soak/test_seeds.py --dist load` shares them over the cores.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.targets.emulated import emulator_process
from tests.cli.conftest import Run, conformance

__all__ = ["conformance"]
SEEDS = range(1, 21)
CREDENTIALS = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


def broken(conformance: Run, tmp_path: Path, *arguments: str, **environ: str) -> tuple[int, list[str]]:
    """A quick run's exit code, and what it saw broken, warnings too."""
    report = ("--budget", "quick", "--report", "json=result.json")
    outcome = conformance("run", *arguments, *report, timeout=300, **environ)
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    rows = [row["id"] for row in result["requirements"] if row["outcome"] == "broken"]
    return outcome.returncode, [*rows, *([result["reason"]] if outcome.returncode else [])]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_found_of_an_instance_without_faults(conformance: Run, tmp_path: Path, seed: int) -> None:
    assert broken(conformance, tmp_path, "--target", "emulated", "--seed", str(seed)) == (0, [])


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_found_of_an_instance_that_varies(conformance: Run, tmp_path: Path, seed: int) -> None:
    with emulator_process(["--vary", str(seed)]) as url:
        assert broken(conformance, tmp_path, "--target", url, "--seed", str(seed), **CREDENTIALS) == (0, [])
