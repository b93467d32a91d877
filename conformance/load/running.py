"""A whole load from the outside: the deployment, Locust's processes, the change meanwhile, and what all of them saw."""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from conformance.api.client import ApiError
from conformance.errors import NoVerdictError, UsageError
from conformance.load.ground import Change, Ground
from conformance.load.plan import Plan, Shape
from conformance.load.tally import Tally
from conformance.reporting.facts import Facts, to_facts
from conformance.run.runner import Runner
from conformance.run.settings import EMULATED, Settings
from conformance.targets.emulated import emulator_process

_END_SECONDS, _START_SECONDS = 30.0, 90.0
"""How long Locust's processes may take to end, and to start."""

_BEFORE, _AFTER = 0.35, 0.3
"""The share of the time that passes before a change, and at least after it."""

_NO_CEILING = 2**31


@dataclass
class Load:
    """What a load was and saw. `began` and `ended` are epoch seconds of the time all users were there."""

    runner: Runner
    shape: Shape
    plan: Plan | None = None
    tally: Tally = field(default_factory=Tally)
    began: float = 0.0
    ended: float = 0.0
    changes: list[Change] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        """What the runner of this process and the users saw."""
        return self.runner.facts


def load(
    settings: Settings, shape: Shape, faults: Sequence[str] = (), say: Callable[[str], None] = lambda sentence: None
) -> Load:
    """Deploy, send load, change what is to be changed, undeploy. Raises UsageError or NoVerdictError."""
    with ExitStack() as stack:
        if settings.target == EMULATED and not settings.emulated_url:
            options = ["--profile", settings.profile, *(word for fault in faults for word in ("--fault", fault))]
            settings = replace(settings, emulated_url=stack.enter_context(emulator_process(options)))
        # More than one process makes things at the target, so that at the end all of the journal counts; with a ceiling
        # nobody looks for what the instance says of itself.
        runner = stack.enter_context(Runner(replace(settings, workers=2, max_requests=_NO_CEILING), say))
        runner.prepare()
        done = Load(runner, shape)
        session = runner.session
        if session.target.proxy:  # type: ignore[attr-defined]
            raise UsageError(
                f"Between here and the target stands the proxy {session.target.proxy}, which load is not sent through: "  # type: ignore[attr-defined]
                "name the target's host in NO_PROXY, or run this beside the target."
            )
        ground = Ground(session, runner.settings, shape)
        try:
            say("Deploying what load is sent to …")
            done.plan = ground.lay()
        except ApiError as error:
            runner.facts.incidents.append(f"There is nothing to send load to: {error}")
        try:
            if done.plan is not None:
                _send(done, ground, say)
        finally:
            seen = runner.seen_since()
            if seen is not None:
                runner.facts.add(seen)
    return done


def _send(done: Load, ground: Ground, say: Callable[[str], None]) -> None:
    assert done.plan is not None
    with _processes(done.plan, done.runner.settings) as crew:
        crew.until("running", _START_SECONDS + done.shape.ramp)
        done.began = time.time()
        say(f"{_words(done.shape)} for {done.shape.seconds:g} s …")
        end = done.began + done.shape.seconds
        if done.shape.during:
            crew.listen(until=done.began + _BEFORE * done.shape.seconds)
            say(f"Changing the deployment: {done.shape.during} …")
            change = _beside(lambda: ground.change(done.shape.during), crew)
            done.changes.append(change)
            if change.refused:
                done.runner.facts.incidents.append(
                    f"The {change.how} that was asked for was refused: {change.refused}."
                )
            else:
                crew.listen(until=change.ended)
                crew.tell(settled=change.ended)
            end = max(end, change.ended + _AFTER * done.shape.seconds)
        crew.listen(until=end)
        done.ended = time.time()
        crew.tell(stop=True)
        seen = crew.until("seen", _END_SECONDS)
        done.tally = Tally.from_plain(seen["tally"])
        done.runner.facts.add(to_facts(seen["facts"]))


def now() -> float:
    """Epoch seconds, as exchanges have them."""
    return time.time()


def _words(shape: Shape) -> str:
    if shape.rate is not None:
        return f"{shape.rate:g} inferences a second"
    return f"{shape.users} user{'' if shape.users == 1 else 's'}"


def _beside(work: Callable[[], Change], crew: _Crew) -> Change:
    """Do some work in a thread while this one listens to the load's processes."""
    done: list[Change | BaseException] = []

    def doing() -> None:
        try:
            done.append(work())
        except BaseException as error:  # raised where it can be told
            done.append(error)

    thread = threading.Thread(target=doing, daemon=True)
    thread.start()
    while thread.is_alive():
        crew.listen(until=time.time() + 0.1)
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


class _Crew:
    """Locust's processes: one, or a master and its workers. They end when their input does."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        self._told: queue.Queue[dict[str, Any]] = queue.Queue()

    def start(self, first: Mapping[str, Any]) -> None:
        """Start a process, and listen to it."""
        command = [sys.executable, "-P", "-m", "conformance.load.process"]
        process = subprocess.Popen(  # noqa: S603  our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        threading.Thread(target=self._hear, args=(process,), daemon=True).start()
        self._write(process, first)

    def tell(self, **said: Any) -> None:
        """Tell the one that leads."""
        self._write(self.processes[0], said)

    def listen(self, until: float) -> None:
        """Wait, and raise what a process says has failed."""
        while (left := until - time.time()) > 0:
            with suppress(queue.Empty):
                self._take(self._told.get(timeout=min(left, 1.0)))

    def until(self, event: str, seconds: float) -> dict[str, Any]:
        """Wait for an event; raises NoVerdictError where it does not come."""
        end = time.time() + seconds
        while (left := end - time.time()) > 0:
            with suppress(queue.Empty):
                told = self._take(self._told.get(timeout=min(left, 1.0)))
                if told["event"] == event:
                    return told
        raise NoVerdictError(f"Locust's process did not say '{event}' within {seconds:.0f} s.")

    def close(self) -> None:
        """End them all."""
        for process in self.processes:
            with suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
        for process in self.processes:
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _take(self, told: dict[str, Any]) -> dict[str, Any]:
        if told["event"] == "failed":
            raise NoVerdictError(told["sentence"])
        return told

    def _write(self, process: subprocess.Popen[str], said: Mapping[str, Any]) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(said) + "\n")
            process.stdin.flush()
        except OSError:
            raise NoVerdictError("A process of the load ended before it was told to.") from None

    def _hear(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        complaints: list[str] = []
        drain = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
        drain.start()
        for line in process.stdout:
            self._told.put(json.loads(line))
        process.wait()
        drain.join(1)
        if process.returncode:
            said = complaints[-1].strip() if complaints else f"exit code {process.returncode}"
            self._told.put({"event": "failed", "sentence": f"A process of the load failed: {said}."})


@contextmanager
def _processes(plan: Plan, settings: Settings) -> Iterator[_Crew]:
    crew, workers = _Crew(), plan.shape.workers
    told: dict[str, Any] = {
        "shape": asdict(plan.shape),
        "host": settings.emulated_url or settings.target,
        "plan": plan.as_plain(),
    }
    try:
        if workers == 1:
            crew.start(told | {"role": "local"})
        else:
            told["port"] = _free_port()
            crew.start(told | {"role": "master"})
            crew.until("listening", _START_SECONDS)
            for _ in range(workers):
                crew.start({name: value for name, value in told.items() if name != "plan"} | {"role": "worker"})
        yield crew
    finally:
        crew.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
