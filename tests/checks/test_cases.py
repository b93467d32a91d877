"""Each check sees its promise held and broken; and one defect is one broken promise of those that gate."""

from __future__ import annotations

import pytest

from conformance.checks import Rules, judge
from conformance.model import Exchange, Finding
from tests.checks.built import COLUMN, ROWS, SERVING, after, infer, post, record
from tests.checks.cases import CASES, Case

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
