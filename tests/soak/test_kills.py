"""SIGKILL at random moments of a run, then `clean`: nothing of ours is left, nothing else is touched."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cut_short import NEIGHBOUR, Instance, clean, instance_beside_a_neighbour, run

KILLS = 50
_LAST_LINE = 90
"""A run of the lifecycle writes about a hundred lines to its journal."""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with instance_beside_a_neighbour(tmp_path_factory.mktemp("instance"), "--start-seconds", "0.5") as instance:
        yield instance


@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_that_is_killed_leaves_nothing_once_cleaned(instance: Instance, tmp_path: Path, number: int) -> None:
    dice = random.Random(number)
    with run(instance, tmp_path, *(["--workers", "2"] if number % 5 == 4 else [])) as cut:
        cut.wait_for_lines(dice.randint(1, _LAST_LINE))
        time.sleep(dice.uniform(0, 0.1))
        cut.kill()
    left = [name for name in instance.deployed() if name != NEIGHBOUR]
    outcome = clean(instance, tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert instance.deployed() == [NEIGHBOUR], f"{left} were up after the kill"
    print(f"killed with {len(left)} up, after {len(cut.lines())} lines")
