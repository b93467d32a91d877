"""The whole run: from settings to the result, whoever runs the items."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.checks import Rules
from conformance.model import Finding, Outcome, Waiver
from conformance.reporting.facts import Facts
from conformance.reporting.result import Circumstances, result_of
from conformance.run import baseline
from conformance.run.reach import additions_of, reached_of
from conformance.run.release import answers_as_another
from conformance.run.runner import Runner
from conformance.run.scope import known_suites, lacks, only_read, scope_in_words, scope_of, without_partial
from conformance.run.settings import EMULATED, Settings
from conformance.run.shards import part_of
from conformance.run.verdict import Inherited, conclude, covers
from conformance.targets.address import base_url

Items = Callable[[Runner], None]
"""Runs the suites' items with a runner's session, which keeps what they see: pytest does."""


@dataclass(frozen=True)
class Gate:
    """What a verdict is weighed by beside the requirements: waivers, an earlier result, and whether only new counts."""

    waivers: Sequence[Waiver] = ()
    baseline: Mapping[str, Any] | None = None
    only_new: bool = False

    @property
    def inherited(self) -> Inherited | None:
        """What the earlier result already showed, where only what is new counts."""
        return baseline.inherited(self.baseline) if self.baseline is not None and self.only_new else None

    def weight(self, rules: Rules, requirement: str, operation: str, *, strict: bool) -> str:
        """What a broken finding weighs while a run goes on: broken, excused (waived, or in the baseline) or warning."""
        row = rules.catalogue.by_id.get(requirement)
        if row is not None and not row.gates and not strict:
            return "warning"
        known = self.inherited
        waived = any(w.requirement == requirement and w.operation in ("", operation) for w in self.waivers)
        return "excused" if waived or (known and (requirement, operation) in known.broken) else "broken"

    def compared(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result, with what changed since the earlier one."""
        if self.baseline is None:
            return result
        return result | {"baseline": baseline.compare(self.baseline, result).as_json()}


def run(
    runner: Runner, items: Items, gate: Gate, today: datetime.date, meanwhile: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Judge one target and say so: the result (specs/result.schema.json).

    `meanwhile` is done while an emulated instance starts. Raises UsageError or NoVerdictError where there can be none.
    """
    with runner:  # at the end, what was deployed is undeployed
        runner.prepare(meanwhile)
        items(runner)
    return concluded(runner, gate, today)


_DESCRIPTION = "api.describes-itself-as-it-is-promised"


def _judge_description(facts: Facts, drift: Mapping[str, Any] | None) -> None:
    """What the description that the instance serves says otherwise than ours, each kind of change once an operation."""
    if drift is None:
        return
    kinds: dict[tuple[str, str], list[str]] = {}
    for change in drift["changes"]:
        kinds.setdefault((change["operation"] or "api", change["kind"]), []).append(change["message"])
    for (operation, kind), messages in kinds.items():
        expected = f"no {kind} of {operation}"
        more = f" ({len(messages) - 1} more of this kind)" if len(messages) > 1 else ""
        facts.broken.append(Finding(_DESCRIPTION, False, expected, f"{messages[0]}{more}", (), "api"))
        facts.broke[_DESCRIPTION, "api"] += 1
    if not kinds:
        facts.held[_DESCRIPTION, "api"] += 1


def concluded(runner: Runner, gate: Gate, today: datetime.date) -> dict[str, Any]:
    """The result of a run whose items have run and whose target is closed.

    A shard is judged by what it saw: what is untested or excused in vain may be so because of items elsewhere.
    """
    settings, rules, facts = runner.settings, runner.rules, runner.facts
    part = {"shard": part_of(runner)} if settings.shard else {}
    partial = known_suites() if part else facts.partial
    rows, scope = rules.catalogue.rows, scope_of(rules.catalogue, settings.suites, settings.only)
    if settings.allowed == "read":
        rows, scope = only_read(rules, scope)
    _judge_description(facts, runner.drift)
    seen = {requirement for requirement, _ in [*facts.held, *facts.broke]}
    scope = without_partial(rules.catalogue, scope, partial, seen)
    reached = _reached(rules, facts)
    short = "" if part else _shortfall(settings, facts, reached)
    waivers = _needed(gate.waivers, facts, settings.profile, today) if part else gate.waivers
    verdict = conclude(
        rows, facts.broken, waivers, today,
        held=facts.held, broke=facts.broke, scope=scope, strict=settings.strict,
        target_kind=settings.kind, profile=settings.profile, inherited=gate.inherited,
        complete=not part, incident=_first_of([*facts.incidents, facts.trouble.incident(facts.requests), short]),
    )  # fmt: skip
    broken = [one.requirement.id for one in verdict.judgements if one.outcome is Outcome.BROKEN and one.gates]
    release = runner.note or (answers_as_another(settings.profile, broken) if broken else "")
    notes = dict.fromkeys([release, *facts.notes, *facts.trouble.notes(facts.requests)])
    circumstances = Circumstances(
        target_kind=settings.kind,
        target_url=settings.emulated_url if settings.kind == EMULATED else base_url(settings.target),
        profile=settings.profile,
        scope=scope_in_words(
            settings.suites,
            settings.only,
            reading=settings.allowed == "read",
            partial=facts.partial,
            shard=settings.shard,
        ),
        seed=settings.seed,
        strict=settings.strict,
        budget=settings.budget,
        began=runner.began,
        seconds=time.time() - runner.began,
        drift=runner.drift,
        trust=(settings.ca_file, settings.client_cert, settings.client_key),
        extra={
            "readings": dict(sorted(facts.observed.items())),
            "items": [{"id": name, "seconds": seconds} for name, seconds in facts.items.items()],
            "coverage": reached,
            "left_out": _left_out(rules, facts),
            "first_finding": _first_finding(runner.began, facts),
            "command": runner.command,
            "new": additions_of(facts.marks),
            "notes": [note for note in notes if note],
            "gateway": facts.trouble.as_json(facts.requests),
        },
    )
    return gate.compared(result_of(verdict, circumstances, facts) | part)


def _needed(waivers: Sequence[Waiver], facts: Facts, profile: str, today: datetime.date) -> list[Waiver]:
    """The waivers that a shard is held to: whether another excuses anything, the merged result says."""
    return [
        waiver
        for waiver in waivers
        if waiver.last_day < today or any(covers(waiver, finding, profile) for finding in facts.broken)
    ]


def _reached(rules: Rules, facts: Facts) -> dict[str, Any]:
    running = any(row == "status.get-deployment.reaches-running" for row, _ in facts.held)
    return reached_of(rules.document, facts.reached, facts.marks, running=running)


def _shortfall(settings: Settings, facts: Facts, reached: Mapping[str, Any]) -> str:
    """What a whole run should have reached and did not, as a sentence: green on nothing is worth nothing."""
    short = reached["short"]
    whole = not settings.suites and not settings.only and settings.allowed != "read" and not facts.partial
    if facts.incidents or not short or not whole or not facts.suites.get("generated", {}).get("items"):
        return ""
    more = f" and {len(short) - 5} more" if len(short) > 5 else ""
    return f"The run never tested {', '.join(short[:5])}{more}."


def _first_finding(began: float, facts: Facts) -> float | None:
    """Seconds from the start of the run to the first exchange that broke something; None where nothing did."""
    ended = [finding.evidence[-1].ended for finding in facts.broken if finding.evidence]
    known = [moment for moment in ended if moment is not None]
    return round(max(0.0, min(known) - began), 3) if known else None


def _left_out(rules: Rules, facts: Facts) -> list[dict[str, Any]]:
    """Items that were skipped and requirements that are out of scope, by the reason."""
    lacking = {lacks(rules, name): ids for name, ids in rules.catalogue.left_out.items()}
    return [
        {"reason": reason, "items": facts.left_out[reason], "requirements": list(lacking.get(reason, ()))}
        for reason in dict.fromkeys([*lacking, *facts.left_out])
    ]


_INCIDENTS_SHOWN = 3


def _first_of(incidents: Sequence[str]) -> str:
    """The incidents as a person can read them: the first three, and how many more there are."""
    distinct = [incident for incident in dict.fromkeys(incidents) if incident]
    more = len(distinct) - _INCIDENTS_SHOWN
    return " ".join([*distinct[:_INCIDENTS_SHOWN], *([f"({more} more of this kind.)"] if more > 0 else [])])
