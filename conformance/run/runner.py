"""One process of a run: what it opens, what its items saw, and that it leaves nothing behind."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

from conformance.checks import Rules
from conformance.model import Exchange
from conformance.recording.folder import Recorder
from conformance.reporting.facts import Facts
from conformance.reporting.progress import said_aloud
from conformance.run.session import Session
from conformance.run.settings import (
    EMULATED,
    WORKSPACE,
    Settings,
    checked,
    emulator_for,
    new_run_id,
    open_target,
    own_hosts,
    require_answer,
)
from conformance.targets.address import base_url, is_beneath
from conformance.targets.safety.cleanup import Cleaned, clean
from conformance.targets.safety.guard import CircuitBreaker, Effects, Guard, Limits
from conformance.targets.safety.holdings import Holdings
from conformance.targets.safety.journal import Journal, default_folder, read
from conformance.targets.strangers import issuers_key
from conformance.targets.target import PROBES, Safeguards, Target
from conformance.targets.waits import WaitBudget


class RunCleanup:
    """One process's part of the clean-up of a run. The controlling process begins the journal; workers append to it."""

    def __init__(self, settings: Settings) -> None:
        self._journal = _journal(settings)
        self.settings = replace(settings, journal_file=str(self._journal.path)) if self._journal else settings
        self.holdings = Holdings(settings.prefix, self._journal.write if self._journal else None)

    @property
    def safeguards(self) -> Safeguards:
        """What this process's target is held to."""
        settings = self.settings
        given = {WORKSPACE} if settings.kind == EMULATED else set()
        if settings.workspace_id is not None:
            given = {settings.workspace_id}
        # Of several processes one alone deploys on a live target: the ceilings are all its own.
        limits = Limits(settings.deployments_at_once, settings.minutes_deployed)
        breaker = CircuitBreaker() if settings.kind != EMULATED else None
        return Safeguards(self.holdings, Guard(self.holdings, Effects(settings.allowed), given), limits, breaker)

    def end(self, target: Target | None, seconds: float, say: Callable[[Sequence[str]], None]) -> Cleaned:
        """Undeploy what the run left up, by this process's target or, where workers made it, by one of its own.

        `say` is told the names before it begins. It waits `seconds` for them. An emulated instance of the run's own
        ends with it, and a worker leaves this to the controlling process.
        """
        settings = self.settings
        if settings.worker:
            return Cleaned()
        cleaned = Cleaned()
        entry = read(self._journal.path) if self._journal else None
        if entry is not None and settings.workers > 1:
            for note in entry.notes:
                self.holdings.take(note)
        if not self.holdings.clean and settings.kind != EMULATED:
            say(self.holdings.going())
            cleaned = self._cleaned(target, seconds)
        if self._journal:
            self._journal.close(clean=self.holdings.clean or settings.kind == EMULATED)
        return cleaned

    def _cleaned(self, target: Target | None, seconds: float) -> Cleaned:
        opened = target or open_target(self.settings, safeguards=self.safeguards)
        try:
            return clean(opened, self.holdings, seconds)
        finally:
            if target is None:
                opened.close()


def _journal(settings: Settings) -> Journal | None:
    if settings.journal_file:
        return Journal(Path(settings.journal_file))
    if settings.kind == EMULATED and not settings.journal:
        return None
    folder = Path(settings.journal) if settings.journal else default_folder()
    url = EMULATED if settings.kind == EMULATED else base_url(settings.target)
    return Journal.begin(folder, settings.run_id, url, settings.prefix)


def in_advance(settings: Settings, cost: int) -> str:
    """One line for a person: what a run will make at a live target, and where. `cost` is in deployments."""
    url = base_url(settings.target)
    if settings.allowed == "read":
        return f"Only reads at {url}: nothing is created."
    where = "a workspace of its own" if settings.workspace_id is None else f"workspace {settings.workspace_id}"
    made = f"about {cost} deployments" if cost else "deployments"
    return (
        f"Creates models, pipelines and {made}, at most {settings.deployments_at_once} at once, in {where} at {url}; "
        f"all names begin with {settings.prefix}, and everything deployed is undeployed at the end. The run waits for "
        "deployments to start and to stop, twice each, and sends other requests meanwhile: at one minute to start and "
        "half a "
        "minute to stop, the quick budget takes three to four minutes."
    )


@contextmanager
def terminations_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt as Ctrl-C does, so that what is deployed is undeployed; only in a main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SHORT_WAIT = 15.0


class Runner:
    """Opens the target when the first item asks for it; closes what it opened. One per process."""

    def __init__(self, settings: Settings, say: Callable[[str], None] | None = None) -> None:
        self.settings = settings if settings.run_id else replace(settings, run_id=new_run_id())
        self.facts = Facts()
        self.has_run = False
        self.concluded_by_caller = False
        self.command = ""
        self.say = say or (lambda sentence: print(sentence, file=sys.stderr))
        self._stack = ExitStack()
        self._session: Session | None = None
        self.began = time.time()
        if self.settings.max_seconds is not None and self.settings.ends_at is None:
            self.settings = replace(self.settings, ends_at=self.began + self.settings.max_seconds)
        self._ended = False
        self.interrupted = False
        self.impatient = False
        self._target: Target | None = None
        self.recorded = 0
        self.drift: dict[str, Any] | None = None
        self.note = ""

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
            self.drift = self._served_drift(target)
        finally:
            target.close()
        self._stack.enter_context(terminations_interrupt())
        _ = self.cleanup

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
            self.note = served_as_another(self.settings.profile, served.title, served.document)
            if self.note:
                self.say(self.note)
        return None if found is None else found.as_dict()

    @cached_property
    def cleanup(self) -> RunCleanup:
        """What this run makes at its target, from the first request that may make something."""
        cleanup = RunCleanup(self.settings)
        self.settings = cleanup.settings
        return cleanup

    def announcement(self, cost: int) -> str:
        """What a live run will make, and where, in one line; empty for a worker, and where nothing is at stake."""
        settings = self.settings
        return "" if settings.kind == EMULATED or settings.worker else in_advance(settings, cost)

    @property
    def opened(self) -> Session | None:
        """This process's session, None where it was not opened."""
        return self._session

    @property
    def session(self) -> Session:
        """This process's session, opened on first use."""
        if self._session is None:
            if self.settings.kind == "emulated" and not self.settings.emulated_url:
                self.prepare()
            self._stack.enter_context(terminations_interrupt())
            self._target = target = self._opened(open_target(self.settings, safeguards=self.cleanup.safeguards))
            target.ceiling = self._ceiling()
            self._stack.callback(target.close)
            keep = self._recorder.keep if self._recorder else None
            self._session = Session(target, self.rules, keep, WaitBudget(self.settings.wait))
            self._session.witnessing = self.settings.witness
            self._session.ends_at = self.settings.ends_at
            if self.settings.budget != "quick":
                from conformance.spec.crosscheck import SecondJudge  # importing openapi-core takes a second

                self._session.second = SecondJudge(self.rules.document, self.rules.validator)
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
            self.facts.notes.append(f"The token came from {url}.")

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

    def seen_since(self) -> Facts | None:
        """What this process's session saw since the last call; None where nothing was sent."""
        facts = self._session.drain() if self._session is not None else None
        return facts if facts and (facts.requests or facts.broken or facts.held) else None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave nothing behind, and end what was opened."""
        with self._stack:
            if "cleanup" in self.__dict__ and not self._ended:
                self._ended = True
                left = self.cleanup.end(self._target, self._last_wait, self._farewell).sentence
                if left:
                    self.facts.incidents.append(
                        f"{left} To undeploy it later: conformance clean --run {self.settings.run_id}."
                    )

    def _farewell(self, going: Sequence[str]) -> None:
        """Say what is about to be undeployed."""
        before = "Interrupted. Undeploying" if self.interrupted else "Undeploying"
        self.say(f"{before} what this run deployed, within {self._last_wait:.0f} s: {', '.join(going)}.")

    @property
    def _last_wait(self) -> float:
        """Seconds for the clean-up: few where the run has waited for the same deployments already, in vain."""
        return min(self.settings.wait, _SHORT_WAIT) if self.impatient else self.settings.wait
