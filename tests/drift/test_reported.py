from __future__ import annotations

from typing import Any

import pytest

from conformance.drift.compare import compare
from conformance.drift.schema.description import Description
from conformance.drift.schema.witnesses import Validators
from tests.drift.pairs import causes, reported_pairs

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


CAUSES = list(causes())


@pytest.mark.parametrize(("side", "told", "base", "revision"), [c[1:] for c in CAUSES], ids=[c[0] for c in CAUSES])
def test_each_of_several_changes_is_told_once_with_a_witness(
    side: str, told: list[str], base: dict[str, Any], revision: dict[str, Any]
) -> None:
    changes = compare(base, revision).changes
    assert sorted(f"{change.location} {change.kind}" for change in changes) == sorted(told)
    for change in changes:
        if change.breaking:
            assert change.confirmed, change.as_dict()
            sender, receiver = (base, revision) if side == "request" else (revision, base)
            assert _admits(sender, side, change.witness)
            assert not _admits(receiver, side, change.witness)


def _admits(whole: dict[str, Any], side: str, value: Any) -> bool | None:
    operation = whole["paths"]["/do"]["post"]
    holder = operation["requestBody"] if side == "request" else operation["responses"]["200"]
    return Validators(side).admits(Description(whole), holder["content"]["application/json"]["schema"], value)
