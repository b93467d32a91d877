"""Checks: pure functions of an exchange and the ledger before it, written out in reading order."""

from __future__ import annotations

from collections.abc import Callable

from conformance.api.gateway import is_gateways
from conformance.checks import (
    auth,
    deployments,
    headers,
    inference,
    leaks,
    metamorphic,
    models,
    outputs,
    pipelines,
    pods,
    readings,
    records,
    schema,
    standards,
    status,
    timing,
)
from conformance.checks.rules import Findings, Rules
from conformance.ledger import Ledger
from conformance.model import Exchange, Finding, Mark

Check = Callable[[Exchange, Ledger, Rules], Findings]

CHECKS: tuple[Check, ...] = (
    status.valid_is_served,
    status.invalid_is_refused,
    status.bad_input_is_no_server_error,
    status.described_is_no_server_error,
    status.success_is_documented,
    status.refusal_is_declared,
    status.name_is_answered,
    status.id_is_answered,
    status.code_is_the_status,
    headers.success_media_type,
    headers.unauthorized_is_challenged,
    headers.stranger_is_told_plainly,
    headers.not_for_everybody,
    standards.allow_is_listed,
    standards.content_length,
    standards.json_text,
    standards.dated,
    schema.success_body,
    schema.error_body,
    leaks.insides_shown,
    timing.in_time,
    auth.stranger_is_refused,
    auth.taken_each_time,
    auth.granted,
    models.uploaded,
    models.uploaded_rubbish,
    models.listed,
    models.listed_unknown,
    models.ready_for_good,
    models.workspace_created,
    models.workspaces_listed,
    models.workspaces_are_dated,
    models.what_lasts,
    pipelines.created,
    pipelines.copied,
    deployments.deployed,
    deployments.status_found,
    deployments.status_unknown,
    deployments.reaches_running,
    deployments.url_of_deployment,
    deployments.called_as_handed_out,
    deployments.undeployed,
    deployments.refusal_changed_nothing,
    deployments.copy_serves_on,
    pods.running_pods,
    pods.running_contents,
    pods.status_contents,
    pods.version_swapped,
    inference.refused_once_undeployed,
    inference.nothing_routed,
    inference.before_running,
    inference.one_record_a_row,
    inference.computes_the_model,
    inference.output_named,
    outputs.outputs_formed,
    outputs.outputs_ordered,
    outputs.arrow_columns,
    inference.arrow_answers_arrow,
    inference.form_accepted,
    inference.answered_among_many,
    records.last_model,
    records.partition,
    records.pipeline_version,
    records.time_is_epoch_ms,
    records.time_is_of_the_answer,
    records.no_failures,
    records.elapsed_fits,
    records.elapsed_is_of_the_answer,
    records.drops_nothing,
    metamorphic.same_row_same_answer,
    metamorphic.refusal_changed_nothing,
    readings.followed,
)

BESIDE: tuple[Check, ...] = (
    deployments.called_as_handed_out,
    standards.allow_is_listed,
    standards.other_method,
    standards.head_and_options,
    standards.unknown_path,
    standards.nowhere,
    standards.documentation,
)
"""Checks of requests that are of no operation, but beside one."""


SERVED_WRONGLY: tuple[Check, ...] = (
    status.invalid_is_refused,
    status.success_is_documented,
    status.id_is_answered,
    leaks.insides_shown,
    auth.stranger_is_refused,
)
"""Checks of a success that should have been a refusal: nothing is promised of what it says."""


def judge(exchange: Exchange, ledger: Ledger, rules: Rules, of_operations: tuple[Check, ...] = CHECKS) -> list[Finding]:
    """Every finding of one exchange, held or not. `ledger` is what was known before it.

    `of_operations` are the checks of requests of an operation, where not all of them are meant.

    Findings on requirements that the profile does not hold are left out. Nothing is found in what a gateway answered in
    the API's place, nor where it is not known what came of a request.
    """
    if is_gateways(exchange) or Mark.UNKNOWN in exchange.labels:
        return []
    checks = of_operations if exchange.operation is not None else BESIDE
    if exchange.ok and (exchange.refusable or auth.REPEATED in exchange.labels):
        checks = SERVED_WRONGLY
    found = [finding for check in checks for finding in check(exchange, ledger, rules)]
    return [finding for finding in found if rules.holds(finding.requirement)]


__all__ = ["BESIDE", "CHECKS", "Check", "Rules", "judge"]
