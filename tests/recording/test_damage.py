"""A capture that lost something is never held against the target, and one that lost everything is never green."""

from __future__ import annotations

import base64
import copy
import json
import os
import random
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.checks import Rules
from conformance.data import FIXTURES
from conformance.recording import folder, har
from conformance.recording.judgement import Tally, judge_traffic
from conformance.recording.traffic import ordered, read
from tests.recording.damage import LOSSES, SAME, UNREADABLE, WHOLE, Change, body_of

RULES = Rules.of()
EXAMPLES = int(os.environ.get("CONFORMANCE_TEST_DAMAGES", "60"))
"""Damaged captures; a thorough run (tox -e thorough) has 5,000."""


BY_LENGTH = "declares-the-length-it-has"
"""Of an answer that was compressed the length is of what travelled, which no capture holds."""


@cache
def lifecycle() -> list[dict[str, Any]]:
    """A lifecycle of the emulated instance as entries of a HAR, all of it conformant."""
    recordings = ordered(folder.read(FIXTURES / "emulated", RULES.document))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "own.har"
        har.write(path, [recording.exchange for recording in recordings])
        text = re.sub(r"127\.0\.0\.1:\d+", "emulated", path.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = json.loads(text)["log"]["entries"]
    for entry in found:  # the host's name is in some answers
        body = body_of(entry["response"]["content"])
        entry["response"]["content"]["size"] = entry["response"]["bodySize"] = len(body)
        for field in entry["response"]["headers"]:
            if field["name"].lower() == "content-length":
                field["value"] = str(len(body))
        for message in (entry["response"]["content"], entry["request"].get("postData")):
            if message:
                message[WHOLE] = base64.b64encode(body_of(message)).decode()
    return found


def judged(entries: list[dict[str, Any]], path: Path) -> Tally:
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}), encoding="utf-8")
    return judge_traffic(read([path], RULES.document), RULES)


def damaged(change: Change) -> list[dict[str, Any]]:
    changed = copy.deepcopy(lifecycle())
    for number, entry in enumerate(changed):
        change(entry, random.Random(number))
    return changed


def broken(tally: Tally) -> list[str]:
    return [f"{f.requirement}: {f.actual} ({f.evidence[-1].source})" for f in tally.broken.values()]


def held(tally: Tally) -> set[str]:
    return {requirement for requirement, _ in tally.held}


@pytest.mark.parametrize("change", SAME, ids=lambda change: change.__name__)
def test_another_way_to_write_all_of_it_is_judged_as_before(change: Change, tmp_path: Path) -> None:
    before = judged(lifecycle(), tmp_path / "before.har")
    after = judged(damaged(change), tmp_path / "after.har")
    assert broken(after) == []
    assert {requirement for requirement in held(before) - held(after) if not requirement.endswith(BY_LENGTH)} == set()


@pytest.mark.parametrize("change", LOSSES, ids=lambda change: change.__name__)
def test_what_every_entry_lost_is_unknown(change: Change, tmp_path: Path) -> None:
    tally = judged(damaged(change), tmp_path / "after.har")
    assert broken(tally) == []
    assert bool(tally.incident) == (change in UNREADABLE)


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    first=st.integers(0, 100),
    seed=st.integers(0, 2**32),
    changes=st.lists(st.sampled_from(SAME + LOSSES), min_size=1, max_size=4, unique=True),
    share=st.sampled_from([0.05, 0.3, 1.0]),
)
def test_no_damage_turns_what_held_into_broken_and_none_is_green_on_nothing(
    first: int, seed: int, changes: list[Change], share: float
) -> None:
    rng = random.Random(seed)
    kept = copy.deepcopy(lifecycle()[first : first + 30])
    for entry in kept:
        for change in changes:
            if "response" in entry and rng.random() < share:
                with_it = copy.deepcopy(entry)
                try:
                    change(with_it, rng)
                except (KeyError, ValueError):
                    continue  # nothing is left of what this would damage
                entry.clear()
                entry.update(with_it)
    with tempfile.TemporaryDirectory() as place:
        tally = judged(kept, Path(place) / "damaged.har")
    assert broken(tally) == []
    assert tally.held or tally.incident
