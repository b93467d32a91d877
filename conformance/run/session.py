"""One run against one target: what is sent is judged at once, and folded into the ledger."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from conformance.api.gateway import is_gateways
from conformance.api.operations import changing
from conformance.checks import Rules, judge
from conformance.errors import RequestsSpentError, TargetUnreachableError, TimeSpentError
from conformance.ledger import Ledger
from conformance.model import Exchange, Finding, Headers, Intent, Label, Mark, Request
from conformance.redaction import redact_text
from conformance.reporting.facts import Facts
from conformance.reporting.lifecycle import event_of
from conformance.run.reach import SPARED, Reach
from conformance.targets.target import PROBES
from conformance.targets.waits import WaitBudget

if TYPE_CHECKING:
    from conformance.spec.crosscheck import SecondJudge

_MOST_EVENTS = 500
"""Events kept between two drains: more than that nobody looks at."""

_WAIT_SECONDS = 300.0

_GATEWAY_DOWN = frozenset({502, 503, 504})
_SLOW_SECONDS, _SLOW_AFTER = 1.0, 3
"""Seconds an answer takes, over this many answers, from which on an operation is asked less."""

_MOST_SHOWN = 5
"""Findings of one requirement and operation that are kept whole: the same defect is not told a thousand times."""

_GIVING = changing() | {"models.list-versions"}
"""Operations whose successes later requests build on."""

_CLEANING_EACH = 12
"""Requests kept for each deployment: its undeploy, and the polls until it is gone."""


class Sender(Protocol):
    """What a session needs of a target."""

    kind: str
    url: str
    requests: int

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        """Send one request and return the exchange."""


@dataclass(frozen=True)
class Trace:
    """A requirement's first broken finding, and how many exchanges of the session's log came before it."""

    finding: Finding
    before: int


def _moved(exchange: Exchange, before: Ledger, after: Ledger) -> bool:
    # Not `!=`: of two maps that differ in one value alone, rpds says that they are not unequal either.
    return exchange.operation == "status.get-deployment" and not (before.deployments == after.deployments)  # noqa: SIM201


class Session:
    """Sends through a target, judges each exchange against the ledger before it, then folds it in.

    Threads may send at once; exchanges are judged and folded one at a time, in the order in which they ended.
    """

    def __init__(
        self,
        target: Sender,
        rules: Rules,
        keep: Callable[[Exchange], None] | None = None,
        budget: WaitBudget | None = None,
    ) -> None:
        self.target, self.rules = target, rules
        self.wait_budget = budget or WaitBudget(_WAIT_SECONDS)
        self.ledger = Ledger()
        self.facts = Facts()
        self.log: list[Exchange] = []
        self.traces: dict[tuple[str, str], Trace] = {}
        self.witnessing = False
        self.second: SecondJudge | None = None
        self.ends_at: float | None = None
        self._witnessed: set[str] = set()
        self._told = 0
        self._taken: dict[str, tuple[int, float]] = {}
        self._spared: set[str] = set()
        self._shown: Counter[tuple[str, str]] = Counter()
        self._reach = Reach(rules.document, rules.validator)
        self._keep = keep
        self._lock = threading.RLock()
        self._labels: frozenset[Label] = frozenset()

    def keep_with(self, keep: Callable[[Exchange], None]) -> None:
        """Hand every exchange from now on to `keep`."""
        self._keep = keep

    def branch(self) -> Session:
        """A session on the same target with a ledger of its own, for what goes on beside this one."""
        own = Session(self.target, self.rules, self._keep, self.wait_budget)
        own.witnessing = self.witnessing
        return own

    def join(self, branch: Session) -> None:
        """Take over what a branch saw; its ledger stays its own."""
        with self._lock:
            self.facts.add(branch.facts)
            branch.facts = Facts()

    def send(
        self,
        request: Request,
        *,
        intent: Intent = "",
        labels: frozenset[Label] = frozenset(),
        authenticated: bool = True,
    ) -> Exchange:
        """Send, judge and fold. Raises TargetUnreachableError where the target as a whole no longer answers."""
        self._spare()
        exchange = self._sent(self.target.send(request, authenticated=authenticated), intent, labels)
        self.take(exchange)
        return exchange

    def send_together(
        self, requests: Sequence[Request], *, intent: Intent = "", stagger: float = 0.0
    ) -> list[Exchange]:
        """Send several requests at the same moment, each `stagger` seconds after the one before it.

        They are judged in the order in which they stand here, whichever was answered first. Raises what the first
        of them raises that fails.
        """

        self._spare(len(requests))

        def late(index: int, request: Request) -> Exchange:
            time.sleep(index * stagger)
            return self.target.send(request)

        with ThreadPoolExecutor(len(requests)) as pool:
            sending = [pool.submit(late, index, request) for index, request in enumerate(requests)]
        exchanges = [self._sent(future.result(), intent, frozenset({Mark.TOGETHER})) for future in sending]
        for exchange in exchanges:
            self.take(exchange)
        return exchanges

    def _spare(self, coming: int = 1) -> None:
        """Keep enough of the ceiling on requests to undeploy what is deployed.

        Raises RequestsSpentError, and TimeSpentError once the run has taken as long as it may.
        """
        if self.is_late and Mark.CLEANING not in self._labels:
            raise TimeSpentError(
                "The time limit of --max-seconds ended the run before all requests were sent: the verdict covers what "
                "was "
                "tested."
            )
        ceiling = getattr(self.target, "ceiling", None)
        if ceiling is None or Mark.CLEANING in self._labels:
            return
        left = ceiling - self.target.requests - coming
        if left < _CLEANING_EACH * sum(1 for _ in self.ledger.live()):
            raise RequestsSpentError(
                f"{self.target.requests} requests have been sent, and {left} are kept to undeploy what this run "
                "deployed. "
                "Raise --max-requests."
            )

    @property
    def is_late(self) -> bool:
        """Whether the run has taken as long as it may."""
        return self.ends_at is not None and time.time() > self.ends_at

    def _sent(self, exchange: Exchange, intent: Intent, labels: frozenset[Label]) -> Exchange:
        exchange = replace(exchange, intent=intent, labels=exchange.labels | labels | self._labels)
        if (exchange.response is None or exchange.status in _GATEWAY_DOWN) and not self.answers():
            came = exchange.failure or f"status {exchange.status}"
            raise TargetUnreachableError(
                f"{self.target.url} stopped answering: {came} to {exchange.operation or exchange.request.path}, "
                "and the reads sent after it failed too. Run again when the target is up."
            )
        return exchange

    def is_slow(self, operation: str) -> bool:
        """Whether an operation takes so long that fewer requests are sent to it; the verdict then says so."""
        count, seconds = self._taken.get(operation, (0, 0.0))
        if count < _SLOW_AFTER or seconds < _SLOW_SECONDS * count:
            return False
        if operation not in self._spared:
            self._spared.add(operation)
            self.facts.marks[f"{SPARED}|{operation}"] += 1
            self.note(f"Fewer requests were generated for {operation}, because an answer took {seconds / count:.1f} s.")
        return True

    def take(self, exchange: Exchange) -> None:
        """Judge an exchange and fold it in, however it came about."""
        with self._lock:
            if exchange.operation and exchange.started is not None and exchange.ended is not None:
                count, seconds = self._taken.get(exchange.operation, (0, 0.0))
                self._taken[exchange.operation] = (count + 1, seconds + exchange.ended - exchange.started)
            try:
                found = judge(exchange, self.ledger, self.rules)
            except RecursionError:  # JSON may nest as deep as its parser goes, and deeper than those who read it
                exchange = replace(exchange, response=None, failure="the answer nests too deeply to be read")
                found = judge(exchange, self.ledger, self.rules)
            for finding in found:
                self._count(finding)
            if self.second is not None and not is_gateways(exchange):
                self.facts.incidents += self.second.contradictions(exchange)
            before, self.ledger = self.ledger, self.ledger.after(exchange)
            if (exchange.ok and exchange.operation in _GIVING) or _moved(exchange, before, self.ledger):
                self.log.append(exchange)
            if not is_gateways(exchange):
                self.facts.marks.update(self._reach.marks(exchange))
            event = event_of(exchange)
            if event is not None and len(self.facts.events) < _MOST_EVENTS:
                self.facts.events.append(event)
            if exchange.operation and exchange.status is not None and not is_gateways(exchange):
                self.facts.reached[exchange.operation, exchange.status] += 1
        if self._keep:
            self._keep(exchange)

    def report(self, finding: Finding) -> None:
        """Add a finding that no single exchange shows, such as a wait that ran out."""
        with self._lock:
            self._count(finding)

    def note(self, sentence: str) -> None:
        """Have the verdict say something of the run that is no finding."""
        with self._lock:
            self.facts.notes.append(sentence)

    def drain(self) -> Facts:
        """What was seen since the last drain; the ledger stays."""
        with self._lock:
            drained, self.facts = self.facts, Facts()
            drained.troubles = list(getattr(self.target, "troubles", list)())
            drained.requests, self._told = self.target.requests - self._told, self.target.requests
        return drained

    def _count(self, finding: Finding) -> None:
        if finding.held:
            if finding.actual:  # a reading: which of several fair ones it was, is worth telling
                self.facts.observed[finding.requirement] = finding.actual
            self.facts.held[finding.requirement, finding.operation] += 1
            if self.witnessing and finding.evidence and finding.requirement not in self._witnessed:
                self._witnessed.add(finding.requirement)
                self.facts.witnesses[finding.requirement] = finding.evidence[-1]
            return
        finding = replace(finding, actual=redact_text(finding.actual))  # a target may answer with our own token
        key = (finding.requirement, finding.operation)
        self.traces.setdefault(key, Trace(finding, len(self.log)))
        self._shown[key] += 1
        self.facts.broke[key] += 1
        if finding.shrunk or finding.repeated[1] or self._shown[key] <= _MOST_SHOWN:
            self.facts.broken.append(finding)

    def answers(self) -> bool:
        """Whether any operation that reads still answers: where one alone does not, it is broken, and no outage."""
        for path in PROBES:
            probe = Request("POST", f"/v1/api/{path}", Headers({"Content-Type": "application/json"}), b"{}")
            exchange = self.target.send(probe)
            if exchange.response is not None and exchange.status not in _GATEWAY_DOWN:
                return True
        return False

    @contextmanager
    def labelled(self, *labels: Label) -> Iterator[None]:
        """Whatever is sent inside carries these labels."""
        before = self._labels
        self._labels = before | frozenset(labels)
        try:
            yield
        finally:
            self._labels = before
