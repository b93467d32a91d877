"""How many of the emulated instance's faults a run finds, and how fast: the suite measured by defects it is given."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import statistics
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from conformance.cli.run import by_pytest
from conformance.emulator.app import create_app
from conformance.emulator.faults import Fault, find, middleware_of
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import Settings as EmulatorSettings
from conformance.errors import SuiteError
from conformance.run.run import Gate
from conformance.run.run import run as whole_run
from conformance.run.runner import Runner
from conformance.run.settings import BUDGETS, Settings
from conformance.spec.document import Document
from conformance.targets.proxy import proxied, spoiling, spoilings
from conformance.targets.strangers import issuers_key

_CREDENTIALS = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
"""What the emulated instance knows; behind a proxy it is asked as a live one is."""

_WAIT_SECONDS = 20.0
_LONGEST_RUN = 900.0
_LOADED = ("conformance.cli.measurement", "conformance.suites.generation.lifecycles")


@dataclass(frozen=True)
class Subject:
    """What is measured: a fault of the emulated instance, or of a proxy before one that has none.

    `breaks` are the ids that it is known to break, empty where any will do; `file` is the proxy's.
    """

    id: str
    kind: str
    breaks: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class Seen:
    """What one run saw of a fault: the ids that broke, the exit code, the seconds to the first finding, and how many
    of the requirements it `exercised`, held or broken, of how many there are."""

    broken: frozenset[str]
    exit_code: int
    first: float | None
    exercised: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Measured:
    """A fault and the budget in which it was `found`, broken under an id that it is known to break; empty where not.

    `others` are ids broken beside them, `gates` says that a run ended in exit 1, `first` the seconds to a finding.
    `exercised` of `rows` requirements were seen to hold or to break in spite of it.
    """

    fault: Subject
    found: str
    others: tuple[str, ...]
    gates: bool
    first: float | None
    exercised: int = 0
    rows: int = 0

    @property
    def blinds(self) -> bool:
        """Whether the fault kept the run from half of what it is to show, so that others would go unseen beside it."""
        return 2 * self.exercised < self.rows


def subjects_of(faults: Sequence[Fault]) -> tuple[Subject, ...]:
    """The emulated instance's faults, to be measured."""
    return tuple(Subject(fault.id, fault.kind, fault.breaks) for fault in faults)


def subjects_in(folder: Path) -> tuple[Subject, ...]:
    """The faults in a proxy's folder. Raises UsageError where one cannot be loaded."""
    return tuple(Subject(one.name, "proxy", file=str(folder.resolve() / f"{one.name}.py")) for one in spoilings(folder))


def measure(faults: Sequence[Subject], budget: str, seed: int, workers: int) -> Iterator[Measured]:
    """Run the suites against an instance with each fault: in the smallest budget, and where that misses it in the next,
    up to `budget`. `workers` runs go on at once; faults come as they are done."""
    budgets = BUDGETS[: BUDGETS.index(budget) + 1]
    with _pool(workers) as pool:
        waiting = {pool.submit(seen_with, fault, budgets[0], seed): (fault, 0) for fault in faults}
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                fault, tried = waiting.pop(future)
                one = _measured(fault, budgets[tried], future)
                if one.found or tried + 1 == len(budgets):
                    yield one
                else:
                    again = pool.submit(seen_with, fault, budgets[tried + 1], seed)
                    waiting[again] = (fault, tried + 1)


def _measured(fault: Subject, budget: str, future: Future[Seen]) -> Measured:
    seen = future.result(_LONGEST_RUN)
    found = bool(seen.broken & set(fault.breaks) if fault.breaks else seen.broken)
    others = tuple(sorted(seen.broken - set(fault.breaks)))
    gates = seen.exit_code == 1
    return Measured(fault, budget if found else "", others, gates, seen.first, seen.exercised, seen.rows)


def seen_with(fault: Subject, budget: str, seed: int) -> Seen:
    """One whole run against an instance with that fault, in this process; findings are not shrunk.

    What the run and the instance say of it is kept quiet: some faults are crashes.
    """
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        if fault.file:
            with instance(()) as (url, _), proxied(url, spoiling(Path(fault.file))) as before:
                os.environ |= _CREDENTIALS
                return _seen(Settings(before, budget=budget, seed=seed, wait=_WAIT_SECONDS, shrink=False))
        with instance((find(fault.id),)) as (url, key):
            return _seen(
                Settings(
                    "emulated", emulated_url=url, signing_key=key, budget=budget, seed=seed, wait=_WAIT_SECONDS,
                    shrink=False,
                )
            )  # fmt: skip


def _seen(settings: Settings) -> Seen:
    runner = Runner(settings)
    try:
        result = whole_run(runner, by_pytest(["-q"]), Gate(), datetime.datetime.now(datetime.UTC).date())
    except SuiteError:
        return Seen(frozenset(), 3, None)
    outcomes = {row["id"]: row["outcome"] for row in result["requirements"]}
    broken = frozenset(name for name, outcome in outcomes.items() if outcome == "broken")
    exercised = sum(outcome != "untested" for outcome in outcomes.values())
    return Seen(broken, result["exit_code"], result["first_finding"], exercised, len(outcomes))


@contextmanager
def instance(faults: tuple[Fault, ...]) -> Iterator[tuple[str, str]]:
    """An emulated instance with these faults, served by a thread: its URL, and the file of the key for its tokens."""
    with issuers_key() as key:
        listener = listening_socket("127.0.0.1", 0)
        settings = EmulatorSettings(base_url=url_of(listener), signing_key=key)
        ready = threading.Event()
        app = create_app(settings, document=lambda: Document.load().raw, middleware=middleware_of(faults))
        server = Server(app, ready.set, settings.limits)
        thread = threading.Thread(target=partial(server.run, sockets=[listener]), daemon=True)
        thread.start()
        ready.wait(60)
        try:
            yield settings.base_url, str(key)
        finally:
            server.should_exit = True
            thread.join(10)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes forked from one that has everything imported; each makes one run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_LOADED))
    return ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1)


def markdown(measured: Sequence[Measured], budget: str) -> str:
    """A table by class, and below it what was missed and what was told under another id."""
    budgets = BUDGETS[: BUDGETS.index(budget) + 1]
    heads = [f"found in {name}" for name in budgets]
    lines = [
        f"| class | faults | {' | '.join(heads)} | exit 1 | first finding (median s) | requirements seen (least) |"
    ]
    lines.append("|---|" + "---:|" * (len(heads) + 4))
    kinds = list(dict.fromkeys(one.fault.kind for one in measured))
    for kind in [*kinds, "all"]:
        lines.append(_row(kind, [one for one in measured if kind in (one.fault.kind, "all")], budgets))
    missed = sorted(one.fault.id for one in measured if not one.found)
    lines += ["", f"Missed: {', '.join(missed) or 'none'}."]
    lines += [
        f"`{one.fault.id}` was found, and does not count: it left {one.rows - one.exercised} of {one.rows} "
        "requirements unseen."
        for one in measured
        if one.found and one.blinds
    ]
    lines += [
        f"{'Besides its own, ' if one.fault.breaks else ''}`{one.fault.id}` broke {', '.join(one.others)}."
        for one in measured
        if one.others
    ]
    return "\n".join(lines) + "\n"


def _row(kind: str, rows: Sequence[Measured], budgets: Sequence[str]) -> str:
    counts = [
        sum(one.found in budgets[: place + 1] and not one.blinds for one in rows) for place in range(len(budgets))
    ]
    shares = " | ".join(f"{count} ({100 * count // max(1, len(rows))} %)" for count in counts)
    times = [one.first for one in rows if one.first is not None]
    least = min((f"{one.exercised} of {one.rows}" for one in rows), key=lambda text: int(text.split()[0]), default="–")
    first = f"{statistics.median(times):.1f}" if times else "–"
    return f"| {kind} | {len(rows)} | {shares} | {sum(one.gates for one in rows)} | {first} | {least} |"
