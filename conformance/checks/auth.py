"""Authentication: who may not call, does not get through; who holds a token of any grant, does."""

from __future__ import annotations

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.ledger import Ledger, is_of_absence
from conformance.model import Exchange
from conformance.targets.target import TURNED_AWAY

PROBES = {
    "identity:none": "refuses-a-request-without-a-token",
    "identity:garbage": "refuses-a-garbled-token",
    "identity:truncated": "refuses-a-truncated-token",
    "identity:prefixed": "refuses-a-prefixed-token",
    "identity:query": "refuses-a-token-in-the-query",
    "identity:basic": "refuses-basic-credentials",
    "identity:expired": "refuses-an-expired-token",
    "identity:early": "refuses-a-token-not-yet-valid",
    "identity:forged": "refuses-a-token-of-another-key",
    "identity:unsigned": "refuses-an-unsigned-token",
    "identity:audience": "refuses-a-token-for-another-audience",
}
"""What a probe's label says was wrong with its credentials, and the requirement that it is refused."""

GRANTS = {
    "grant:password": "takes-a-token-of-the-password-grant",
    "grant:refresh": "takes-a-token-of-the-refresh-grant",
    "grant:client-credentials": "takes-a-token-of-the-client-credentials-grant",
}
"""What a probe's label says of where its token came from, and the requirement that it is good."""

REFUSALS = frozenset({401, 403})


def stranger_is_refused(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A request whose credentials are none, or wrong, is refused by 401 or 403, from the gateway or the API.

    Of an operation that a caller of ours was told does not exist, nothing is claimed: its own row tells of that.
    """
    if exchange.operation in ledger.absent and is_of_absence(exchange.operation, exchange.status):
        return
    for label, slug in PROBES.items():
        if label in exchange.labels and (exchange.status is not None or exchange.response is None):
            yield seen(exchange, slug, exchange.status in REFUSALS, "status 401 or 403", came(exchange))


def taken_each_time(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A token that has time left is not refused by a request and taken by the next (RFC 6750 3.1)."""
    if exchange.ok and "authorization" in exchange.request.headers:
        held = TURNED_AWAY not in exchange.labels
        actual = "status 401 to one token that had time left, and none to the next"
        yield seen(exchange, "takes-a-good-token-each-time", held, "no 401 to a token that has time left", actual)


def granted(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A token that the token endpoint gave is not refused by the API."""
    for label, slug in GRANTS.items():
        if label in exchange.labels and exchange.status is not None:
            yield seen(exchange, slug, exchange.status not in REFUSALS, "neither 401 nor 403", came(exchange))
