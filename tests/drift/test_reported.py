from __future__ import annotations

from typing import Any

import pytest

from conformance.drift.compare import compare
from tests.drift.pairs import reported_pairs

PAIRS = list(reported_pairs())


@pytest.mark.parametrize(
    ("verdict", "place", "base", "revision"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS]
)
def test_a_reported_pair_has_its_verdict_where_it_changed(
    verdict: str, place: str | None, base: dict[str, Any], revision: dict[str, Any]
) -> None:
    found = compare(base, revision)
    told = [f"{change.location} {change.kind}" for change in found.changes]
    assert found.verdict == verdict, told
    if place is not None:
        counted = [change.location for change in found.changes if change.breaking or verdict != "breaking"]
        assert place in counted, told


@pytest.mark.parametrize(("base", "revision"), [pair[3:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_a_reported_description_is_itself(base: dict[str, Any], revision: dict[str, Any]) -> None:
    assert compare(base, base).verdict == compare(revision, revision).verdict == "none"
