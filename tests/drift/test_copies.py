"""Descriptions that say the same are the same, and one change of known effect is told: on many descriptions each."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.data import SPECS
from conformance.drift.compare import compare
from conformance.drift.openapi.document import load
from tests.drift.copies import COPIES, generated, in_the_new_dialect, in_the_old_dialect
from tests.drift.mutating import modern_copy, mutated, told

DESCRIPTIONS = int(os.environ.get("CONFORMANCE_TEST_DESCRIPTIONS", "120"))
"""How many are generated; the thorough environment asks for 2,000."""

SETTINGS = settings(
    max_examples=DESCRIPTIONS,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
SEEDS = st.integers(0, 10**9)
OWN = load(SPECS / "pipelines.openapi.yaml")


@SETTINGS
@given(SEEDS)
def test_a_generated_description_and_its_copies_are_the_same(seed: int) -> None:
    base = generated(random.Random(seed))
    for name, make in COPIES.items():
        found = compare(base, make(random.Random(seed), base))
        assert found.verdict == "none", (seed, name, [change.as_dict() for change in found.changes])


@SETTINGS
@given(SEEDS)
def test_a_generated_description_is_the_same_in_the_other_dialect(seed: int) -> None:
    base = in_the_old_dialect(random.Random(seed))
    other = in_the_new_dialect(base)
    for pair in ((base, other), (other, base)):
        found = compare(*pair)
        assert found.verdict == "none", (seed, [change.as_dict() for change in found.changes])


@pytest.mark.parametrize("name", COPIES)
def test_our_own_description_and_its_copies_are_the_same(name: str) -> None:
    found = compare(OWN, COPIES[name](random.Random(7), OWN))
    assert found.verdict == "none", [change.as_dict() for change in found.changes]


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(SEEDS)
def test_a_change_of_known_effect_is_told_where_it_is(seed: int) -> None:
    base = modern_copy(OWN)
    revision, mutation = mutated(random.Random(seed), base)
    found = compare(base, revision)
    assert told(found.changes, mutation) == "", (seed, mutation, [change.as_dict() for change in found.changes][:5])
