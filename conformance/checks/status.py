"""Statuses: valid requests are served, invalid ones refused, and each by a status the document declares."""

from __future__ import annotations

from conformance.checks.rules import Findings, Rules, came, seen
from conformance.ledger import Ledger
from conformance.model import Exchange

RECORDED_SERVER_ERRORS = frozenset({"pipelines.infer", "models.upload-and-convert"})
"""Operations that were recorded answering 500 to bad input in 2023.4 (wrong rows; an unknown workspace)."""

DESCRIBED = "described"
"""Label of a request that is as the document describes, and names nothing that does not exist."""

STATUS_INFERRED = "status-inferred"
"""Label of an exchange whose status was not recorded but follows from its body: nothing is claimed of it here."""


def valid_is_served(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What the sender knows to be valid is answered by a success."""
    if exchange.intent == "valid" and (exchange.status is not None or exchange.response is None):
        yield seen(exchange, "serves-valid-requests", exchange.ok, "a 2xx status", came(exchange))


def invalid_is_refused(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What the sender knows to be invalid is not answered by a success."""
    if exchange.intent == "invalid" and (exchange.status is not None or exchange.response is None):
        refused = exchange.response is not None and not exchange.ok
        yield seen(exchange, "refuses-invalid-requests", refused, "a refusal (4xx)", came(exchange))


def bad_input_is_no_server_error(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Bad input is the client's fault and is answered so, but for the 500s that were recorded."""
    if exchange.intent == "invalid" and exchange.status is not None:
        allowed = exchange.status < 500 or (exchange.status == 500 and exchange.operation in RECORDED_SERVER_ERRORS)
        yield seen(exchange, "blames-bad-input-on-the-client", allowed, "a status below 500", came(exchange))


def described_is_no_server_error(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What is as described may be refused for a reason of the server's, but is not what it breaks on."""
    if DESCRIBED in exchange.labels and exchange.status is not None:
        held = exchange.status < 500
        yield seen(exchange, "survives-described-requests", held, "a success or a refusal (below 500)", came(exchange))


def success_is_documented(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A success has the status the contract documents: 202 for an upload, 200 for all else."""
    if exchange.ok and STATUS_INFERRED not in exchange.labels:
        documented = rules.success_statuses(exchange.operation or "")
        expected = "status " + " or ".join(map(str, documented))
        held = exchange.status in documented
        yield seen(exchange, "succeeds-with-its-documented-status", held, expected, f"status {exchange.status}")


def refusal_is_declared(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What is no success has a status that the document declares."""
    if exchange.status is not None and not exchange.ok and STATUS_INFERRED not in exchange.labels:
        declared = rules.declares(exchange.operation or "", exchange.status)
        yield seen(
            exchange, "refuses-with-a-declared-status", declared, "a status the document declares", came(exchange)
        )
