"""Nothing is dropped, and nothing takes for ever: what is large is told whole, and what is hard is said to be."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from conformance.drift.compare import compare
from conformance.drift.schema import inclusion
from conformance.drift.schema.inclusion import SecondOpinion
from tests.drift.pairs import description


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_every_one_of_a_thousand_changes_is_told() -> None:
    base = _object(**{f"p{i}": {"type": "string", "maxLength": 9} for i in range(1000)})
    revision = _object(**{f"p{i}": {"type": "string", "maxLength": 8} for i in range(1000)})
    found = compare(description(base, "request", {}), description(revision, "request", {}))
    assert {change.location for change in found.changes if change.breaking} == {
        f"request.body.p{i}" for i in range(1000)
    }


def test_what_breaks_behind_a_thousand_harmless_changes_is_told() -> None:
    base = _object(**{f"p{i}": {"type": "string", "maxLength": 9} for i in range(1000)}, last=_object(a={"enum": [1]}))
    revision = copy.deepcopy(base)
    for i in range(1000):
        revision["properties"][f"p{i}"]["maxLength"] = 8
    revision["properties"]["last"]["properties"]["a"]["enum"].append(2)
    found = compare(description(base, "response", {}), description(revision, "response", {}))
    assert [change.location for change in found.changes if change.breaking] == ["response.200.body.last.a"]


def _overlapping(count: int, word: str = "oneOf") -> dict[str, Any]:
    """Alternatives that overlap: each leaves its tag out."""
    tags = [{"tag": {"enum": [f"k{i}"]}, f"p{i}": {"type": "string"}, "same": {"type": "string"}} for i in range(count)]
    return {word: [_object(**properties) for properties in tags]}


@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
def test_thirty_overlapping_alternatives_in_another_order_are_the_same(word: str) -> None:
    base = _overlapping(30, word)
    revision = {word: random.Random(1).sample(base[word], 30)}
    assert compare(description(base, "request", {}), description(revision, "request", {})).verdict == "none"


@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
def test_a_change_in_one_of_thirty_overlapping_alternatives_is_told_where_it_is(word: str) -> None:
    base = _overlapping(30, word)
    revision = copy.deepcopy(base)
    revision[word][7]["properties"]["same"]["maxLength"] = 5
    found = compare(description(base, "request", {}), description(revision, "request", {}))
    assert ("request.body.same", "request-max-length-tightened") in {(c.location, c.kind) for c in found.changes}


def test_five_thousand_listed_values_are_compared_as_sets() -> None:
    base = {"type": "string", "enum": [f"v{i}" for i in range(5000)]}
    revision = {"type": "string", "enum": [*reversed(base["enum"]), "new"]}
    (change,) = compare(description(base, "response", {}), description(revision, "response", {})).changes
    assert (change.kind, change.witness) == ("response-enum-loosened", "new")


def test_what_is_too_hard_to_tell_is_said_and_counts_as_breaking() -> None:
    base, revision = {"not": _overlapping(8)}, {"not": _overlapping(7)}
    (change,) = compare(description(base, "response", {}), description(revision, "response", {})).changes
    assert change.kind == "response-schema-undecided"
    assert change.breaking
    assert change.contested


def test_a_question_that_takes_too_many_steps_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    base = {"anyOf": [_object(a={"type": "string", "maxLength": 3 + i}) for i in range(4)]}
    revision = {"anyOf": [_object(a={"type": "string", "maxLength": 9}), {"type": "null"}]}
    pair = description(base, "request", {}), description(revision, "request", {})
    assert compare(*pair).verdict == "non-breaking"
    monkeypatch.setattr(inclusion, "EFFORT", 0)
    monkeypatch.setattr(SecondOpinion, "includes", lambda *_: None)
    found = compare(*pair)
    assert "request-schema-undecided" in {change.kind for change in found.changes}
    assert found.verdict == "breaking"
