"""What a run may cost its target, and when it must stop asking."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from conformance.errors import LimitReachedError, TargetUnreachableError
from conformance.model import Effect, Exchange, Operation, Request
from conformance.targets.safety.guard import RefusedError
from conformance.targets.safety.holdings import Holdings

_TRIES_AT_5XX = 10
_TRIES_AT_429 = 5
_ENDING = frozenset({"pipelines.undeploy", "status.get-deployment"})


@dataclass(frozen=True)
class Limits:
    """Ceilings of one process: deployments of ours at once, and minutes that they run, added up. None means none."""

    deployments: int | None = None
    minutes: float | None = None

    def check(self, operation: Operation | None, request: Request, holdings: Holdings) -> None:
        """Raises RefusedError or LimitReachedError where a request would pass a ceiling; what undeploys never does."""
        if operation is None or operation.id in _ENDING:
            return
        if self.minutes is not None and operation.effect is not Effect.READ:
            run = holdings.minutes_deployed()
            if run > self.minutes:
                raise LimitReachedError(
                    f"Deployments of this run have run for {run:.0f} minutes, and {self.minutes:g} are allowed. "
                    "Raise --max-minutes."
                )
        at_once = len(holdings.deployments)
        if self.deployments is not None and at_once >= self.deployments and holdings.grows_by(operation.id, request):
            raise RefusedError(
                f"To deploy another was refused before it was sent: {at_once} deployments of this run are up, and "
                f"{self.deployments} may be at once. Raise --max-deployments."
            )


UNLIMITED = Limits()


class Breaker:
    """Stops a run whose target fails on everything, or asks us to slow down and goes on asking.

    Ten answers of 5xx in a row are taken for an outage once every harmless read fails too: one operation that is
    broken, or bad input that is answered by 500 (as recorded), stops nothing.
    """

    def __init__(self) -> None:
        self._failed = self._slowed = 0
        self._lock = threading.Lock()

    def after(self, exchange: Exchange, reads: Callable[[], bool]) -> None:
        """Count an answer. Raises TargetUnreachableError where it is time to stop.

        `reads` says whether any read is still answered well.
        """
        with self._lock:
            self._slowed = self._slowed + 1 if exchange.status == 429 else 0
            self._failed = self._failed + 1 if (exchange.status or 0) >= 500 else 0
            slowed, failed = self._slowed >= _TRIES_AT_429, self._failed >= _TRIES_AT_5XX
            if failed:
                self._failed = 0
        if slowed:
            raise TargetUnreachableError(
                f"The target answered 429 to {_TRIES_AT_429} requests in a row, however long we waited. "
                "Run again later, or with a smaller --budget."
            )
        if failed and not reads():
            raise TargetUnreachableError(
                f"The target answered {_TRIES_AT_5XX} requests in a row by 5xx (the last by {exchange.status}), and "
                "plain reads after them no better. Run again when it is well."
            )
