"""Timing: how long the vendor's own client waits for an answer."""

from __future__ import annotations

from conformance.checks.rules import Findings, Rules, seen
from conformance.ledger import Ledger
from conformance.model import Exchange

LIMITS = {
    "status.get-deployment": ("answers-within-five-seconds", 5.0),
    "pipelines.infer": ("answers-within-fifteen-seconds", 15.0),
}
"""The row, and the seconds after which the vendor's client 2023.4 gives up."""

_LARGE_BYTES = 1_000_000
"""An inference of more bytes than this, about a thousand of the tutorial's rows, may take its time."""


def in_time(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An answer comes before the vendor's client would have given up."""
    if exchange.operation not in LIMITS or len(exchange.request.body) > _LARGE_BYTES or not exchange.request.body_known:
        return
    slug, limit = LIMITS[exchange.operation]
    elapsed = exchange.response.elapsed if exchange.response else None
    late = exchange.response is None and exchange.failure.startswith("no answer came")
    if elapsed is not None or late:
        took = f"{elapsed:.1f} s" if elapsed is not None else exchange.failure
        held = elapsed is not None and elapsed <= limit
        yield seen(exchange, slug, held, f"an answer within {limit:g} s", took)
