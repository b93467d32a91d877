"""Runs suites against an emulated instance with faults, each run in a process of its own, and says what was broken."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import pytest

from conformance.cli.run import judged
from conformance.emulator.app import create_app
from conformance.emulator.faults import FAULTS, Fault, arounds_of
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import PROFILES
from conformance.emulator.settings import Settings as EmulatorSettings
from conformance.model import Exchange
from conformance.runner import Runner, suite_of
from conformance.settings import Settings
from conformance.spec.document import Document
from conformance.spec.requirements import load
from conformance.suites.generation import shrinking
from conformance.targets.tokens import issuers_key

T = TypeVar("T")
_FAULTS = {fault.id: fault for fault in FAULTS}
_ROWS = load().by_id
SLOW = ("10000", "[255]", "[256]")
"""Parts of names of items that are left out: what they show, others show in less time."""

_LOADED = tuple(f"conformance.suites.test_{name}" for name in ("lifecycle", "refusals", "standards", "identity"))
"""What each run would import anew."""

MOST_ITEMS = 8
"""Items that are run for a fault at first; where they do not show it, all of its suites are."""

chosen: frozenset[str] | None = None
"""Names of the items that this process runs, None for all that are not slow."""

evidence: dict[str, set[str]] = {}
"""What each item gave evidence of, in the run that this process made."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if (item.name in chosen if chosen is not None else not _is_slow(item.name))]


def _is_slow(name: str) -> bool:
    return any(part in name for part in SLOW)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    seen = getattr(report, "conformance", {}).get("seen")
    name = report.nodeid.rpartition("::")[2]
    if seen:
        evidence.setdefault(name, set()).update(requirement for requirement, _, _ in seen["held"])


@dataclass(frozen=True)
class Seen:
    """What a run broke, in all and of what gates; why it ended so; what items gave evidence of; what was left out."""

    broken: frozenset[str]
    gating: frozenset[str]
    reason: str
    evidence: Mapping[str, frozenset[str]]
    exit_code: int = 0
    left_out: tuple[Mapping[str, Any], ...] = ()


def suites_of(requirements: Sequence[str]) -> tuple[str, ...]:
    """The suites that exercise these requirements."""
    return tuple(sorted({suite_of(_ROWS[requirement]) for requirement in requirements}))


def seen_with(
    faults: tuple[str, ...],
    suites: tuple[str, ...],
    items: frozenset[str] | None = None,
    release: str = "2023.4",
    profile: str = "2023.4",
) -> Seen:
    """Run these suites, or these items of theirs, against an instance that has these faults, in this process.

    The instance is one of that release, and judged by the promises of `profile`.
    """
    global chosen
    chosen = items
    shrinking.budget_of = lambda settings: replace(_budget(settings), findings=0)
    with _instance(faults, release) as (url, key):
        settings = Settings(
            "emulated",
            emulated_url=url,
            signing_key=str(key),
            suites=suites,
            wait=15.0,
            seed=1,
            max_requests=100_000,
            profile=profile,
        )  # with a ceiling on requests, nobody looks for what the instance says of itself
        runner = Runner(settings)
        try:
            runner.prepare()
            with redirect_stdout(StringIO()):
                result = judged(runner, ["-q", "-p", "tests.measured"])
        finally:
            runner.close()
    broken = [row for row in result["requirements"] if row["outcome"] == "broken"]
    rows = load(profile).by_id
    return Seen(
        frozenset(row["id"] for row in broken),
        frozenset(row["id"] for row in broken if rows[row["id"]].gates),
        result["reason"],
        {name: frozenset(found) for name, found in evidence.items()},
        result["exit_code"],
        tuple(result["left_out"]),
    )


_budget = shrinking.budget_of


def deployed_on_live() -> tuple[int, str]:
    """How many deployments a whole run of the lifecycle makes of an instance it takes for a live one; its verdict."""
    shrinking.budget_of = lambda settings: replace(_budget(settings), findings=0)
    os.environ |= {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    with _instance(()) as (url, _), redirect_stdout(StringIO()):
        runner = Runner(Settings(url, suites=("lifecycle", "refusals", "standards"), wait=30.0, seed=1))
        names: set[str] = set()
        try:
            runner.prepare()
            runner.session.keep_with(lambda exchange: names.update(_deployments(exchange)))
            result = judged(runner, ["-q", "-p", "tests.measured"])
        finally:
            runner.close()
    return len(names), str(result["verdict"])


def _deployments(exchange: Exchange) -> Iterator[str]:
    """Ids that a deploy or a copy answered."""
    if exchange.ok and exchange.operation == "pipelines.deploy":
        yield str(exchange.answer["id"])
    if exchange.ok and exchange.operation == "pipelines.copy" and exchange.answer["deployment"]:
        yield str(exchange.answer["deployment"]["id"])


def apart(work: Callable[[], T]) -> T:
    """What some work gives, done in a process of its own."""
    with _pool(1) as pool:
        return pool.submit(work).result(300)


@contextmanager
def _instance(faults: tuple[str, ...], release: str = "2023.4") -> Iterator[tuple[str, Path]]:
    arounds = arounds_of(tuple(_FAULTS[fault] for fault in faults))
    with issuers_key() as key:
        listener = listening_socket("127.0.0.1", 0)
        settings = EmulatorSettings(
            PROFILES[release], base_url=url_of(listener), signing_key=key, start_seconds=0.05, stop_seconds=0.05
        )
        ready = threading.Event()
        app = create_app(settings, document=lambda: Document.load(release).raw, arounds=arounds)
        server = Server(app, ready.set, settings.limits)
        thread = threading.Thread(target=partial(server.run, sockets=[listener]), daemon=True)
        thread.start()
        assert ready.wait(30)
        try:
            yield settings.base_url, key
        finally:
            server.should_exit = True
            thread.join(10)


def items_for(requirements: Sequence[str], seen: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Items that give evidence of these requirements: for each a few, those that are about little else first."""
    found: set[str] = set()
    for requirement in requirements:
        about = sorted((len(told), name) for name, told in seen.items() if requirement in told)
        found.update(name for _, name in about[:MOST_ITEMS])
    return frozenset(found)


def measured(workers: int = 2, only: Sequence[str] = ()) -> dict[str, Seen | str]:
    """For each fault what was seen with it, or what went wrong: by a few items, and if they miss it by whole suites."""
    faults = [fault for fault in FAULTS if not only or fault.id in only]
    whole = tuple(sorted({suite_of(row) for row in _ROWS.values()} - {"generated"}))
    with _pool(workers) as pool:
        plain = pool.submit(seen_with, (), whole).result()
        assert not plain.gating, plain.gating
        quick = {
            fault.id: pool.submit(
                seen_with, (fault.id,), suites_of(fault.breaks), items_for(fault.breaks, plain.evidence)
            )
            for fault in faults
        }
        found = {fault.id: _outcome(quick[fault.id]) for fault in faults}
        missed = [fault for fault in faults if not _shown(fault, found[fault.id])]
        slow = {fault.id: pool.submit(seen_with, (fault.id,), suites_of(fault.breaks)) for fault in missed}
        return found | {fault_id: _outcome(future) for fault_id, future in slow.items()}


def _shown(fault: Fault, seen: Seen | str) -> bool:
    return isinstance(seen, Seen) and set(fault.breaks) <= seen.broken


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes forked from one that has everything imported; each does one run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.measured", *_LOADED])
    return ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1)


def _outcome(future: Future[Seen]) -> Seen | str:
    try:
        return future.result(120)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
