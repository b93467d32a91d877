"""Each check sees its promise held and broken; and one defect is one broken promise of those that gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.api.client import arrow_stream
from conformance.checks import Rules, judge
from conformance.model import Exchange, Finding, Purpose
from tests.checks.built import (
    ARROW,
    COLUMN,
    DATE,
    ROWS,
    SERVING,
    UUIDS,
    after,
    arrow_request,
    created,
    infer,
    listed,
    listed_workspaces,
    post,
    record,
    version,
    workspace,
)
from tests.checks.cases import CASES, ERROR, OURS, THEIRS, Case

RULES = Rules.of()


def judged(case: Case, exchange: Exchange) -> list[Finding]:
    return judge(exchange, after(*case.before), RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.requirement)
def test_a_promise_is_seen_to_hold(case: Case) -> None:
    found = judged(case, case.held)
    assert {finding.held for finding in found if finding.requirement == case.requirement} == {True}
    assert [finding for finding in found if not finding.held and _gates(finding)] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.requirement)
def test_a_promise_is_seen_to_be_broken_and_no_other_that_gates(case: Case) -> None:
    broken = [finding for finding in judged(case, case.broken) if not finding.held]
    assert case.requirement in {finding.requirement for finding in broken}
    others = {finding.requirement for finding in broken if _gates(finding)} - {case.requirement, *case.also}
    assert others == set()
    for finding in broken:
        assert finding.expected
        assert finding.actual
        assert finding.evidence


def _gates(finding: Finding) -> bool:
    return RULES.catalogue.named(finding.requirement).gates


def test_every_check_is_tried_both_ways() -> None:
    tried = {RULES.catalogue.named(case.requirement).check for case in CASES}
    assert {row.check for row in RULES.catalogue if row.check} - tried == set()


def test_checks_say_nothing_of_requests_of_no_operation_that_claim_none() -> None:
    assert judge(post(None, {}, {"anything": 1}), after(), RULES) == []


def test_rows_of_several_columns_are_judged_by_the_models_own() -> None:
    question = [{"unknown": 1.5, COLUMN: row} for row in ROWS]
    records = [record(row, **{"in": asked}) for row, asked in zip(ROWS, question, strict=True)]
    found = judge(infer(records, question=question), after(*SERVING), RULES)
    assert [finding for finding in found if not finding.held] == []
    assert "pipelines.infer.computes-the-model" in {finding.requirement for finding in found}


def test_an_arrow_stream_is_no_arrow_file() -> None:
    stream = arrow_stream("dense_1", [[0.5]])
    asked = {"question": arrow_request(), "kind": ARROW, "sent": {"Accept": ARROW}}
    exchange = infer(stream, headers={"content-type": ARROW, "date": DATE}, **asked)
    broken = {finding.requirement for finding in judge(exchange, after(*SERVING), RULES) if not finding.held}
    assert "pipelines.infer.answers-arrow-in-arrow" in broken


def test_a_workspace_of_a_run_of_ours_is_no_sign_of_a_refusal_that_was_carried_out() -> None:
    before = (workspace(), listed_workspaces(OURS), post("workspaces.create", {}, ERROR, 400))
    label = Purpose.AFTER_REFUSAL.of("workspaces.create")
    for name, held in (("conformance-0123abcd-gw1-workspace", True), ("untitled", False)):
        exchange = replace(listed_workspaces(OURS, THEIRS | {"name": name}), labels=frozenset({label}))
        found = judge(exchange, after(*before), RULES)
        told = [
            one.held
            for one in found
            if one.requirement == "workspaces.create.a-refusal-changes-nothing"
            and one.expected.startswith("no workspace")
        ]
        assert told == [held]


@pytest.mark.parametrize(
    ("operation", "answer", "headers", "leaks"),
    [
        ("pipelines.deploy", {"id": 14}, {}, False),
        ("pipelines.deploy", {"id": 14, "owner": "jo@example.com"}, {}, True),
        ("workspaces.list", {"workspaces": [{"created_by": "jo@example.com"}]}, {}, False),
        ("pipelines.deploy", {"id": 14}, {"x-echo": "Bearer " + "t" * 40}, True),
        ("workspaces.list", {"workspaces": [], "debug": "-----BEGIN RSA PRIVATE KEY-----"}, {}, True),
        ("workspaces.list", {"workspaces": [{"name": "/srv/app/main.py"}]}, {}, False),
    ],
)
def test_an_answer_of_numbers_names_nobody_and_no_header_repeats_a_token(
    operation: str, answer: object, headers: dict[str, str], leaks: bool
) -> None:
    exchange = post(operation, {}, answer, headers={"content-type": "application/json", "date": DATE, **headers})
    found = [one for one in judge(exchange, after(), RULES) if one.requirement.endswith("keeps-its-insides-to-itself")]
    assert [one.held for one in found] == ([False] if leaks else [])
    assert not any("jo@" in one.actual for one in found)


@pytest.mark.parametrize(
    ("exchange", "row"),
    [
        (created(25.0, 26, UUIDS[0]), "pipelines.create.returns-the-pipeline-id"),
        (listed(version() | {"id": 5.0}), "models.list-versions.tells-each-id"),
        (listed_workspaces(OURS, THEIRS | {"id": 11.0}), "workspaces.list.tells-each-id"),
        (infer([record(row, time=1.7e12) for row in ROWS]), "pipelines.infer.tells-each-records-time"),
    ],
)
def test_an_integer_is_written_as_one(exchange: Exchange, row: str) -> None:
    broken = {one.requirement for one in judge(exchange, after(*SERVING), RULES) if not one.held}
    assert row in broken


@pytest.mark.parametrize(
    ("operation", "question", "row"),
    [
        ("pipelines.create", {"pipeline_id": "p"}, "requires-workspace-id"),
        ("pipelines.create", {"pipeline_id": 7, "workspace_id": 10}, "takes-pipeline-id-as-a-text-only"),
        ("admin.get-pipeline-external-url", {"workspace_id": 10, "pipeline_name": []},
         "takes-pipeline-name-as-a-text-only"),
        ("pipelines.undeploy", {"deployment_id": "14"}, "takes-ids-as-integers-only"),
        ("pipelines.undeploy", {}, "requires-an-id"),
        ("pipelines.create", {"pipeline_id": 7, "workspace_id": "10"}, "refuses-invalid-requests"),
        ("pipelines.create", [], "refuses-invalid-requests"),
    ],
)  # fmt: skip
def test_an_invalid_request_that_is_served_breaks_the_row_of_what_is_wrong_with_it(
    operation: str, question: object, row: str
) -> None:
    found = judge(post(operation, question, {}, intent="invalid"), after(), RULES)
    assert {one.requirement for one in found if not one.held} & {f"{operation}.{row}"}
    refused = judge(post(operation, question, ERROR, 400, intent="invalid"), after(), RULES)
    assert [one.held for one in refused if one.requirement == f"{operation}.refuses-invalid-requests"] == [True]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_whoever_was_refused_nothing_may_have_changed_by_it(status: int) -> None:
    before = (workspace(), listed_workspaces(OURS), post("pipelines.create", {}, b"", status))
    for listed_now, held in ((OURS, True), (OURS | {"pipelines": [25, 26]}, False)):
        found = judge(listed_workspaces(listed_now), after(*before), RULES)
        told = [one.held for one in found if one.requirement == "pipelines.create.a-refusal-changes-nothing"]
        assert told == [held]
