"""The plan: requests in order, each a step that is asked of both sides with their own names and ids.

It is drawn once, from a seed, by running the suites against an emulated instance under the limits of a live run; or it
is what a recording of an earlier release asked.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.compare.variations import variations
from conformance.errors import NoVerdictError
from conformance.model import Aim, Exchange, Mark, Purpose
from conformance.recording import folder
from conformance.recording.recording import Recording
from conformance.recording.traffic import ordered
from conformance.spec.document import Document
from conformance.targets.emulated import emulator_process

RUNNING, GONE = "Running", "gone"
"""What the status of a deployment is awaited to become."""

_STATUS, _INFER = "status.get-deployment", "pipelines.infer"
_MOMENTARY = frozenset({Mark.BEFORE_RUNNING})
_LEFT_OUT = frozenset({Mark.CLEANING})
_MOST_TOGETHER = 32
_CREDENTIALS = "CONFORMANCE_"
_FAST = ["--start-seconds", "0.05", "--stop-seconds", "0.02"]
_RUN = re.compile(rb"conformance-([0-9a-f]{8})-")


@dataclass(frozen=True)
class Step:
    """One request of the plan, with the exchange it was drawn as.

    `awaits` is Running or gone where it is asked again until the deployment is so. `momentary` says that its answer
    depends on when it is asked. Steps of one `together` number, 0 for none, are sent at the same moment.
    """

    number: int
    exchange: Exchange
    awaits: str = ""
    momentary: bool = False
    together: int = 0

    @property
    def after_refusal(self) -> bool:
        """Whether it asks for what a request that was refused must not have changed."""
        return any(isinstance(label, Aim) and label.purpose is Purpose.AFTER_REFUSAL for label in self.exchange.labels)

    @property
    def operation(self) -> str:
        """The operation's id; for a request of no operation its method and path."""
        exchange = self.exchange
        return exchange.operation or f"{exchange.request.method} {exchange.request.path}"


@dataclass(frozen=True)
class Plan:
    """Steps in order, and the id of the run they were drawn from: every name they give contains it."""

    run: str
    steps: tuple[Step, ...]


def drawn(profile: str, budget: str, seed: int) -> Plan:
    """The plan of a seed: what the suites ask an emulated instance of the release under the limits of a live run.

    Raises NoVerdictError where the suites cannot be run.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_CREDENTIALS)}
    known = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    with (
        tempfile.TemporaryDirectory(prefix="conformance-plan-") as place,
        emulator_process(["--profile", profile, *_FAST], environ) as url,
    ):
        output = Path(place) / "plan"
        command = [
            *(sys.executable, "-P", "-m", "conformance", "record", "--target", url, "--output", str(output)),
            *("--profile", profile, "--budget", budget, "--seed", str(seed), "--everything"),
            *("--journal", place, "--timeout", "60"),
        ]
        done = subprocess.run(command, env=environ | known, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise NoVerdictError(f"The requests to compare by could not be drawn: {said}")
        exchanges = [meant(one) for one in ordered(folder.read(output, Document.load(profile)))]
        return plan_of([*exchanges, *variations(exchanges, run_of(exchanges))])


def meant(recording: Recording) -> Exchange:
    """The recording's exchange with what its sender meant by it."""
    exchange = recording.exchange
    return replace(exchange, intent=recording.intent, labels=exchange.labels | recording.labels)


def plan_of(exchanges: Sequence[Exchange], *, polled: bool = True) -> Plan:
    """The plan that exchanges in order of start are; where they were `polled`, a question repeated is one step."""
    steps: list[Step] = []
    group, members, undeployed = 0, 0, False
    for exchange, after in zip(exchanges, [*exchanges[1:], None], strict=True):
        together = Mark.TOGETHER in exchange.labels
        repeated = polled and not together and after is not None and _polls(exchange, after)
        if exchange.labels & _LEFT_OUT or repeated:
            continue
        if together:
            joins = steps and steps[-1].together and steps[-1].operation == (exchange.operation or "")
            group, members = (group, members + 1) if joins and members < _MOST_TOGETHER else (group + 1, 1)
        awaits = _awaited(exchange, undeployed=undeployed)
        undeployed = undeployed or (exchange.operation == "pipelines.undeploy" and exchange.ok)
        momentary = bool(exchange.labels & _MOMENTARY) or (exchange.operation == _STATUS and exchange.ok and not awaits)
        steps.append(Step(len(steps) + 1, exchange, awaits, momentary, group if together else 0))
    return Plan(run_of(exchanges), tuple(steps))


def run_of(exchanges: Sequence[Exchange]) -> str:
    """The run's id: eight characters in the first name that an exchange gives."""
    for exchange in exchanges:
        match = _RUN.search(exchange.request.body)
        if match:
            return match[1].decode()
    return ""


def _polls(exchange: Exchange, after: Exchange) -> bool:
    """Whether the next exchange asks the same again because this answer was not yet the awaited one."""
    same = exchange.operation == after.operation and exchange.request.body == after.request.body
    if not same or exchange.operation not in (_STATUS, _INFER):
        return False
    return exchange.operation == _STATUS or (not exchange.ok and exchange.request.path == after.request.path)


def _awaited(exchange: Exchange, *, undeployed: bool) -> str:
    if exchange.operation != _STATUS or exchange.intent == "invalid" or Mark.NEVER_WAS in exchange.labels:
        return ""
    if exchange.status == 404:
        return GONE if undeployed else ""
    answer = exchange.answer
    return RUNNING if exchange.ok and isinstance(answer, dict) and answer.get("status") == RUNNING else ""
