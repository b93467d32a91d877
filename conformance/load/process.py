"""A Locust runner in a process of its own, as `conformance load` starts it: gevent patches the sockets of this process.

It reads JSON, a line each, from its parent and writes JSON lines to it; when its input ends, so does it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import gevent
from gevent.fileobject import FileObjectPosix
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from conformance.errors import SuiteError
from conformance.load.crew import Crew
from conformance.load.judging import KINDS
from conformance.load.plan import Plan, Shape
from conformance.load.users import Arriving, Inferring, Managing
from conformance.reporting.facts import of_facts

LOCAL, MASTER, WORKER = "local", "master", "worker"
_HOST = "127.0.0.1"
_STOP_SECONDS = 3.0
"""How long users may take to end what they are at."""

_WORKERS_SECONDS = 60.0


def classes_of(shape: Shape) -> list[Any]:
    """The classes of users of a load."""
    return [Inferring if shape.rate is None else Arriving, Managing]


def users_of(shape: Shape) -> int:
    """How many users Locust is asked for: those who infer, and the one who deploys."""
    return (shape.users if shape.rate is None else shape.workers) + Managing.fixed_count


def main() -> None:
    """Do what the parent says until it says no more."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Ctrl-C reaches all processes, and the parent says what is to be done
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    lines = FileObjectPosix(os.dup(0), "rb")
    first = json.loads(lines.readline())
    environment = _environment(first)
    crew = Crew(environment)
    try:
        if first["role"] == WORKER:
            _until_the_end(lines, environment)
        else:
            _lead(lines, first, crew)
    except SuiteError as error:
        _say(event="failed", sentence=str(error))
    finally:
        assert environment.runner is not None
        environment.runner.quit()


def _environment(first: dict[str, Any]) -> Environment:
    shape = Shape.from_plain(first["shape"])
    environment = Environment(user_classes=classes_of(shape), host=first["host"], stop_timeout=_STOP_SECONDS)
    if first["role"] == LOCAL:
        environment.create_local_runner()
    elif first["role"] == MASTER:
        environment.create_master_runner(_HOST, first["port"])
        _say(event="listening")
    else:
        environment.create_worker_runner(_HOST, first["port"])
    return environment


def _until_the_end(lines: Any, environment: Environment) -> None:
    """A worker does what its master says; it ends with it, or with its parent."""
    runner = environment.runner
    assert isinstance(runner, WorkerRunner)
    ended = gevent.spawn(lambda: lines.read())
    gevent.wait([ended, *runner.greenlet.greenlets], count=1)


def _lead(lines: Any, first: dict[str, Any], crew: Crew) -> None:
    plan, runner = Plan.from_plain(first["plan"]), crew.environment.runner
    assert runner is not None
    if isinstance(runner, MasterRunner):
        with gevent.Timeout(_WORKERS_SECONDS, SuiteError("The load's workers did not start within a minute.")):
            while len(runner.clients.ready) < plan.shape.workers:
                gevent.sleep(0.05)
    crew.begin(plan)
    users = users_of(plan.shape)
    running = gevent.event.Event()
    crew.environment.events.spawning_complete.add_listener(lambda **_: running.set())
    runner.start(users, max(users / plan.shape.ramp, 0.1) if plan.shape.ramp and not plan.shape.rate else users)
    telling = gevent.spawn(_tell, crew)
    running.rawlink(lambda _: _say(event="running"))
    while line := lines.readline():
        said = json.loads(line)
        if "settled" in said:
            crew.settle(said["settled"])
        if "stop" in said:
            break
    telling.kill()
    runner.stop()
    crew.end()
    if line:
        _say(event="seen", tally=crew.tally.as_plain(), facts=of_facts(crew.facts))


def _tell(crew: Crew) -> None:
    while True:
        gevent.sleep(1)
        crew.gather()
        counts = {kind: crew.tally.count(kind) for kind in KINDS}
        _say(event="tick", counts=counts, incidents=crew.facts.incidents[:1])


def _say(**told: Any) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
