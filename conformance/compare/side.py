"""One side of a comparison: the plan's requests sent to one instance, with names and ids of its own.

All limits of a live run hold here: the guard, the journal, the ceilings, and what is deployed is undeployed at the end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from conformance.api.operations import IDS, asked
from conformance.checks.auth import REPEATED
from conformance.compare.plan import GONE, RUNNING, Plan, Step
from conformance.compare.variations import ANY_CASE
from conformance.errors import CredentialsRefusedError, LimitReachedError, SuiteError, TargetUnreachableError
from conformance.model import Aim, Exchange, Headers, Mark, Purpose, Request
from conformance.run.runner import RunCleanup
from conformance.run.settings import EMULATED, Settings, new_run_id, open_target, require_answer
from conformance.suites.generation.replaying import gives, renewed, rewritten, uses
from conformance.suites.requests import json_request
from conformance.targets.credentials import FetchedToken, client_credentials
from conformance.targets.emulated import emulator_process
from conformance.targets.strangers import falsely, issuers_key
from conformance.targets.target import Target

_OURS_TO_SET = frozenset({"authorization", "user-agent", "accept-encoding", "host", "content-length", "x-request-id"})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_ROUTING_SECONDS = 10.0
_NOT_ROUTED = (404, 503)
_AFTER_A_VAIN_WAIT_SECONDS = 2.0
_OLD = "CONFORMANCE_OLD_"
EMULATED_SECRET = "conformance"  # noqa: S105  what an emulated instance knows where nobody says otherwise
_EMULATED_USER = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


@dataclass(frozen=True)
class Pass:
    """One pass through the plan: what came of each step, and why the others were not asked."""

    run: str
    origin: str
    answers: Mapping[int, Exchange]
    left_out: Mapping[int, str] = field(default_factory=dict)
    waiting: Mapping[int, tuple[Exchange, ...]] = field(default_factory=dict)
    """What a step was answered while it waited: one exchange for each status, before the awaited answer came."""
    left: str = ""
    """What could not be undeployed, as a sentence; empty where nothing is left."""
    broken_off: str = ""
    """Why the pass ended before its last step, as a sentence; empty where it did not."""


class Side:
    """An instance that answers the plan. `settings` name it as a live run does; `name` is old or new.

    `client_secret` buys tokens of the client credentials grant; without it that grant is not tried.
    """

    def __init__(self, name: str, settings: Settings, environ: Mapping[str, str], client_secret: str = "") -> None:
        self.name, self.settings, self._environ = name, settings, environ
        self._secret = client_secret or environ.get("CONFORMANCE_CLIENT_SECRET", "")
        self._stopping = threading.Event()

    @contextmanager
    def _opened(self) -> Iterator[tuple[Target, Settings, list[str]]]:
        settings = replace(self.settings, run_id=new_run_id())
        cleanup = RunCleanup(settings)
        target = open_target(cleanup.settings, self._environ, cleanup.safeguards)
        left: list[str] = []
        try:
            yield target, cleanup.settings, left
        finally:
            left.append(cleanup.end(target, settings.wait, lambda names: None).sentence)
            target.close()

    def require_answer(self) -> None:
        """Make sure that the instance answers as this API does. Raises TargetUnreachableError or the like."""
        target = open_target(replace(self.settings, run_id=new_run_id()), self._environ)
        try:
            require_answer(target)
        finally:
            target.close()

    def stop(self) -> None:
        """Begin no further step; what is deployed is still undeployed."""
        self._stopping.set()

    def play(self, plan: Plan, steps: Sequence[Step] | None = None) -> Pass:
        """Send the plan's steps, or some of them, in order.

        Raises TargetUnreachableError or CredentialsRefusedError where the instance answers nothing at all. One that
        stops answering, or stops taking our token, breaks the pass off: what it answered until then is kept.
        """
        broken_off = ""
        with self._opened() as (target, settings, left):
            player = _Player(target, settings, plan.run, self._stopping, self._secret)
            try:
                player.play(plan.steps if steps is None else steps)
            except (TargetUnreachableError, CredentialsRefusedError) as error:
                if not player.answers:
                    raise
                broken_off = f"The {self.name} side broke off at step {max(player.answers)}: {error}"
        origin = target.url.rstrip("/")
        return Pass(
            settings.run_id, origin, player.answers, player.left_out, player.waiting, left[0], broken_off
        )  # fmt: skip


def environment(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a side: for the old one, `CONFORMANCE_OLD_…` in place of `CONFORMANCE_…` where any is set."""
    olds = {variable: value for variable, value in environ.items() if variable.startswith(_OLD)}
    if name != "old" or not olds:
        return dict(environ)
    others = {variable: value for variable, value in environ.items() if not variable.startswith("CONFORMANCE_")}
    return others | {f"CONFORMANCE_{variable.removeprefix(_OLD)}": value for variable, value in olds.items()}


@contextmanager
def opened(name: str, target: str, settings: Settings, environ: Mapping[str, str]) -> Iterator[Side]:
    """A side at `target`. An emulated instance is held to the limits of a live one, and ends with the block."""
    if target != EMULATED:
        yield Side(name, replace(settings, target=target), environment(name, environ))
        return
    others = {variable: value for variable, value in environ.items() if not variable.startswith("CONFORMANCE_")}
    with (
        issuers_key() as key,
        emulator_process(["--profile", settings.profile, "--signing-key", str(key)], others) as url,
    ):
        settings = replace(settings, target=url, signing_key=str(key))
        yield Side(name, settings, others | _EMULATED_USER, EMULATED_SECRET)


class _Player:
    def __init__(
        self, target: Target, settings: Settings, plan_run: str, stopping: threading.Event, secret: str
    ) -> None:
        self._target, self._settings, self._stopping, self._secret = target, settings, stopping, secret
        self.answers: dict[int, Exchange] = {}
        self.left_out: dict[int, str] = {}
        self.waiting: dict[int, tuple[Exchange, ...]] = {}
        self._known: dict[tuple[str, Any], Any] = {}
        self._planned: dict[tuple[str, Any], int] = {}
        self._patience = {RUNNING: settings.wait, GONE: settings.wait, "routed": _ROUTING_SECONDS}
        self._plan_run = plan_run

    def play(self, steps: Sequence[Step]) -> None:
        for together, members in groupby(steps, key=lambda step: step.together or -step.number):
            if self._stopping.is_set():
                return
            group = list(members)
            if together > 0 and len(group) > 1:
                self._all_at_once(group)
            else:
                for step in group:
                    self._one(step)
            for step in group:
                self._learn(step)

    def _one(self, step: Step) -> None:
        request = self._prepared(step)
        if request is None:
            return
        try:
            exchange = self._within_limits(step, request)
            exchange = self._awaited(step, request, exchange)
        except (TargetUnreachableError, CredentialsRefusedError):
            raise
        except SuiteError as error:
            self.left_out[step.number] = str(error)
            return
        self.answers[step.number] = exchange

    def _all_at_once(self, group: Sequence[Step]) -> None:
        ready = [(step, request) for step in group if (request := self._prepared(step)) is not None]
        with ThreadPoolExecutor(max(1, len(ready))) as pool:
            sending = [(step, pool.submit(self._sent, step, request)) for step, request in ready]
        for step, future in sending:
            try:
                self.answers[step.number] = future.result()
            except (TargetUnreachableError, CredentialsRefusedError):
                raise
            except SuiteError as error:
                self.left_out[step.number] = str(error)

    def _within_limits(self, step: Step, request: Request) -> Exchange:
        """Send; where a ceiling forbids it, once what was undeployed is gone: the plan was drawn under the same one."""
        end = time.monotonic() + self._patience[GONE]
        while True:
            try:
                return self._sent(step, request)
            except LimitReachedError:
                if time.monotonic() > end:
                    raise
                time.sleep(_LONGEST_PAUSE)
                self._look_at_what_ends()

    def _look_at_what_ends(self) -> None:
        """Ask for the status of what was undeployed: its 404 makes room."""
        holdings = self._target.safeguards.holdings if self._target.safeguards else None
        for one in list(holdings.deployments.values()) if holdings else ():
            if one.stopping:
                self._target.send(json_request("status.get-deployment", {"name": one.name}))

    def _sent(self, step: Step, request: Request) -> Exchange:
        stranger = _probe(step.exchange) is not None or Mark.DOCUMENTATION in step.exchange.labels
        return self._target.send(request, authenticated=not stranger)

    def _prepared(self, step: Step) -> Request | None:
        """The step's request with this side's names and ids; None, with the reason kept, where it cannot be asked."""
        exchange = step.exchange
        if exchange.operation is None:  # of another method or path: it names what its operation does
            exchange = replace(exchange, operation=_about(exchange))
        missing = [token for token in uses(exchange) if token in self._planned and token not in self._known]
        if missing:
            kind, _ = missing[0]
            self.left_out[step.number] = (
                f"It needs the {kind} of step {self._planned[missing[0]]}, which was not given."
            )
            return None
        fields = [(name, value) for name, value in exchange.request.headers.fields if name.lower() not in _OURS_TO_SET]
        request = replace(exchange.request, url=_relative(exchange.request.url), headers=Headers(fields))
        mapped = rewritten(exchange.operation, request, self._mapped)
        if asked(exchange.operation, mapped) == asked(exchange.operation, request):
            mapped = replace(mapped, headers=request.headers, body=request.body)  # as it was spelled
        request = _renamed(mapped, self._plan_run, self._settings.run_id)
        probe = _probe(exchange)
        if probe is not None:
            probing = self._with_credentials_of(probe, request)
            if probing is None:
                self.left_out[step.number] = f"The credentials of the probe {probe} cannot be made on this side."
            return probing
        return request

    def _with_credentials_of(self, probe: Aim, request: Request) -> Request | None:
        """The request with the credentials that a probe tries; None where they cannot be had on this side."""
        credentials = self._target.credentials
        if probe.purpose is Purpose.IDENTITY and probe != ANY_CASE:
            without = Purpose.IDENTITY.of("none")  # a repeated request was sent before, and has no credentials now
            return falsely(without if probe == REPEATED else probe, request, credentials, self._settings.signing_key)
        scheme, token = "Bearer", ""
        if probe == ANY_CASE and credentials is not None:
            scheme, token = "bearer", credentials.authorization().removeprefix("Bearer ")
        elif isinstance(credentials, FetchedToken):
            credentials.authorization()
            if probe.word == "password" and credentials.grant == "password":
                token = credentials.anew()
            elif probe.word == "refresh":
                token = credentials.refreshed(kept=False)
            elif probe.word == "client-credentials" and self._secret:
                token = credentials.granted(client_credentials(self._secret))
        fields = [*request.headers.fields, ("Authorization", f"{scheme} {token}")]
        return replace(request, headers=Headers(fields)) if token else None

    def _mapped(self, kind: str, value: Any) -> Any:
        return self._known.get((kind, value), value) if _plain(value) else value

    def _awaited(self, step: Step, request: Request, exchange: Exchange) -> Exchange:
        """The answer once it is the awaited one, or the last where it does not come in time."""
        if step.awaits:
            return self._until(step.awaits, step, request, exchange)
        if exchange.operation == "pipelines.infer" and step.exchange.ok and exchange.status in _NOT_ROUTED:
            return self._until("routed", step, request, exchange)
        return exchange

    def _until(self, wanted: str, step: Step, request: Request, exchange: Exchange) -> Exchange:
        began, pause = time.monotonic(), _FIRST_PAUSE
        meanwhile: dict[str, Exchange] = {}
        while not _reached(wanted, exchange):
            meanwhile.setdefault(f"{exchange.status} {status_told(exchange)}", exchange)
            if time.monotonic() - began > self._patience[wanted]:
                self._patience[wanted] = min(self._patience[wanted], _AFTER_A_VAIN_WAIT_SECONDS)
                break
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            exchange = self._sent(step, request)
        meanwhile.pop(f"{exchange.status} {status_told(exchange)}", None)  # where it waited in vain
        self.waiting[step.number] = tuple(meanwhile.values())
        return exchange

    def _learn(self, step: Step) -> None:
        for token in gives(step.exchange):
            if step.exchange.operation != "models.list-versions" and _plain(token[1]):
                self._planned.setdefault(token, step.number)
        exchange = self.answers.get(step.number)
        if exchange is not None:
            before = dict(self._known)
            renewed(step.exchange, exchange, self._known)
            for token, value in before.items():
                self._known[token] = value  # an id stands for what first gave it


def _reached(wanted: str, exchange: Exchange) -> bool:
    if wanted == RUNNING:
        return exchange.ok and status_told(exchange) == RUNNING
    return exchange.status == 404 if wanted == GONE else exchange.status not in _NOT_ROUTED


def status_told(exchange: Exchange) -> str:
    """The status of a deployment that an answer tells; empty where it tells none."""
    return str(exchange.answer.get("status", "")) if isinstance(exchange.answer, dict) else ""


def _probe(exchange: Exchange) -> Aim | None:
    """What a request tries of who may call: false credentials, or a token of some grant; None where it tries nothing"""
    aims = sorted(label for label in exchange.labels if isinstance(label, Aim))
    return next((aim for aim in aims if aim.purpose in (Purpose.IDENTITY, Purpose.GRANT)), None)


def _about(exchange: Exchange) -> str | None:
    """The operation that a request of none stands beside."""
    return next((word for word in Purpose.ABOUT.words(exchange.labels) if word in IDS), None)


def _relative(url: str) -> str:
    parts = urlsplit(url)
    place = parts.path.find("/v1/api")
    path = parts.path[place:] if place > 0 else parts.path
    return f"{path}?{parts.query}" if parts.query else path


def _plain(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _renamed(request: Request, before: str, after: str) -> Request:
    if not before:
        return request
    return replace(
        request,
        url=request.url.replace(before, after),
        body=request.body.replace(before.encode(), after.encode()),
        headers=Headers([(name, value.replace(before, after)) for name, value in request.headers.fields]),
    )
