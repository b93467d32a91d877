"""One run in one process: its target and session, what its items saw, and the verdict at the end."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.checks import Rules
from conformance.model import Exchange, Outcome, Waiver
from conformance.recording.recorder import Recorder
from conformance.reporting.result import RunFacts, result_of
from conformance.run import baseline
from conformance.run.aloud import said_aloud
from conformance.run.custody import Custody, in_advance, terminations_interrupt
from conformance.run.facts import Tally, of_sightings
from conformance.run.patience import Patience
from conformance.run.reach import reached_of
from conformance.run.scope import lacks, only_read, scope_in_words, scope_of
from conformance.run.session import Session
from conformance.run.settings import (
    EMULATED,
    Settings,
    checked,
    emulator_for,
    new_run_id,
    open_target,
    own_hosts,
    require_answer,
)
from conformance.run.verdict import Inherited, conclude
from conformance.targets.address import base_url, is_beneath
from conformance.targets.target import PROBES, Target
from conformance.targets.tokens import issuers_key

_INCIDENTS_SHOWN = 3
_SHORT_WAIT = 15.0


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

    def compared(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result, with what changed since the earlier one."""
        if self.baseline is None:
            return result
        return result | {"baseline": baseline.compare(self.baseline, result).as_json()}


class Runner:
    """Opens the target when the first item asks for it; closes what it opened. One per process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings if settings.run_id else replace(settings, run_id=new_run_id())
        self.tally = Tally()
        self.result: dict[str, Any] | None = None
        self.gate = Gate()
        self.told_by_caller = False
        self.command = ""
        self.say: Callable[[str], None] = lambda sentence: print(sentence, file=sys.stderr)
        self._stack = ExitStack()
        self._session: Session | None = None
        self._began = time.time()
        self._sent = 0
        self._ended = False
        self.interrupted = False
        self.impatient = False
        self._target: Target | None = None
        self.recorded = 0
        self._drift: dict[str, Any] | None = None
        self._note = ""

    @property
    def rules(self) -> Rules:
        """The profile's document and catalogue."""
        return Rules.of(self.settings.profile, own_hosts(self.settings))

    def prepare(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Start the emulated instance where that is the target, and make sure the target answers.

        `meanwhile` is done while the instance starts.
        """
        checked(self.settings)
        if self.settings.kind == EMULATED and not self.settings.emulated_url:
            self.settings = replace(self.settings, signing_key=str(self._stack.enter_context(issuers_key())))
        url = self._stack.enter_context(emulator_for(self.settings, meanwhile))
        self.settings = replace(self.settings, emulated_url=url)
        target = self._opened(open_target(self.settings))
        try:
            require_answer(target)
            self._token_source(target)
            self._drift = self._served_drift(target)
        finally:
            target.close()
        self._stack.enter_context(terminations_interrupt())
        _ = self.custody

    def _served_drift(self, target: Target) -> dict[str, Any] | None:
        """What the description the instance serves says otherwise than ours, for the report.

        Nothing is asked where a ceiling on requests is set: finding the description may take a score of them.
        """
        if self.settings.max_requests is not None:
            return None
        from conformance.drift.sources.collection import (  # pytest imports this module in runs that are not ours
            drift_from_ours,
            served_source,
        )
        from conformance.run.release import served_as_another

        served = served_source(target)
        found = None if served is None else drift_from_ours(served, self.rules.document)
        if served is not None and found is not None and found.verdict == "breaking":
            self._note = served_as_another(self.settings.profile, served.title, served.document)
            if self._note:
                self.say(self._note)
        return None if found is None else found.as_dict()

    @cached_property
    def custody(self) -> Custody:
        """What this run makes at its target, from the first request that may make something."""
        custody = Custody(self.settings)
        self.settings = custody.settings
        return custody

    def announcement(self, cost: int) -> str:
        """What a live run will make, and where, in one line; empty for a worker, and where nothing is at stake."""
        settings = self.settings
        return "" if settings.kind == EMULATED or settings.worker else in_advance(settings, cost)

    @property
    def session(self) -> Session:
        """This process's session, opened on first use."""
        if self._session is None:
            if self.settings.kind == "emulated" and not self.settings.emulated_url:
                self.prepare()
            self._stack.enter_context(terminations_interrupt())
            self._target = target = self._opened(open_target(self.settings, safeguards=self.custody.safeguards))
            target.ceiling = self._ceiling()
            self._stack.callback(target.close)
            keep = self._recorder.keep if self._recorder else None
            self._session = Session(target, self.rules, keep, Patience(self.settings.wait))
            self._session.witnessing = self.settings.witness
        return self._session

    def _opened(self, target: Target) -> Target:
        """The target, with those that want to hear of each exchange."""
        hearers: list[Callable[[Exchange], None]] = [self._archive.keep] if self._archive else []
        hearers += [said_aloud(self.settings.worker)] if self.settings.verbose else []
        target.heard = lambda exchange: [hear(exchange) for hear in hearers]
        return target

    def _token_source(self, target: Target) -> None:
        """Have the verdict say who gave the token, where that is not the target itself."""
        url = getattr(target.credentials, "url", "")
        if url and not is_beneath(target.url, url):
            self.tally.notes.append(f"The token came from {url}.")

    @cached_property
    def _archive(self) -> Recorder | None:
        """Keeps all that is sent and received, what was sent again and what gateways answered included."""
        if not self.settings.har:
            return None
        run = f"run {self.settings.run_id}"
        archive = Recorder(Path(self.settings.har), run, self.settings.profile, run, self.settings.worker)
        self._stack.callback(archive.write)
        return archive

    def _ceiling(self) -> int | None:
        """This process's share of the requests the run may send, once the target was found to answer."""
        settings = self.settings
        return None if settings.max_requests is None else (settings.max_requests - len(PROBES)) // settings.workers

    @cached_property
    def _recorder(self) -> Recorder | None:
        """Keeps this process's exchanges where the run is asked to; written when the runner is closed."""
        settings = self.settings
        if not settings.record:
            return None
        recorder = Recorder(
            Path(settings.record), f"run {settings.run_id}, {settings.kind} instance", settings.profile,
            session=f"run {settings.run_id}", worker=settings.worker, largest=settings.record_largest,
        )  # fmt: skip
        self._stack.callback(self._write_recordings, recorder)
        return recorder

    def _write_recordings(self, recorder: Recorder) -> None:
        self.recorded = recorder.write()

    def seen_since(self) -> dict[str, Any] | None:
        """What this process's session saw since the last call, as plain data; None where nothing was sent."""
        if self._session is None:
            return None
        sightings = self._session.drain()
        sent = self._session.target.requests
        new, self._sent = sent - self._sent, sent
        return of_sightings(sightings, new) if new or sightings.broken or sightings.held else None

    def close(self) -> None:
        """Leave nothing behind, and end what was opened."""
        with self._stack:
            if "custody" in self.__dict__ and not self._ended:
                self._ended = True
                left = self.custody.end(self._target, self._last_wait, self._farewell).sentence
                if left:
                    self.tally.incidents.append(f"{left} Or later: conformance clean --run {self.settings.run_id}.")

    def _farewell(self, going: Sequence[str]) -> None:
        """Say what is about to be undeployed."""
        before = "Interrupted. Undeploying" if self.interrupted else "Undeploying"
        self.say(f"{before} what this run deployed, within {self._last_wait:.0f} s: {', '.join(going)}.")

    def weight(self, requirement: str, operation: str) -> str:
        """What a broken finding weighs while a run goes on: broken, excused (waived, or in the baseline) or warning."""
        row = self.rules.catalogue.by_id.get(requirement)
        if row is not None and not row.gates and not self.settings.strict:
            return "warning"
        known = self.gate.inherited
        waived = any(w.requirement == requirement and w.operation in ("", operation) for w in self.gate.waivers)
        return "excused" if waived or (known and (requirement, operation) in known.broken) else "broken"

    @property
    def _last_wait(self) -> float:
        """Seconds for the clean-up: few where the run has waited for the same deployments already, in vain."""
        return min(self.settings.wait, _SHORT_WAIT) if self.impatient else self.settings.wait

    def conclude(self, today: datetime.date) -> dict[str, Any]:
        """The result of the whole run, kept in `result`."""
        settings, catalogue, tally = self.settings, self.rules.catalogue, self.tally
        scope = scope_of(catalogue, settings.suites, settings.only)
        rows = catalogue.rows
        if settings.allowed == "read":
            rows, scope = only_read(self.rules, scope)
        verdict = conclude(
            rows,
            tally.findings,
            self.gate.waivers,
            today,
            held=tally.held,
            broke=tally.broke,
            scope=scope,
            strict=settings.strict,
            target_kind=settings.kind,
            profile=settings.profile,
            incident=_first_of([*tally.incidents, *self._gateways(), *self._shortfall()]),
            inherited=self.gate.inherited,
        )
        broken = [j.requirement.id for j in verdict.judgements if j.outcome is Outcome.BROKEN and j.gates]
        if broken and not self._note:
            from conformance.run.release import answers_as_another

            self._note = answers_as_another(settings.profile, broken)
        self.result = self.gate.compared(result_of(verdict, self._facts()))
        return self.result

    @cached_property
    def _reached(self) -> dict[str, Any]:
        running = any(row == "status.get-deployment.reaches-running" for row, _ in self.tally.held)
        return reached_of(self.rules.document, self.tally.reached, self.tally.marks, running=running)

    @property
    def _first_finding(self) -> float | None:
        """Seconds from the start of the run to the first exchange that broke something; None where nothing did."""
        ended = [finding.evidence[-1].ended for finding in self.tally.findings if finding.evidence]
        known = [moment for moment in ended if moment is not None]
        return round(max(0.0, min(known) - self._began), 3) if known else None

    def _shortfall(self) -> list[str]:
        """What a whole run should have reached and did not, as a sentence: green on nothing is worth nothing."""
        settings, short = self.settings, self._reached["short"]
        whole = not settings.suites and not settings.only and settings.allowed != "read"
        if not short or not whole or not self.tally.suites.get("generated", {}).get("items"):
            return []
        more = f" and {len(short) - 5} more" if len(short) > 5 else ""
        return [f"The run never reached {', '.join(short[:5])}{more}."]

    def _notes(self) -> list[str]:
        notes = [*([self._note] if self._note else []), *self.tally.notes]
        return [*dict.fromkeys(notes), *self.tally.troubles.notes(self.tally.requests)]

    def _gateways(self) -> list[str]:
        said = self.tally.troubles.incident(self.tally.requests)
        return [said] if said else []

    def _left_out(self) -> list[dict[str, Any]]:
        """Items that were skipped and requirements that are out of scope, by the reason."""
        lacking = {lacks(self.rules, name): ids for name, ids in self.rules.catalogue.left_out.items()}
        reasons = dict.fromkeys([*lacking, *self.tally.left_out])
        return [
            {"reason": reason, "items": self.tally.left_out[reason], "requirements": list(lacking.get(reason, ()))}
            for reason in reasons
        ]

    def _facts(self) -> RunFacts:
        reached: dict[str, dict[str, int]] = {}
        for (operation, status), count in sorted(self.tally.reached.items()):
            reached.setdefault(operation, {})[str(status)] = count
        settings = self.settings
        return RunFacts(
            target_kind=settings.kind,
            target_url=settings.emulated_url if settings.kind == "emulated" else base_url(settings.target),
            profile=settings.profile,
            scope=scope_in_words(settings.suites, settings.only, reading=settings.allowed == "read"),
            seed=settings.seed,
            strict=settings.strict,
            reached=reached,
            requests=self.tally.requests,
            started=datetime.datetime.fromtimestamp(self._began, datetime.UTC).isoformat(timespec="seconds"),
            seconds=time.time() - self._began,
            budget=settings.budget,
            suites=list(self.tally.suites.values()),
            drift=self._drift,
            extra={
                "readings": dict(sorted(self.tally.observed.items())),
                "coverage": self._reached,
                "left_out": self._left_out(),
                "first_finding": self._first_finding,
                "command": self.command,
                "notes": self._notes(),
                "gateway": self.tally.troubles.as_json(self.tally.requests),
            },
            witnesses=self.tally.witnesses,
            trust=(settings.ca_file, settings.client_cert, settings.client_key),
            timeline=[event | {"at": round(max(0.0, event["at"] - self._began), 3)} for event in self.tally.events],
        )


def _first_of(incidents: Sequence[str]) -> str:
    """The incidents as a person can read them: the first three, and how many more there are."""
    distinct = list(dict.fromkeys(incidents))
    more = len(distinct) - _INCIDENTS_SHOWN
    return " ".join([*distinct[:_INCIDENTS_SHOWN], *([f"({more} more of the kind.)"] if more > 0 else [])])
