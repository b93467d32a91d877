"""Weighs findings against requirements and waivers: what is broken, what gates, and the exit code that follows."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from conformance.model import Finding, Judgement, Outcome, Requirement, Standing, Verdict, Waiver, WaiverUse

CONFORMANT, BROKEN, NO_VERDICT = 0, 1, 3
"""Exit codes of a verdict; wrong usage (2) never gets as far as one."""

WORDS = {CONFORMANT: "conformant", BROKEN: "not-conformant", NO_VERDICT: "none"}

Sightings = Mapping[tuple[str, str], int]
"""How often a requirement was seen to hold, by (requirement id, operation id)."""


@dataclass(frozen=True)
class Inherited:
    """What an earlier run already showed, which `--fail-on new` does not hold against this one.

    `broken` holds (requirement id, operation id), `untested` requirement ids.
    """

    broken: frozenset[tuple[str, str]] = frozenset()
    untested: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Terms:
    """Under which terms a run is judged."""

    today: datetime.date
    scope: Collection[str] | None
    strict: bool
    target_kind: str
    profile: str
    inherited: Inherited

    def includes(self, requirement: Requirement) -> bool:
        return self.scope is None or requirement.id in self.scope

    def promised(self, requirement: Requirement) -> bool:
        return not requirement.profiles or self.profile in requirement.profiles


def conclude(
    requirements: Sequence[Requirement],
    findings: Iterable[Finding],
    waivers: Sequence[Waiver],
    today: datetime.date,
    *,
    held: Sightings | None = None,
    broke: Sightings | None = None,
    scope: Collection[str] | None = None,
    strict: bool = False,
    target_kind: str = "emulated",
    profile: str = "2023.4",
    incident: str = "",
    complete: bool = True,
    inherited: Inherited | None = None,
) -> Verdict:
    """Conclude every requirement's outcome and the exit code.

    `held` adds sightings that were counted rather than kept as findings, and `broke` says how often each finding's kind
    was seen where not all of them were kept. `scope` holds the requirement ids the run is about, None meaning all: what
    is not exercised outside it does not matter, what is broken does. `incident` is a sentence on what kept the suite
    from its work (outage, a suite's own fault, failed clean-up, a dead worker): no waiver covers it. `complete` is
    False where traffic is judged as it came and nothing had to be exercised (`conformance check`).
    """
    terms = _Terms(today, scope, strict, target_kind, profile, inherited or Inherited())
    seen = _Seen(findings, held or {}, broke or {})
    uses = tuple(_use(waiver, seen, terms) for waiver in waivers)
    standing = [use.waiver for use in uses if use.standing is Standing.USED]
    judgements = tuple(
        judgement
        for requirement in requirements
        if terms.promised(requirement)
        and (judgement := _judge(requirement, seen, standing, terms))
        and (terms.includes(requirement) or judgement.outcome in (Outcome.BROKEN, Outcome.WAIVED))
    )
    unknown = seen.ids - {requirement.id for requirement in requirements}
    code, reason = _decide(judgements, uses, _own_fault(incident, unknown), terms, complete=complete)
    return Verdict(WORDS[code], code, reason, judgements, uses)


class _Seen:
    """The run's findings by requirement."""

    def __init__(self, findings: Iterable[Finding], held: Sightings, broke: Sightings) -> None:
        self.broken: dict[str, list[Finding]] = defaultdict(list)
        self.evidence: Counter[tuple[str, str]] = Counter(held)
        kept: Counter[tuple[str, str]] = Counter()
        for finding in findings:
            if finding.held:
                self.evidence[finding.requirement, finding.operation] += 1
            else:
                kept[finding.requirement, finding.operation] += 1
                self.broken[finding.requirement].append(finding)
        self._broke: Counter[str] = Counter()
        for pair, count in kept.items():
            times = max(count, broke.get(pair, 0))
            self.evidence[pair] += times
            self._broke[pair[0]] += times
        self._totals: Counter[str] = Counter()
        for (requirement, _), count in self.evidence.items():
            self._totals[requirement] += count

    @property
    def ids(self) -> set[str]:
        return set(self._totals)

    def broke(self, requirement: str) -> int:
        """How often it was seen broken."""
        return self._broke[requirement]

    def count(self, requirement: str, operation: str = "") -> int:
        return self.evidence[requirement, operation] if operation else self._totals[requirement]


def covers(waiver: Waiver, finding: Finding, profile: str) -> bool:
    """Whether a waiver speaks of this broken finding; its day is not looked at."""
    return (
        waiver.requirement == finding.requirement
        and waiver.operation in ("", finding.operation)
        and waiver.fingerprint in ("", finding.fingerprint)
        and waiver.profile in ("", profile)
    )


def _use(waiver: Waiver, seen: _Seen, terms: _Terms) -> WaiverUse:
    in_scope = terms.scope is None or waiver.requirement in terms.scope
    if waiver.profile not in ("", terms.profile):
        return WaiverUse(waiver, Standing.IDLE)
    if waiver.last_day < terms.today:
        return WaiverUse(waiver, Standing.EXPIRED if in_scope else Standing.IDLE)
    if any(covers(waiver, finding, terms.profile) for finding in seen.broken.get(waiver.requirement, ())):
        return WaiverUse(waiver, Standing.USED)
    exercised = in_scope and seen.count(waiver.requirement, waiver.operation)
    return WaiverUse(waiver, Standing.STALE if exercised else Standing.IDLE)


def _judge(requirement: Requirement, seen: _Seen, waivers: Sequence[Waiver], terms: _Terms) -> Judgement:
    evidence, broken = seen.count(requirement.id), seen.broken.get(requirement.id, [])
    # What is seen broken counts, whatever the run was about; that nothing was seen counts where it was asked for.
    gates = (terms.includes(requirement) or bool(broken)) and (requirement.gates or terms.strict)
    if not evidence:
        reason = requirement.unreached.get(terms.target_kind, "")
        return Judgement(requirement, Outcome.UNTESTED, 0, (), reason, gates)
    if not broken:
        return Judgement(requirement, Outcome.HELD, evidence, (), "", gates)
    covering = [(finding, _cover(finding, waivers, terms.profile)) for finding in broken]
    shown, broke = _smallest(broken), seen.broke(requirement.id)
    open_findings = [finding for finding, waiver in covering if waiver is None]
    if not open_findings:
        reason = " ".join(dict.fromkeys(_excuse(waiver) for _, waiver in covering if waiver))
        return Judgement(requirement, Outcome.WAIVED, evidence, shown, reason, gates, broke=broke)
    known = terms.inherited.broken
    if gates and all((finding.requirement, finding.operation) in known for finding in open_findings):
        reason = "Broken in the baseline too."
        return Judgement(requirement, Outcome.BROKEN, evidence, shown, reason, gates=False, known=True, broke=broke)
    reason = "" if terms.includes(requirement) else "Seen outside the scope of this run."
    return Judgement(requirement, Outcome.BROKEN, evidence, shown, reason, gates, broke=broke)


def _cover(finding: Finding, waivers: Sequence[Waiver], profile: str) -> Waiver | None:
    return next((waiver for waiver in waivers if covers(waiver, finding, profile)), None)


def _excuse(waiver: Waiver) -> str:
    return f"Waived until {waiver.last_day} by {waiver.owner}: {waiver.reason}"


def _smallest(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    best: dict[str, Finding] = {}
    # What was shrunk shows the others' defect by a sequence that can be run; they are counted, and not shown.
    shrunk = {finding.operation for finding in findings if finding.shrunk}
    for finding in findings:
        if not finding.shrunk and finding.operation in shrunk:
            continue
        known = best.setdefault(finding.fingerprint, finding)
        if (not finding.repeated[1], _length(finding)) < (not known.repeated[1], _length(known)):
            best[finding.fingerprint] = finding
    return tuple(best.values())


def _length(finding: Finding) -> float:
    return len(finding.evidence) or float("inf")


def _own_fault(incident: str, unknown: set[str]) -> str:
    if not unknown:
        return incident
    names = ", ".join(sorted(unknown))
    return f"{incident} A check reports requirements that the catalogue does not have: {names}.".strip()


def _decide(
    judgements: Sequence[Judgement], uses: Sequence[WaiverUse], incident: str, terms: _Terms, *, complete: bool
) -> tuple[int, str]:
    broken = [j.requirement.id for j in judgements if j.outcome is Outcome.BROKEN and j.gates]
    if broken:
        return BROKEN, _also(
            _enumerate(broken, "requirement that gates is broken", "requirements that gate are broken"), incident
        )
    failed = [use for use in uses if use.standing in (Standing.STALE, Standing.EXPIRED)]
    if failed:
        return BROKEN, _also(" ".join(map(_complaint, failed)), incident)
    if incident:
        return NO_VERDICT, incident
    if complete and not any(j.evidence for j in judgements if terms.includes(j.requirement)):
        return NO_VERDICT, "Nothing in scope was tested, so there is no verdict."
    missing = _missing(judgements, terms) if complete else []
    if missing:
        one = "requirement that gates was not tested, and its row gives no reason"
        return NO_VERDICT, _enumerate(
            missing, one, "requirements that gate were not tested, and their rows give no reason"
        )
    return CONFORMANT, _praise(judgements)


def _missing(judgements: Sequence[Judgement], terms: _Terms) -> list[str]:
    return [
        j.requirement.id
        for j in judgements
        if j.outcome is Outcome.UNTESTED
        and j.gates
        and not j.reason
        and j.requirement.id not in terms.inherited.untested
    ]


def _enumerate(ids: Sequence[str], one: str, many: str) -> str:
    if len(ids) == 1:
        return f"1 {one}: {ids[0]}."
    shown = ", ".join(ids[:3])
    return f"{len(ids)} {many}: {shown}." if len(ids) <= 3 else f"{len(ids)} {many}, the first {shown}."


def _also(sentence: str, incident: str) -> str:
    return f"{sentence} Besides: {incident}" if incident else sentence


def _complaint(use: WaiverUse) -> str:
    if use.standing is Standing.STALE:
        return f"The waiver for {use.waiver.requirement} is stale: what it excuses holds. Remove it from the file."
    return f"The waiver for {use.waiver.requirement} expired: its last day was {use.waiver.last_day}."


def _praise(judgements: Sequence[Judgement]) -> str:
    held = sum(1 for j in judgements if j.outcome is Outcome.HELD)
    known = sum(1 for j in judgements if j.known)
    holds = f"{held} requirement{' holds' if held == 1 else 's hold'}."
    if known:
        return f"{known} broken as before, nothing new; {holds}"
    return f"Nothing that gates is broken; {holds}"
