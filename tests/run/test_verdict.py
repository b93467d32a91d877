"""Every outcome, severity and exit code a run can end in."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest

from conformance.model import (
    Basis,
    Exchange,
    Finding,
    Level,
    Outcome,
    Request,
    Requirement,
    Standing,
    Verdict,
    Waiver,
)
from conformance.run.verdict import Inherited, conclude

TODAY = datetime.date(2024, 5, 1)
MUST = Requirement(
    "pipelines.deploy.returns-id", "pipelines.deploy", "Returns an id.", Level.MUST, Basis.STATED, "Deploy"
)
SHOWN = replace(MUST, id="pipelines.deploy.again-returns-the-same-id", basis=Basis.SHOWN)
DECIDED = replace(MUST, id="pipelines.deploy.no-stack-trace", basis=Basis.DECIDED)
SHOULD = replace(MUST, id="pipelines.deploy.names-the-cause", level=Level.SHOULD)


def finding(requirement: Requirement, *, held: bool = False, **changes: Any) -> Finding:
    return replace(Finding(requirement.id, held, "an integer", "null", operation=requirement.operation), **changes)


def waiver(requirement: Requirement, **changes: Any) -> Waiver:
    return replace(Waiver(requirement.id, "Known since May.", "platform", TODAY), **changes)


def outcome(verdict: Verdict, requirement: Requirement) -> Outcome:
    return next(j.outcome for j in verdict.judgements if j.requirement.id == requirement.id)


def test_a_requirement_with_evidence_and_nothing_broken_is_held() -> None:
    verdict = conclude([MUST], [finding(MUST, held=True), finding(MUST, held=True)], [], TODAY)
    assert (verdict.word, verdict.exit_code) == ("conformant", 0)
    assert outcome(verdict, MUST) is Outcome.HELD
    assert verdict.judgements[0].evidence == 2


def test_sightings_that_were_only_counted_are_evidence_too() -> None:
    verdict = conclude([MUST], [], [], TODAY, held={(MUST.id, MUST.operation): 7})
    assert (verdict.exit_code, verdict.judgements[0].evidence) == (0, 7)


@pytest.mark.parametrize("requirement", [MUST, SHOWN], ids=lambda r: r.id)
def test_one_broken_sighting_of_a_must_that_is_stated_or_shown_is_not_conformant(requirement: Requirement) -> None:
    verdict = conclude([requirement], [finding(requirement, held=True), finding(requirement)], [], TODAY)
    assert (verdict.word, verdict.exit_code) == ("not-conformant", 1)
    assert requirement.id in verdict.reason


@pytest.mark.parametrize("requirement", [DECIDED, SHOULD], ids=lambda r: r.id)
def test_everything_else_broken_is_a_warning_that_gates_under_strict_alone(requirement: Requirement) -> None:
    findings = [finding(MUST, held=True), finding(requirement)]
    lenient = conclude([MUST, requirement], findings, [], TODAY)
    assert lenient.exit_code == 0
    assert outcome(lenient, requirement) is Outcome.BROKEN
    assert conclude([MUST, requirement], findings, [], TODAY, strict=True).exit_code == 1


def test_a_gating_requirement_never_exercised_leaves_no_verdict() -> None:
    verdict = conclude([MUST, SHOWN], [finding(MUST, held=True)], [], TODAY)
    assert (verdict.word, verdict.exit_code) == ("none", 3)
    assert SHOWN.id in verdict.reason


def test_a_written_reason_for_this_kind_of_target_excuses_what_was_not_exercised() -> None:
    row = replace(SHOWN, unreached={"live": "It would deploy what this run did not make."})
    held = [finding(MUST, held=True)]
    assert conclude([MUST, row], held, [], TODAY, target_kind="live").exit_code == 0
    assert conclude([MUST, row], held, [], TODAY, target_kind="emulated").exit_code == 3


def test_a_warning_never_exercised_does_not_withhold_the_verdict() -> None:
    assert conclude([MUST, DECIDED], [finding(MUST, held=True)], [], TODAY).exit_code == 0


def test_nothing_exercised_at_all_is_no_verdict_even_with_reasons_for_every_row() -> None:
    row = replace(MUST, unreached={"live": "Out of reach."})
    assert conclude([row], [], [], TODAY, target_kind="live").exit_code == 3


def test_traffic_judged_as_it_came_owes_no_exercise() -> None:
    verdict = conclude([MUST, SHOWN], [finding(MUST, held=True)], [], TODAY, complete=False)
    assert (verdict.exit_code, outcome(verdict, SHOWN)) == (0, Outcome.UNTESTED)


def test_an_incident_leaves_no_verdict_and_hides_no_broken_requirement() -> None:
    incident = "Clean-up failed: deployment 4 still runs."
    assert conclude([MUST], [finding(MUST, held=True)], [], TODAY, incident=incident).exit_code == 3
    broken = conclude([MUST], [finding(MUST)], [], TODAY, incident=incident)
    assert broken.exit_code == 1
    assert incident in broken.reason


def test_a_waiver_never_covers_an_incident() -> None:
    verdict = conclude([MUST], [finding(MUST)], [waiver(MUST)], TODAY, incident="A worker died.")
    assert (verdict.exit_code, verdict.reason) == (3, "A worker died.")


def test_a_check_that_names_no_row_is_the_suites_own_fault() -> None:
    verdict = conclude([MUST], [finding(MUST, held=True), finding(SHOWN)], [], TODAY)
    assert verdict.exit_code == 3
    assert SHOWN.id in verdict.reason


def test_a_waived_requirement_passes_and_is_shown_as_waived() -> None:
    verdict = conclude([MUST], [finding(MUST)], [waiver(MUST)], TODAY)
    assert (verdict.exit_code, outcome(verdict, MUST)) == (0, Outcome.WAIVED)
    assert verdict.judgements[0].findings
    assert "platform" in verdict.judgements[0].reason
    assert verdict.waivers[0].standing is Standing.USED


def test_a_waiver_holds_on_its_last_day_and_fails_on_the_next() -> None:
    assert conclude([MUST], [finding(MUST)], [waiver(MUST)], TODAY).exit_code == 0
    late = conclude([MUST], [finding(MUST)], [waiver(MUST)], TODAY + datetime.timedelta(days=1))
    assert (late.exit_code, outcome(late, MUST)) == (1, Outcome.BROKEN)


def test_an_expired_waiver_fails_though_its_requirement_holds() -> None:
    old = waiver(MUST, last_day=TODAY - datetime.timedelta(days=1))
    verdict = conclude([MUST], [finding(MUST, held=True)], [old], TODAY)
    assert (verdict.exit_code, verdict.waivers[0].standing) == (1, Standing.EXPIRED)
    assert "expired" in verdict.reason


def test_a_waiver_for_what_holds_fails_as_stale() -> None:
    verdict = conclude([MUST], [finding(MUST, held=True)], [waiver(MUST)], TODAY)
    assert (verdict.exit_code, verdict.waivers[0].standing) == (1, Standing.STALE)
    assert "stale" in verdict.reason


def test_a_waiver_for_what_was_not_exercised_is_not_stale() -> None:
    row = replace(SHOWN, unreached={"emulated": "Out of reach."})
    verdict = conclude([MUST, row], [finding(MUST, held=True)], [waiver(row)], TODAY)
    assert (verdict.exit_code, verdict.waivers[0].standing) == (0, Standing.IDLE)


@pytest.mark.parametrize(
    ("narrowing", "covered"),
    [
        ({"operation": "pipelines.deploy"}, True),
        ({"operation": "pipelines.create"}, False),
        ({"profile": "2023.4"}, True),
        ({"profile": "2026.1"}, False),
        ({"fingerprint": finding(MUST).fingerprint}, True),
        ({"fingerprint": "0123456789abcdef"}, False),
    ],
)
def test_a_narrowed_waiver_covers_what_it_names_alone(narrowing: dict[str, str], covered: bool) -> None:
    verdict = conclude([MUST], [finding(MUST)], [waiver(MUST, **narrowing)], TODAY)
    assert outcome(verdict, MUST) is (Outcome.WAIVED if covered else Outcome.BROKEN)


def test_a_finding_beside_the_waived_one_still_breaks_the_requirement() -> None:
    other = finding(MUST, operation="pipelines.copy")
    verdict = conclude([MUST], [finding(MUST), other], [waiver(MUST, operation="pipelines.deploy")], TODAY)
    assert (verdict.exit_code, outcome(verdict, MUST)) == (1, Outcome.BROKEN)


def test_a_waiver_of_another_profile_is_neither_stale_nor_expired() -> None:
    foreign = waiver(MUST, profile="2026.1", last_day=TODAY - datetime.timedelta(days=9))
    assert conclude([MUST], [finding(MUST, held=True)], [foreign], TODAY).exit_code == 0


def test_a_waiver_narrowed_to_an_operation_not_exercised_is_not_stale() -> None:
    narrow = waiver(MUST, operation="pipelines.copy")
    assert conclude([MUST], [finding(MUST, held=True)], [narrow], TODAY).waivers[0].standing is Standing.IDLE


def test_rows_of_other_profiles_are_not_promised_and_not_judged() -> None:
    row = replace(SHOWN, profiles=("2026.1",))
    verdict = conclude([MUST, row], [finding(MUST, held=True), finding(row)], [], TODAY)
    assert verdict.exit_code == 0
    assert [j.requirement.id for j in verdict.judgements] == [MUST.id]


def test_what_is_seen_broken_outside_the_scope_gates_as_ever() -> None:
    verdict = conclude([MUST, SHOWN], [finding(MUST, held=True), finding(SHOWN)], [], TODAY, scope={MUST.id})
    assert (verdict.exit_code, outcome(verdict, SHOWN)) == (1, Outcome.BROKEN)
    assert verdict.judgements[1].gates
    assert "outside the scope" in verdict.judgements[1].reason


def test_what_was_not_exercised_outside_the_scope_is_left_out() -> None:
    verdict = conclude([MUST, SHOWN], [finding(MUST, held=True)], [], TODAY, scope={MUST.id})
    assert (verdict.exit_code, len(verdict.judgements)) == (0, 1)


def test_of_equal_fingerprints_the_finding_with_the_fewest_exchanges_is_shown() -> None:
    exchange = Exchange(Request("POST", "http://target/v1/api/pipelines/deploy"), None)
    long, short = finding(MUST, evidence=(exchange,) * 5), finding(MUST, evidence=(exchange,))
    judgement = conclude([MUST], [long, short, long], [], TODAY).judgements[0]
    assert judgement.findings == (short,)
    assert judgement.evidence == 3


def test_inherited_findings_do_not_gate_and_new_ones_do() -> None:
    known = Inherited(broken=frozenset({(MUST.id, MUST.operation)}))
    old = conclude([MUST], [finding(MUST)], [], TODAY, inherited=known)
    assert (old.exit_code, outcome(old, MUST)) == (0, Outcome.BROKEN)
    new = conclude([MUST], [finding(MUST), finding(MUST, operation="pipelines.copy")], [], TODAY, inherited=known)
    assert new.exit_code == 1


def test_what_the_baseline_left_untested_does_not_withhold_the_verdict_again() -> None:
    known = Inherited(untested=frozenset({SHOWN.id}))
    assert conclude([MUST, SHOWN], [finding(MUST, held=True)], [], TODAY, inherited=known).exit_code == 0


def test_a_fingerprint_holds_no_id_name_or_number_of_the_run() -> None:
    one = finding(MUST, expected="id 14 of 'conformance-a1-p' with sha fc5f6d8464de3ca7 within 0.5 s")
    two = finding(MUST, expected="id 15 of 'conformance-b2-p' with sha 0011223344556677 within 30 s")
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != finding(MUST, expected="a 2xx status").fingerprint
    assert one.fingerprint != replace(two, operation="pipelines.copy").fingerprint


def test_how_often_it_broke_counts_what_was_not_kept_too() -> None:
    broke = {(MUST.id, MUST.operation): 13}
    judgement = conclude([MUST], [finding(MUST)] * 5, [], TODAY, held={(MUST.id, MUST.operation): 2}, broke=broke)
    assert (judgement.judgements[0].broke, judgement.judgements[0].evidence) == (13, 15)


def test_one_requirement_holds_and_two_hold() -> None:
    assert conclude([MUST], [finding(MUST, held=True)], [], TODAY).reason.endswith("1 requirement holds.")
    both = conclude([MUST, SHOWN], [finding(MUST, held=True), finding(SHOWN, held=True)], [], TODAY)
    assert both.reason.endswith("2 requirements hold.")


def test_what_was_broken_before_is_said_to_be() -> None:
    known = Inherited(broken=frozenset({(MUST.id, MUST.operation)}))
    verdict = conclude([MUST], [finding(MUST)], [], TODAY, inherited=known)
    assert verdict.reason == "1 broken as before, nothing new; 0 requirements hold."
    assert verdict.judgements[0].known
