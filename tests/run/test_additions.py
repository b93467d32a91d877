"""What no description has is told once, by its kind and place, and nothing that a gateway may add."""

from __future__ import annotations

from conformance.checks import Rules
from conformance.reporting.facts import Facts
from conformance.run.reach import Reach, additions_of
from conformance.run.run import _judge_description
from tests.checks.built import DATE, JSON, created, post, running, status

RULES = Rules.of()
DRIFT = "api.describes-itself-as-it-is-promised"


def additions(*exchanges: object) -> list[tuple[str, str]]:
    reach = Reach(RULES.document, RULES.validator)
    marks = [mark for exchange in exchanges for mark in reach.marks(exchange)]  # type: ignore[arg-type]
    return [(one["kind"], one["what"]) for one in additions_of({mark: marks.count(mark) for mark in marks})]


def test_an_answer_as_described_has_nothing_new() -> None:
    assert additions(created(), status()) == []


def test_a_field_a_header_a_status_and_a_media_type_are_new() -> None:
    odd = post("pipelines.create", {}, b"no", 418, headers={"content-type": "application/xml", "x-build": "7"})
    fields = status(running(engines__0__labels={}))
    named = additions(fields, odd)
    assert ("field", "$.engines[].labels") in named
    assert ("header", "x-build") in named


def test_what_gateways_add_is_not_new() -> None:
    assert additions(created(headers={"content-type": JSON, "date": DATE, "x-envoy-upstream-service-time": "3"})) == []


def test_each_kind_of_change_in_the_served_description_is_told_once_an_operation() -> None:
    facts = Facts()
    change = {"operation": "pipelines.create", "kind": "response-field-removed", "message": "pipeline_pk_id is gone"}
    _judge_description(facts, {"changes": [change, change]})
    assert [(one.requirement, one.held) for one in facts.broken] == [(DRIFT, False)]
    assert "1 more" in facts.broken[0].actual


def test_a_served_description_that_is_ours_keeps_the_promise() -> None:
    facts = Facts()
    _judge_description(facts, {"changes": []})
    assert facts.held[DRIFT, "api"] == 1
    untold = Facts()
    _judge_description(untold, None)
    assert not untold.held
