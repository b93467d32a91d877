"""Authentication: who may not call, does not get through; who holds a token of any grant, does."""

from __future__ import annotations

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.ledger import Ledger, is_of_absence
from conformance.model import Exchange, Mark, Purpose

PROBES = {
    Purpose.IDENTITY.of("none"): "refuses-a-request-without-a-token",
    Purpose.IDENTITY.of("garbage"): "refuses-a-garbled-token",
    Purpose.IDENTITY.of("truncated"): "refuses-a-truncated-token",
    Purpose.IDENTITY.of("prefixed"): "refuses-a-prefixed-token",
    Purpose.IDENTITY.of("query"): "refuses-a-token-in-the-query",
    Purpose.IDENTITY.of("basic"): "refuses-basic-credentials",
    Purpose.IDENTITY.of("expired"): "refuses-an-expired-token",
    Purpose.IDENTITY.of("early"): "refuses-a-token-not-yet-valid",
    Purpose.IDENTITY.of("forged"): "refuses-a-token-of-another-key",
    Purpose.IDENTITY.of("unsigned"): "refuses-an-unsigned-token",
    Purpose.IDENTITY.of("audience"): "refuses-a-token-for-another-audience",
}
"""What a probe's label says was wrong with its credentials, and the requirement that it is refused."""

REPEATED = Purpose.IDENTITY.of("repeated")
"""Label of a request that was answered before, sent again to the letter but for its token."""

GRANTS = {
    Purpose.GRANT.of("password"): "takes-a-token-of-the-password-grant",
    Purpose.GRANT.of("refresh"): "takes-a-token-of-the-refresh-grant",
    Purpose.GRANT.of("client-credentials"): "takes-a-token-of-the-client-credentials-grant",
}
"""What a probe's label says of where its token came from, and the requirement that it is good."""

REFUSALS = frozenset({401, 403})


def stranger_is_refused(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A request whose credentials are none, or wrong, is refused by 401 or 403, from the gateway or the API.

    Of an operation that a caller of ours was told does not exist, nothing is claimed: its own row tells of that.
    """
    if exchange.operation in ledger.absent and is_of_absence(exchange.operation, exchange.status):
        return
    for label, slug in (*PROBES.items(), (REPEATED, "refuses-a-repeat-without-a-token")):
        if label in exchange.labels and (exchange.status is not None or exchange.response is None):
            yield seen(exchange, slug, exchange.status in REFUSALS, "status 401 or 403", came(exchange))


def taken_each_time(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A token that has time left is not refused by a request and taken by the next (RFC 6750 3.1)."""
    if exchange.ok and "authorization" in exchange.request.headers:
        held = Mark.TURNED_AWAY not in exchange.labels
        actual = "status 401 to one token that had time left, and none to the next"
        yield seen(exchange, "takes-a-good-token-each-time", held, "no 401 to a token that has time left", actual)


def granted(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A token that the token endpoint gave is not refused by the API."""
    for label, slug in GRANTS.items():
        if label in exchange.labels and exchange.status is not None:
            yield seen(exchange, slug, exchange.status not in REFUSALS, "neither 401 nor 403", came(exchange))
