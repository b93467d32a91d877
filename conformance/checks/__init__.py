"""Checks: pure functions of an exchange and the ledger before it, written out in reading order."""

from __future__ import annotations

from collections.abc import Callable

from conformance.checks import auth, deployments, headers, inference, metamorphic, models, pipelines, schema, status
from conformance.checks.rules import Findings, Rules
from conformance.ledger import Ledger
from conformance.model import Exchange, Finding

Check = Callable[[Exchange, Ledger, Rules], Findings]

CHECKS: tuple[Check, ...] = (
    status.valid_is_served,
    status.invalid_is_refused,
    status.bad_input_is_no_server_error,
    status.described_is_no_server_error,
    status.success_is_documented,
    status.refusal_is_declared,
    headers.success_media_type,
    headers.unauthorized_is_challenged,
    schema.success_body,
    schema.error_body,
    auth.stranger_is_refused,
    models.uploaded,
    models.listed,
    models.workspace_created,
    models.workspaces_listed,
    pipelines.created,
    pipelines.copied,
    deployments.deployed,
    deployments.status_found,
    deployments.status_unknown,
    deployments.reaches_running,
    deployments.running_pods,
    deployments.status_contents,
    deployments.url_of_deployment,
    deployments.undeployed,
    inference.refused_once_undeployed,
    inference.one_record_a_row,
    inference.computes_the_model,
    inference.last_model,
    inference.partition,
    inference.time_is_epoch_ms,
    inference.arrow_answers_arrow,
    metamorphic.same_row_same_answer,
    metamorphic.refusal_changed_nothing,
)


def judge(exchange: Exchange, ledger: Ledger, rules: Rules) -> list[Finding]:
    """Every finding of one exchange, held or not. `ledger` is what was known before it.

    Findings on requirements that the profile does not hold are left out.
    """
    if exchange.operation is None:
        return []
    found = [finding for check in CHECKS for finding in check(exchange, ledger, rules)]
    return [finding for finding in found if rules.holds(finding.requirement)]


__all__ = ["CHECKS", "Check", "Rules", "judge"]
