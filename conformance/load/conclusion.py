"""The result of a load: the verdict over what its answers showed and its objectives, and what a manager reads."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from conformance.load.ground import Change
from conformance.load.judging import BY_GATEWAY, GOOD, KINDS, LOST_ANSWER, REFUSED, STALE, WRONG
from conformance.load.objectives import Objective
from conformance.load.running import Load
from conformance.load.tally import quantile
from conformance.model import Finding, Verdict
from conformance.reporting.result import Circumstances, plain, result_of
from conformance.run.run import Gate
from conformance.run.settings import EMULATED
from conformance.run.verdict import BROKEN, NO_VERDICT, WORDS, conclude, covers
from conformance.targets.address import base_url

_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
_SLICES = 120
"""Points that the result has of a load, however long it was."""

_LONGEST_PAUSE, _TIMES_USUAL = 0.25, 2.0
"""Seconds that inference may pause at a change, and how often the longest pause before it: what lies between says
nothing, since so long a pause is usual there."""

_LEAST_SHARE = 0.9
"""The share of an asked rate that must be reached; with less the load was another one than asked for."""

_MOST_LOST = 0.5

_GAP = "pipelines.deploy.leaves-no-gap"


def concluded(done: Load, objectives: Sequence[Objective], gate: Gate, today: datetime.date) -> dict[str, Any]:
    """The result (specs/result.schema.json, with the key `load`)."""
    settings, rules, facts = done.runner.settings, done.runner.rules, done.facts
    for finding in _gap_findings(done):
        facts.held[_GAP, "pipelines.deploy"] += finding.held
        facts.broke[_GAP, "pipelines.deploy"] += not finding.held
        facts.broken += [] if finding.held else [finding]
    seen = frozenset(requirement for requirement, _ in [*facts.held, *facts.broke])
    waivers = [
        waiver
        for waiver in gate.waivers
        if waiver.last_day < today or any(covers(waiver, finding, settings.profile) for finding in facts.broken)
    ]
    verdict = conclude(
        rules.catalogue.rows, facts.broken, waivers, today, held=facts.held, broke=facts.broke, scope=seen,
        strict=settings.strict, target_kind=settings.kind, profile=settings.profile, inherited=gate.inherited,
        incident=" ".join(dict.fromkeys([*facts.incidents, *_shortfalls(done)])),
    )  # fmt: skip
    section = section_of(done, objectives)
    circumstances = Circumstances(
        target_kind=settings.kind,
        target_url=settings.emulated_url if settings.kind == EMULATED else base_url(settings.target),
        profile=settings.profile,
        scope=_in_words(done),
        seed=settings.seed,
        strict=settings.strict,
        began=done.runner.began,
        seconds=max(done.ended, done.began, done.runner.began) - done.runner.began,
        trust=(settings.ca_file, settings.client_cert, settings.client_key),
        extra={
            "command": done.runner.command,
            "notes": [*dict.fromkeys([*facts.notes, *facts.trouble.notes(facts.requests)])],
            "gateway": facts.trouble.as_json(facts.requests),
            "first_finding": section["first"]["at"] if section["first"] else None,
            "load": section,
        },
    )
    return gate.compared(result_of(_with_objectives(verdict, section["objectives"]), circumstances, facts))


def _with_objectives(verdict: Verdict, objectives: Sequence[Mapping[str, Any]]) -> Verdict:
    """The verdict, which an objective that is not held decides as a broken requirement does."""
    missed = [f"{one['objective']} (measured {one['measured']})" for one in objectives if not one["held"]]
    if not missed or (verdict.exit_code == NO_VERDICT and all(one["measured"] == "nothing" for one in objectives)):
        return verdict
    sentence = f"{len(missed)} objective{' is' if len(missed) == 1 else 's are'} not held: {', '.join(missed)}."
    beside = f" Besides: {verdict.reason}" if verdict.exit_code else ""
    return replace(verdict, word=WORDS[BROKEN], exit_code=BROKEN, reason=sentence + beside)


def section_of(done: Load, objectives: Sequence[Objective]) -> dict[str, Any]:
    """The key `load` of a result."""
    tally, counts = done.tally, {kind: done.tally.count(kind) for kind in KINDS}
    seconds = max(done.ended - done.began, 1e-3)
    judged = sum(counts.values()) - counts[BY_GATEWAY]
    gap, at = tally.gap(done.began, done.ended or math.inf)
    measures: dict[str, float | None] = {
        **{name: tally.percentile(share) for name, share in _SHARES.items()},
        **{name: float(counts[name]) for name in (LOST_ANSWER, WRONG, STALE, REFUSED, BY_GATEWAY)},
        "gap": gap if counts[GOOD] > 1 else None,
        "mixed": float(tally.mixed),
        "unsent": float(tally.unsent),
        "success": 100 * counts[GOOD] / judged if judged else None,
        "rate": counts[GOOD] / seconds,
    }
    rows = {name: value for name, value in measures.items() if name in _SHARES}
    section = {
        "shape": asdict(done.shape),
        "answers": counts,
        "judged": judged,
        "success": _rounded(measures["success"]),
        "rate": round(counts[GOOD] / seconds, 1),
        "rows_a_second": round(tally.rows / seconds, 1),
        "latency_ms": {name: None if value is None else round(value * 1000, 2) for name, value in rows.items()},
        "gap": {"seconds": gap, "at": round(max(0.0, at - done.began), 2)},
        "change": _change(done, done.changes[0]) if done.changes else None,
        "versions": _versions(done),
        "mixed": tally.mixed,
        "unsent": tally.unsent,
        "lost": dict(tally.lost),
        "first": _first(done),
        "slices": _slices(done),
        "objectives": [objective.judged(measures) for objective in objectives],
        "cpu": {"seconds": round(tally.cpu, 2), "judging": round(tally.judging, 2)},
    }
    return dict(plain(section))


def _rounded(percent: float | None) -> float | None:
    """Never 100 where something is missing."""
    return None if percent is None else math.floor(percent * 10_000) / 10_000


def _change(done: Load, change: Change) -> dict[str, Any]:
    until = change.ended + 1.0
    gap, at = done.tally.gap(change.began, until)
    answers = dict.fromkeys(KINDS, 0)
    for moment, second in done.tally.seconds.items():
        if int(change.began) <= moment <= until:
            for kind, count in second.kinds.items():
                answers[kind] += count
    return {
        "how": change.how, "at": round(change.began - done.began, 2), "seconds": round(change.ended - change.began, 2),
        "refused": change.refused, "gap": {"seconds": gap, "at": round(max(0.0, at - done.began), 2)},
        "gap_before": _gap_before(done, change), "answers": answers,
    }  # fmt: skip


def _gap_before(done: Load, change: Change) -> float:
    before = replace(done.tally, seconds={m: s for m, s in done.tally.seconds.items() if m < int(change.began)})
    return before.gap(done.began)[0]


def _gap_findings(done: Load) -> list[Finding]:
    """Whether a change left a pause longer than is usual: nothing where no change was made, or it cannot be told."""
    found = []
    for change in done.changes:
        pause, usual = done.tally.gap(change.began, change.ended + 1.0)[0], _gap_before(done, change)
        if change.refused or not usual or (_LONGEST_PAUSE < pause <= _TIMES_USUAL * usual):
            continue
        expected, actual = f"a good answer at least every {_LONGEST_PAUSE:g} s", f"none for {pause:.2f} s"
        found.append(Finding(_GAP, pause <= _LONGEST_PAUSE, expected, actual, (), "pipelines.deploy"))
    return found


def _versions(done: Load) -> list[dict[str, Any]]:
    known = done.plan.versions if done.plan else ()
    return [{"sha": one.sha, "version": one.uuid, "answers": done.tally.versions[one.sha]} for one in known]


def _first(done: Load) -> dict[str, Any] | None:
    if not done.tally.first:
        return None
    moment, requirement, expected, actual = done.tally.first
    return {
        "at": round(max(0.0, moment - done.began), 2), "requirement": requirement, "expected": expected,
        "actual": actual,
    }  # fmt: skip


def _slices(done: Load) -> list[dict[str, Any]]:
    moments = [moment for moment in sorted(done.tally.seconds) if moment >= int(done.began)]
    if not moments:
        return []
    width = math.ceil((moments[-1] - moments[0] + 1) / _SLICES)
    slices = []
    for start in range(moments[0], moments[-1] + 1, width):
        inside = [done.tally.seconds[m] for m in range(start, start + width) if m in done.tally.seconds]
        latencies = sum((one.latencies for one in inside), start=type(inside[0].latencies)()) if inside else {}
        kinds = {kind: sum(one.kinds[kind] for one in inside) for kind in KINDS}
        points = {name: quantile(latencies, _SHARES[name]) for name in ("p50", "p95", "p99")}
        slices.append(
            {"at": round(start - int(done.began), 2), "seconds": width, "answers": kinds}
            | {name: None if value is None else round(value * 1000, 2) for name, value in points.items()}
        )
    return slices


def _shortfalls(done: Load) -> list[str]:
    """Why a load was less than was asked for, so that it says nothing."""
    tally, shape, total = done.tally, done.shape, sum(done.tally.count(kind) for kind in KINDS)
    if done.plan is None:
        return []
    if not total - tally.count(BY_GATEWAY):
        return ["No inference was judged."]
    if tally.count(LOST_ANSWER) > _MOST_LOST * total:
        why = tally.lost.most_common(1)[0][0]
        return [f"{tally.count(LOST_ANSWER)} of {total} inferences were not answered ({why}): the target was away."]
    due = (shape.rate or 0.0) * max(shape.seconds, done.ended - done.began)
    if total < _LEAST_SHARE * due:
        return [
            f"Of {due:.0f} inferences that were due, {total} were answered in time: this machine, or the target, does "
            "not keep up. Ask for a lower --rate, or for more --workers."
        ]
    if shape.rate is None and total < shape.users:
        return [f"{shape.users} users had only {total} answers: ask for more --seconds, or for fewer --users."]
    return []


def _in_words(done: Load) -> str:
    shape = done.shape
    who = f"{shape.users} users" if shape.rate is None else f"{shape.rate:g} inferences a second"
    return f"load of {who} for {shape.seconds:g} s" + (f" during {shape.during}" if shape.during else "")
