"""Runs suites against emulated instances with faults, apart from the process that asks, and says what was broken."""

from __future__ import annotations

import asyncio
import datetime
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache, partial
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import pytest

from conformance.cli.run import by_pytest
from conformance.emulator.app import create_app
from conformance.emulator.engine import ForkServer
from conformance.emulator.faults import FAULTS, FOUND_BY_SUITES, Fault, middleware_of
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import PROFILES, Limits
from conformance.emulator.settings import Settings as EmulatorSettings
from conformance.model import Exchange
from conformance.run.run import Gate, run
from conformance.run.runner import Runner
from conformance.run.scope import suite_of
from conformance.run.settings import Settings
from conformance.spec.document import Document
from conformance.spec.requirements import load
from conformance.targets.strangers import issuers_key

T = TypeVar("T")
_FAULTS = {fault.id: fault for fault in FAULTS}
_ROWS = load().by_id
SLOW = ("10000", "[255]", "[256]")
"""Parts of names of items that are left out: what they show, others show in less time."""

_LOADED = tuple(f"conformance.suites.test_{name}" for name in ("lifecycle", "refusals", "standards", "identity"))
"""What each process would import anew."""

_ARGUMENTS = ("-q", "-p", "tests.measured", "-p", "no:unraisableexception")

_PATIENCE = 180.0
"""Seconds that one run may take: far more than it does, on a machine that has other things to do."""

suites: tuple[str, ...] = ()
"""Suites that are collected."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    name = collection_path.stem
    return True if suites and name.startswith("test_") and name.removeprefix("test_") not in suites else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not any(part in item.name for part in SLOW)]


@dataclass(frozen=True)
class Seen:
    """What a run broke, in all and of what gates; why it ended so, with which exit code; and what was left out."""

    broken: frozenset[str]
    gating: frozenset[str]
    reason: str
    exit_code: int
    left_out: tuple[Mapping[str, Any], ...]


WRITTEN = ("identity", "lifecycle", "refusals", "standards")
"""The suites whose requests are written out."""


@cache
def found_by() -> dict[str, tuple[str, ...]]:
    """For each fault's id the written-out suites that exercise what it breaks."""
    return {fault.id: suites_of(fault.breaks) for fault in FOUND_BY_SUITES}


def suites_of(requirements: Sequence[str]) -> tuple[str, ...]:
    """The written-out suites that exercise these requirements."""
    return tuple(sorted({suite_of(_ROWS[requirement]) for requirement in requirements} & set(WRITTEN)))


def inexact(fault: Fault, seen: Seen) -> str:
    """How what was seen differs from what the fault says that it breaks; empty where it does not."""
    missed, others = sorted(set(fault.breaks) - seen.broken), sorted(seen.gating - set(fault.breaks))
    said = [f"not found: {', '.join(missed)}"] if missed else []
    said += [f"broken besides: {', '.join(others)}"] if others else []
    return "; ".join([*said, *([seen.reason] if said else [])])


def seen_with(
    faults: tuple[str, ...], within: tuple[str, ...], release: str = "2023.4", profile: str = "2023.4"
) -> Seen:
    """Run the items of these suites that are not slow against an instance with these faults, in this process.

    The instance is one of that release, and judged by the promises of `profile`.
    """
    global suites
    suites = within
    bench = _bench()
    with bench.instance(faults, release) as url:
        settings = Settings(
            "emulated",
            emulated_url=url,
            signing_key=str(bench.key),
            suites=within,
            wait=25.0 if not faults or any(_FAULTS[fault].kind == "timing" for fault in faults) else 3.0,
            seed=1,
            max_requests=100_000,  # with a ceiling, nobody looks for what the instance says of itself
            profile=profile,
            shrink=False,
        )
        runner = Runner(settings)
        with redirect_stdout(StringIO()):
            result = run(runner, by_pytest(_ARGUMENTS), Gate(), datetime.datetime.now(datetime.UTC).date())
    broken = frozenset(row["id"] for row in result["requirements"] if row["outcome"] == "broken")
    rows = load(profile).by_id
    gating = frozenset(one for one in broken if rows[one].gates)
    return Seen(broken, gating, result["reason"], result["exit_code"], tuple(result["left_out"]))


def deployed_on_live() -> tuple[int, str]:
    """How many deployments a whole run of the lifecycle makes of an instance it takes for a live one; its verdict."""
    global suites
    suites = ("lifecycle", "refusals", "standards")
    os.environ |= {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    with _bench().instance(()) as url, redirect_stdout(StringIO()):
        runner = Runner(Settings(url, suites=suites, wait=30.0, seed=1, shrink=False))
        names: set[str] = set()

        def items(runner: Runner) -> None:
            runner.session.keep_with(lambda exchange: names.update(_deployments(exchange)))
            by_pytest(_ARGUMENTS)(runner)

        result = run(runner, items, Gate(), datetime.datetime.now(datetime.UTC).date())
    return len(names), str(result["verdict"])


def _deployments(exchange: Exchange) -> Iterator[str]:
    """Ids that a deploy or a copy answered."""
    if exchange.ok and exchange.operation == "pipelines.deploy":
        yield str(exchange.answer["id"])
    if exchange.ok and exchange.operation == "pipelines.copy" and exchange.answer["deployment"]:
        yield str(exchange.answer["deployment"]["id"])


class _Bench:
    """One server, key and model runtime for all instances of a process, which come one after another."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.key = self._stack.enter_context(issuers_key())
        self._listener = listening_socket("127.0.0.1", 0)
        self._settings = EmulatorSettings(
            base_url=url_of(self._listener), signing_key=self.key, start_seconds=0.5, stop_seconds=0.5
        )
        self._forkserver = ForkServer()
        self._forkserver.open()
        self._stack.callback(self._forkserver.close)
        self._app: Any = None
        self._epoch, self._polls = time.time(), 0
        self._loop: asyncio.AbstractEventLoop | None = None
        ready = threading.Event()
        server = Server(self, ready.set, Limits())
        threading.Thread(target=partial(server.run, sockets=[self._listener]), daemon=True).start()
        assert ready.wait(60)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The instance of the moment, as one ASGI application; its lifespan is none of the server's."""
        if scope["type"] != "lifespan":
            self._polls += scope["path"].endswith("/status/get_deployment")
            await self._app(scope, receive, send)
            return
        self._loop = asyncio.get_running_loop()
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    def _clock(self) -> float:
        """Time as deployments have it: it passes where somebody asks for their status, however busy the machine is."""
        return self._epoch + self._polls

    @contextmanager
    def instance(self, faults: tuple[str, ...], release: str = "2023.4") -> Iterator[str]:
        """The base URL of a new instance of that release with these faults."""
        middleware = middleware_of(tuple(_FAULTS[fault] for fault in faults))
        settings = replace(self._settings, profile=PROFILES[release])
        self._app = create_app(
            settings, document=lambda: Document.load(release).raw, middleware=middleware, forkserver=self._forkserver
        )
        state = self._app.state.emulated
        state.clock = self._clock
        try:
            yield self._settings.base_url
        finally:
            assert self._loop is not None
            asyncio.run_coroutine_threadsafe(_closed(state), self._loop).result(30)

    def close(self) -> None:
        """Leave nothing behind but the server, which ends with the process."""
        self._stack.close()


async def _closed(state: Any) -> None:
    state.close()


@cache
def _bench() -> _Bench:
    return _Bench()


def _tidy() -> None:
    if _bench.cache_info().currsize:
        _bench().close()


class Apart:
    """A process of its own, forked from one that has everything imported; one run after another is made in it."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def do(self, work: Callable[..., T], *arguments: Any) -> T:
        """What some work gives. Where it takes too long, its process is ended, and the next work gets a new one."""
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["tests.measured", *_LOADED])
            self._pool = ProcessPoolExecutor(1, mp_context=context)
        try:
            return self._pool.submit(work, *arguments).result(_PATIENCE)
        except TimeoutError:
            self.close(kill=True)
            raise

    def close(self, *, kill: bool = False) -> None:
        """End the process."""
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            if not kill:
                self._pool.submit(_tidy)
            self._pool.shutdown(wait=not kill, cancel_futures=kill)
            for process in processes if kill else ():
                process.kill()
        self._pool = None

    def with_fault(self, fault: Fault) -> Seen:
        """What the suites that exercise what it breaks see of an instance with this fault."""
        return self.do(seen_with, (fault.id,), found_by()[fault.id])


def apart(work: Callable[[], T]) -> T:
    """What some work gives, done in a process of its own."""
    process = Apart()
    try:
        return process.do(work)
    finally:
        process.close()
