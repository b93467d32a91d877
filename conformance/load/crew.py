"""One Locust environment's part in a load: it gets or hands out the plan, and gathers what all users saw."""

from __future__ import annotations

import json
import time
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from conformance.load.plan import Plan
from conformance.load.tally import Tally
from conformance.load.users import KITS, Kit
from conformance.reporting.facts import Facts, of_facts, to_facts

_PLAN, _SEEN, _SETTLED = "conformance-plan", "conformance-seen", "conformance-settled"
"""Locust messages: a master's plan, what a worker saw, and that a change has had its time."""

_EVERY_SECONDS = 1.0
_LAST_SECONDS = 15.0


class Crew:
    """Made once for an environment that has its runner. `tally` and `facts` are what is known by now."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.tally, self.facts = Tally(), Facts()
        self.plan: Plan | None = None
        self._waiting: set[str] = set()
        self._telling: gevent.Greenlet | None = None
        runner = environment.runner
        assert runner is not None
        if isinstance(runner, WorkerRunner):
            runner.register_message(_PLAN, self._planned)
            runner.register_message(_SETTLED, lambda environment, msg: self._settle(time.time()))
            environment.events.test_stop.add_listener(lambda **_: self._tell(last=True))
        elif isinstance(runner, MasterRunner):
            runner.register_message(_SEEN, self._seen)
            environment.events.worker_connect.add_listener(lambda client_id, **_: self._hand_out(client_id))

    @property
    def _runner(self) -> Any:
        return self.environment.runner

    def begin(self, plan: Plan) -> None:
        """Give the plan to whoever has users: this process, or each worker."""
        self.plan, self.tally, self.facts = plan, Tally(), Facts()
        if not isinstance(self._runner, MasterRunner):
            KITS[self.environment] = Kit(self.environment, plan, 0, 1)
            return
        for client in self._runner.clients.all:
            self._hand_out(client.id)

    def settle(self, moment: float) -> None:
        """From now on the version that was deployed last answers alone."""
        if isinstance(self._runner, MasterRunner):
            self._runner.send_message(_SETTLED)
        else:
            self._settle(moment)

    def gather(self) -> None:
        """Take in what this process's own users saw; workers tell of theirs themselves."""
        kit = KITS.get(self.environment)
        if kit is not None:
            self._add(*kit.drain())

    def end(self) -> None:
        """Once the users are stopped: take in all they saw, and give back what they had."""
        self.gather()
        kit = KITS.pop(self.environment, None)
        if kit is not None:
            kit.close()
        with gevent.Timeout(_LAST_SECONDS, False):
            while self._waiting:
                gevent.sleep(0.05)
        if self._waiting:
            self.facts.incidents.append(
                f"{len(self._waiting)} of the load's workers ended without saying what they saw, so that nothing is "
                "known of their answers."
            )
            self._waiting.clear()

    def _hand_out(self, client_id: str) -> None:
        if self.plan is not None:
            self._waiting.add(client_id)
            told = {"plan": json.dumps(self.plan.as_plain()), "workers": len(self._runner.clients)}
            self._runner.send_message(_PLAN, told, client_id)

    def _planned(self, environment: Environment, msg: Any) -> None:
        plan = Plan.from_plain(json.loads(msg.data["plan"]))
        KITS[environment] = Kit(environment, plan, self._runner.worker_index, int(msg.data["workers"]))
        self._telling = gevent.spawn(self._tell_on)

    def _tell_on(self) -> None:
        while True:
            gevent.sleep(_EVERY_SECONDS)
            self._tell()

    def _tell(self, *, last: bool = False) -> None:
        kit = KITS.get(self.environment)
        if kit is None:
            return
        if last and self._telling is not None:
            self._telling.kill()
        tally, facts = kit.drain()
        told = {"tally": tally.as_plain(), "facts": of_facts(facts), "last": last}
        self._runner.send_message(_SEEN, {"seen": json.dumps(told)})
        if last:
            del KITS[self.environment]
            kit.close()

    def _seen(self, environment: Environment, msg: Any) -> None:
        told = json.loads(msg.data["seen"])
        self._add(Tally.from_plain(told["tally"]), to_facts(told["facts"]))
        if told["last"]:
            self._waiting.discard(msg.node_id)

    def _settle(self, moment: float) -> None:
        kit = KITS.get(self.environment)
        if kit is not None:
            kit.judge.settled = moment

    def _add(self, tally: Tally, facts: Facts) -> None:
        self.tally.merge(tally)
        self.facts.add(facts)
