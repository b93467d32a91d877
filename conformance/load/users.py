"""The users of a load: those who infer, and one who makes pipelines, deploys, asks for status and undeploys.

Import it in a process that Locust's gevent has patched.
"""

from __future__ import annotations

import itertools
import secrets
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from weakref import WeakKeyDictionary

import gevent
from locust import User, constant, task
from locust.env import Environment

from conformance.api.client import ApiError, ModelReference, PipelineClient, infer_path, steps_of
from conformance.checks import Rules
from conformance.errors import LimitReachedError, SuiteError
from conformance.load.asking import Deck, Question, Wire
from conformance.load.judging import BY_GATEWAY, GOOD, Judge
from conformance.load.plan import Plan
from conformance.load.tally import Tally
from conformance.model import Exchange
from conformance.reporting.facts import Facts
from conformance.run.runner import RunCleanup
from conformance.run.session import Session
from conformance.run.settings import EMULATED, open_target, own_hosts, trust_of
from conformance.suites.waiting import until_gone, until_running
from conformance.targets.safety.guard import RefusedError
from conformance.targets.transport import tls_context
from conformance.targets.waits import WaitBudget

_MOST_UNDER_WAY = 2_000
"""Inferences of one process that may wait for their answers in open arrival; what is due beyond them is not sent."""

_PAUSE_SECONDS = 1.0
"""Between two lifecycles, and after a refusal."""


class WrongAnswerError(Exception):
    """What Locust's own table shows of an inference that is not good."""


class Kit:
    """What all users of one process share: the deck, the judge, the tally, and the target for what is no inference."""

    def __init__(self, environment: Environment, plan: Plan, worker: int, workers: int) -> None:
        self.environment, self.plan, self.worker, self.workers = environment, plan, worker, workers
        self.tally, self.incidents = Tally(), list[str]()
        self._settings = replace(plan.settings, worker=f"load{worker}")
        self._cleanup = RunCleanup(self._settings)
        self._target = open_target(self._settings, safeguards=self._cleanup.safeguards)
        rules = Rules.of(plan.settings.profile, own_hosts(plan.settings))
        self.session = Session(self._target, rules, self._shown, WaitBudget(plan.settings.wait))
        self.session.ledger = plan.ledger
        self.judge, self._deck = Judge(plan, rules), Deck(plan, worker)
        self._tls: ssl.SSLContext | None = None
        if plan.url.startswith("https://"):
            self._tls = tls_context(trust_of(plan.settings))
        self._name, self._numbers = f"{plan.settings.run_id}{secrets.token_hex(3)}", itertools.count(1)
        self._free: deque[Wire] = deque()
        self._cpu, self._judging = time.process_time(), 0.0

    def wire(self) -> Wire:
        """A connection of one's own."""
        return Wire(self.plan.url, self._tls, self.plan.settings.bounds)

    def ask(self, wire: Wire, due: float | None = None) -> None:
        """Ask one question, judge its answer and count it."""
        question = self._deck.draw()
        try:
            exchange = self._asked(wire, question)
        finally:
            self._deck.put_back(question)
        judged = self.judge.take(question, exchange)
        self.tally.add(exchange, judged, due)
        self.tally.rows += question.rows if judged.kind == GOOD else 0
        error = None
        if judged.kind not in (GOOD, BY_GATEWAY):
            what = judged.broken[0].requirement if judged.broken else f"status {exchange.status}"
            error = WrongAnswerError(f"{judged.kind}: {what}")
        self._tell(question.name, exchange, error)

    def _asked(self, wire: Wire, question: Question) -> Exchange:
        who = self._target.credentials
        token = who.authorization() if who else ""
        exchange = wire.ask(question.request, token, f"{self._name}-{next(self._numbers)}")
        if exchange.status == 401 and who and who.renew():  # as every run does with a token that has had its time
            exchange = wire.ask(question.request, who.authorization(), f"{self._name}-{next(self._numbers)}")
        return exchange

    def _shown(self, exchange: Exchange) -> None:
        """Locust's table has a line for each other operation."""
        error = None if exchange.ok or exchange.status == 404 else WrongAnswerError(f"status {exchange.status}")
        self._tell(exchange.operation or exchange.request.path, exchange, error)

    def _tell(self, name: str, exchange: Exchange, error: Exception | None) -> None:
        self.environment.events.request.fire(
            request_type="POST", name=name, response_time=((exchange.ended or 0) - (exchange.started or 0)) * 1000,
            response_length=len(exchange.response.body) if exchange.response else 0, exception=error, context={},
        )  # fmt: skip

    def drain(self) -> tuple[Tally, Facts]:
        """What was seen since the last time."""
        tally, self.tally = self.tally, Tally()
        now = time.process_time()
        tally.cpu, self._cpu = now - self._cpu, now
        tally.judging, self._judging = self.judge.seconds - self._judging, self.judge.seconds
        facts = self.judge.drain()
        facts.add(self.session.drain())
        facts.incidents, self.incidents = [*facts.incidents, *self.incidents], []
        return tally, facts

    def close(self) -> None:
        """Undeploy what this process's users left up, where nobody else will, and give connections back."""
        if self.plan.settings.kind != EMULATED and not self.plan.settings.journal_file:
            left = replace(self._settings, worker="")
            self._cleanup.settings = left
            self._cleanup.end(self._target, left.wait, lambda names: None)
        self._target.close()


KITS: WeakKeyDictionary[Environment, Kit] = WeakKeyDictionary()
"""The kit of each Locust environment of this process, while a load goes on."""


class _Ours(User):
    abstract = True

    @property
    def kit(self) -> Kit:
        return KITS[self.environment]

    def until_it_is_over(self, work: Callable[[], None]) -> None:
        """Do some work. What keeps the suite from going on is told, and ends the load."""
        try:
            work()
        except (LimitReachedError, RefusedError) as error:
            self.kit.session.note(str(error))
            gevent.sleep(_PAUSE_SECONDS)
        except SuiteError as error:
            self.kit.incidents.append(str(error))
            gevent.sleep(_PAUSE_SECONDS)


class Inferring(_Ours):
    """Sends rows, waits for the answer, thinks, and sends the next."""

    def on_start(self) -> None:
        self._wire = self.kit.wire()

    def on_stop(self) -> None:
        self._wire.close()

    def wait_time(self) -> float:
        return self.kit.plan.shape.think

    @task
    def infer(self) -> None:
        self.until_it_is_over(lambda: self.kit.ask(self._wire))


class Arriving(_Ours):
    """Sends rows at the moments they are due, whether the earlier ones were answered or not: one in each process."""

    def on_start(self) -> None:
        self._free: deque[Wire] = deque()
        self._under_way: set[gevent.Greenlet] = set()

    def on_stop(self) -> None:
        gevent.killall(list(self._under_way))

    @task
    def arrive(self) -> None:
        kit, shape = self.kit, self.kit.plan.shape
        rate = (shape.rate or 1.0) / kit.workers
        began, wall = time.monotonic() + kit.worker / (shape.rate or 1.0), time.time()
        wall += began - time.monotonic()
        for number in itertools.count():
            due = shape.due(number, rate)
            gevent.sleep(max(0.0, began + due - time.monotonic()))
            if len(self._under_way) >= _MOST_UNDER_WAY:
                kit.tally.unsent += 1
                continue
            one = gevent.spawn(self._one, wall + due)
            self._under_way.add(one)
            one.link(self._under_way.discard)

    def _one(self, due: float) -> None:
        wire = self._free.pop() if self._free else self.kit.wire()
        self.until_it_is_over(lambda: self.kit.ask(wire, due))
        self._free.append(wire)


class Managing(_Ours):
    """Makes a pipeline, deploys it, waits until it runs, infers, undeploys it, and reads status all the while.

    There is one such user in a whole load: on a live target each deployment costs.
    """

    fixed_count = 1
    wait_time = constant(_PAUSE_SECONDS)

    def on_start(self) -> None:
        self._numbers = itertools.count(1)

    @task(3)
    def read(self) -> None:
        self.until_it_is_over(self._read)

    @task(1)
    def live(self) -> None:
        settings = self.kit.plan.settings
        if settings.deployments_at_once is None or settings.deployments_at_once > 2:
            self.until_it_is_over(self._live)

    def _read(self) -> None:
        plan, client = self.kit.plan, PipelineClient(self.kit.session.send, intent="valid")
        if plan.shape.during != "hot-swap":  # what status has to say of a version that comes is told by who deploys it
            client.deployment_status(plan.name)
        client.list_workspaces()
        client.list_model_versions(model_id=plan.versions[0].model)

    def _live(self) -> None:
        kit, plan = self.kit, self.kit.plan
        client, version, settings = PipelineClient(kit.session.send, intent="valid"), plan.versions[0], plan.settings
        name = f"{settings.prefix}{kit.worker}-lives-{next(self._numbers)}"
        model = ModelReference(version.model, version.uuid, version.sha)
        with suppress(ApiError):  # its row tells of it
            made = client.create_pipeline(name, settings.workspace_id or 0, steps_of(model)).value
            deployment = client.deploy(name, made, models=[model]).value
            called = f"{name}-{deployment}"
            try:
                until_running(client, called, kit.session.wait_budget)
                rows = plan.model.rows(3, settings.seed)
                client.meaning("").infer(infer_path(called, name), plan.model.column, rows)
            finally:
                client.undeploy(pipeline_id=made.pipeline_pk_id)
            until_gone(client, called, kit.session.wait_budget)
