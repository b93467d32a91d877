from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.data import SPECS
from conformance.drift.changes import KINDS, Kind
from conformance.drift.compare import compare
from tests.drift.pairs import causes, document_pairs, reported_pairs, schema_pairs

PACKAGE = Path(__file__).parents[2] / "conformance" / "drift"


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_kind_has_its_mirrors_or_says_why_not(kind: Kind) -> None:
    assert kind.opposite in KINDS
    assert bool(kind.other_side) != bool(kind.no_other_side)
    if kind.other_side:
        other = KINDS[kind.other_side]
        assert {kind.direction, other.direction} == {"request", "response"}
        assert other.other_side in KINDS


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_what_tightens_a_request_breaks_and_what_loosens_a_response_does(kind: Kind) -> None:
    word = kind.id.rpartition("-")[2]
    if kind.direction and word in ("tightened", "loosened"):
        assert kind.breaking == ((kind.direction, word) in (("request", "tightened"), ("response", "loosened")))
        assert KINDS[kind.opposite].opposite == kind.id
        assert KINDS[kind.other_side].other_side == kind.id if kind.other_side else True
        assert KINDS[kind.opposite].breaking != kind.breaking


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_kind_is_a_sentence_with_a_kebab_case_id(kind: Kind) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", kind.id)
    assert kind.sentence[:1].isupper() or kind.sentence.startswith("null")
    assert kind.sentence.endswith(".")


def test_every_level_of_the_catalogue_is_one_of_two() -> None:
    levels = set(re.findall(r'^level = "(.*)"$', (SPECS / "drift-kinds.toml").read_text("utf-8"), re.MULTILINE))
    assert levels == {"breaking", "non-breaking"}


def test_every_kind_is_told_by_some_line_of_the_code() -> None:
    code = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    unsaid = []
    for kind in KINDS.values():
        rest = kind.id.removeprefix("request-").removeprefix("response-")
        stems = {rest, kind.id, rest.rsplit("-", 1)[0], re.sub("^(required-)?(parameter|header)-", "", rest)}
        stems |= {
            re.sub("^(parameter|header)-", "", rest).rsplit("-", 1)[0],
            rest.replace("success-", ""),
            rest.removeprefix("property-"),
            rest.removeprefix("status-"),
        }
        if not any(stem in code for stem in stems):
            unsaid.append(kind.id)
    assert not unsaid


def test_the_corpus_shows_most_kinds() -> None:
    shown = {
        change.kind
        for *_, base, revision in [
            *(pair[:4] for pair in document_pairs()),
            *schema_pairs(),
            *reported_pairs(),
            *causes(),
        ]
        for one in (compare(base, revision), compare(revision, base))
        for change in one.changes
    }
    assert len(shown) >= 0.75 * len(KINDS), sorted(KINDS.keys() - shown)
