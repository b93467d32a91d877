from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.drift.compare import compare
from conformance.drift.openapi.document import loaded
from tests.drift.pairs import document_pairs, schema_pairs

PAIRS = list(document_pairs())
NAMES = [pair[0] for pair in PAIRS]


@pytest.mark.parametrize(("verdict", "base", "revision", "changes"), [pair[1:] for pair in PAIRS], ids=NAMES)
def test_a_pair_of_descriptions_has_its_verdict_and_changes(
    verdict: str, base: dict[str, Any], revision: dict[str, Any], changes: list[str] | None
) -> None:
    found = compare(base, revision)
    told = [f"{one.operation or '~'} {one.location} {one.kind}" for one in found.changes]
    assert found.verdict == verdict, told
    if changes is not None:
        assert sorted(told) == sorted(changes)


def test_every_description_of_the_corpus_is_valid() -> None:
    for name, _, base, revision, *_ in [*PAIRS, *schema_pairs()]:
        for root in (base, revision):
            loaded(json.dumps(root), "", name).strictly()


def test_a_description_compared_with_itself_has_not_changed() -> None:
    for _, _, base, revision, *_ in PAIRS:
        assert compare(base, base).verdict == compare(revision, revision).verdict == "none"


def test_no_kind_is_told_twice_of_one_place() -> None:
    for _, _, base, revision, *_ in [*PAIRS, *schema_pairs()]:
        ids = [change.id for change in compare(base, revision).changes]
        assert len(set(ids)) == len(ids)
