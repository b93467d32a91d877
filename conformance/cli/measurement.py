"""How many of the emulated instance's faults a run finds, and how fast: the suite measured by defects it is given."""

from __future__ import annotations

import multiprocessing
import statistics
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO

from conformance.cli.run import judged
from conformance.emulator.app import create_app
from conformance.emulator.faults import Fault, find, middleware_of
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import Settings as EmulatorSettings
from conformance.errors import SuiteError
from conformance.run.run import Runner
from conformance.run.settings import BUDGETS, Settings
from conformance.spec.document import Document
from conformance.targets.tokens import issuers_key

_WAIT_SECONDS = 20.0
_LONGEST_RUN = 900.0
_LOADED = ("conformance.cli.measurement", "conformance.suites.generation.lifecycles")


@dataclass(frozen=True)
class Seen:
    """What one run saw of a fault: the ids that broke, the exit code, and the seconds to the first finding."""

    broken: frozenset[str]
    exit_code: int
    first: float | None


@dataclass(frozen=True)
class Measured:
    """A fault and the budget in which it was `found`, broken under an id that it is known to break; empty where not.

    `others` are ids broken beside them, `gates` says that a run ended in exit 1, `first` the seconds to a finding.
    """

    fault: Fault
    found: str
    others: tuple[str, ...]
    gates: bool
    first: float | None


def measure(faults: Sequence[Fault], budget: str, seed: int, workers: int) -> Iterator[Measured]:
    """Run the suites against an instance with each fault: in the smallest budget, and where that misses it in the next,
    up to `budget`. `workers` runs go on at once; faults come as they are done."""
    budgets = BUDGETS[: BUDGETS.index(budget) + 1]
    with _pool(workers) as pool:
        waiting = {pool.submit(seen_with, fault.id, budgets[0], seed): (fault, 0) for fault in faults}
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                fault, tried = waiting.pop(future)
                one = _measured(fault, budgets[tried], future)
                if one.found or tried + 1 == len(budgets):
                    yield one
                else:
                    again = pool.submit(seen_with, fault.id, budgets[tried + 1], seed)
                    waiting[again] = (fault, tried + 1)


def _measured(fault: Fault, budget: str, future: Future[Seen]) -> Measured:
    seen = future.result(_LONGEST_RUN)
    found = bool(seen.broken & set(fault.breaks))
    others = tuple(sorted(seen.broken - set(fault.breaks)))
    return Measured(fault, budget if found else "", others, seen.exit_code == 1, seen.first)


def seen_with(fault_id: str, budget: str, seed: int) -> Seen:
    """One whole run against an instance with that fault, in this process; findings are not shrunk.

    What the run and the instance say of it is kept quiet: some faults are crashes.
    """
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        return _seen_with(fault_id, budget, seed)


def _seen_with(fault_id: str, budget: str, seed: int) -> Seen:
    with _instance(find(fault_id)) as (url, key):
        settings = Settings(
            "emulated", emulated_url=url, signing_key=key, budget=budget, seed=seed, wait=_WAIT_SECONDS, shrink=False
        )
        runner = Runner(settings)
        try:
            runner.prepare()
            result = judged(runner, ["-q"])
        except SuiteError:
            return Seen(frozenset(), 3, None)
        finally:
            runner.close()
    broken = frozenset(row["id"] for row in result["requirements"] if row["outcome"] == "broken")
    return Seen(broken, result["exit_code"], result["first_finding"])


@contextmanager
def _instance(fault: Fault) -> Iterator[tuple[str, str]]:
    """An emulated instance with that fault, served by a thread: its URL, and the file of the key that signs tokens."""
    with issuers_key() as key:
        listener = listening_socket("127.0.0.1", 0)
        settings = EmulatorSettings(base_url=url_of(listener), signing_key=key)
        ready = threading.Event()
        app = create_app(settings, document=lambda: Document.load().raw, middleware=middleware_of((fault,)))
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
    lines = [f"| class | faults | {' | '.join(heads)} | exit 1 | first finding (median s) |"]
    lines.append("|---|" + "---:|" * (len(heads) + 3))
    kinds = list(dict.fromkeys(one.fault.kind for one in measured))
    for kind in [*kinds, "all"]:
        lines.append(_row(kind, [one for one in measured if kind in (one.fault.kind, "all")], budgets))
    missed = sorted(one.fault.id for one in measured if not one.found)
    lines += ["", f"Missed: {', '.join(missed) or 'none'}."]
    lines += [f"Besides its own, `{one.fault.id}` broke {', '.join(one.others)}." for one in measured if one.others]
    return "\n".join(lines) + "\n"


def _row(kind: str, rows: Sequence[Measured], budgets: Sequence[str]) -> str:
    counts = [sum(one.found in budgets[: place + 1] for one in rows) for place in range(len(budgets))]
    shares = " | ".join(f"{count} ({100 * count // max(1, len(rows))} %)" for count in counts)
    times = [one.first for one in rows if one.first is not None]
    first = f"{statistics.median(times):.1f}" if times else "–"
    return f"| {kind} | {len(rows)} | {shares} | {sum(one.gates for one in rows)} | {first} |"
