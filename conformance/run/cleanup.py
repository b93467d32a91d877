"""Writes down what a run creates at a target, and undeploys it when the run ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from conformance.run.settings import EMULATED, WORKSPACE, Settings, open_target
from conformance.targets.address import base_url
from conformance.targets.safety.cleanup import Cleaned, clean
from conformance.targets.safety.guard import CircuitBreaker, Effects, Guard, Limits
from conformance.targets.safety.holdings import Holdings
from conformance.targets.safety.journal import Journal, default_folder, read
from conformance.targets.target import Safeguards, Target


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
