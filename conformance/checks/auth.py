"""Authentication: who may not call, does not get through."""

from __future__ import annotations

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.ledger import Ledger
from conformance.model import Exchange

PROBES = {
    "identity:none": "refuses-a-request-without-a-token",
    "identity:garbage": "refuses-a-garbled-token",
}
"""What a probe's label says was wrong with its credentials, and the requirement that it is refused."""

REFUSALS = frozenset({401, 403})


def stranger_is_refused(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A request whose credentials are none, or wrong, is refused by 401 or 403, from the gateway or the API."""
    for label, slug in PROBES.items():
        if label in exchange.labels:
            yield seen(exchange, slug, exchange.status in REFUSALS, "status 401 or 403", came(exchange))
