"""One run against one target: what is sent is judged at once, and folded into the ledger."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from conformance.checks import Rules, judge
from conformance.errors import TargetUnreachableError
from conformance.ledger import Ledger
from conformance.model import Exchange, Finding, Headers, Request

_GATEWAY_DOWN = frozenset({502, 504})


class Sender(Protocol):
    """What a session needs of a target."""

    kind: str
    url: str

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        """Send one request and return the exchange."""


class Session:
    """Sends through a target, judges each exchange against the ledger before it, then folds it in.

    Threads may send at once; exchanges are judged and folded one at a time, in the order in which they ended.
    """

    def __init__(self, target: Sender, rules: Rules, keep: Callable[[Exchange], None] | None = None) -> None:
        self.target, self.rules = target, rules
        self.ledger = Ledger()
        self.findings: list[Finding] = []
        self.reached: Counter[tuple[str, int]] = Counter()
        self._keep = keep
        self._lock = threading.RLock()
        self._labels: frozenset[str] = frozenset()

    def send(
        self,
        request: Request,
        *,
        intent: str = "",
        labels: frozenset[str] = frozenset(),
        authenticated: bool = True,
    ) -> Exchange:
        """Send, judge and fold. Raises TargetUnreachableError where the target as a whole no longer answers."""
        exchange = self.target.send(request, authenticated=authenticated)
        exchange = replace(exchange, intent=intent, labels=labels | self._labels)
        if (exchange.response is None or exchange.status in _GATEWAY_DOWN) and not self.answers():
            came = exchange.failure or f"status {exchange.status}"
            raise TargetUnreachableError(
                f"{self.target.url} stopped answering: {came} to {exchange.operation or exchange.request.path}, "
                "and nothing better to workspaces.list after it. Run again when it is up."
            )
        self.take(exchange)
        return exchange

    def take(self, exchange: Exchange) -> None:
        """Judge an exchange and fold it in, however it came about."""
        with self._lock:
            self.findings += judge(exchange, self.ledger, self.rules)
            self.ledger = self.ledger.after(exchange)
            if exchange.operation and exchange.status is not None:
                self.reached[exchange.operation, exchange.status] += 1
        if self._keep:
            self._keep(exchange)

    def report(self, finding: Finding) -> None:
        """Add a finding that no single exchange shows, such as a wait that ran out."""
        with self._lock:
            self.findings.append(finding)

    def answers(self) -> bool:
        """Whether anything at the target still answers as an API does."""
        probe = Request("POST", "/v1/api/workspaces/list", Headers({"Content-Type": "application/json"}), b"{}")
        exchange = self.target.send(probe)
        return exchange.response is not None and exchange.status not in _GATEWAY_DOWN | {503}

    @contextmanager
    def labelled(self, *labels: str) -> Iterator[None]:
        """Whatever is sent inside carries these labels."""
        before = self._labels
        self._labels = before | frozenset(labels)
        try:
            yield
        finally:
            self._labels = before
