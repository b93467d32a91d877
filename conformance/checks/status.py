"""Statuses: valid requests are served, invalid ones refused, and each by a status the document declares.

A sender that knows which promise a request is about says so by a label: `promise:<slug>` on a valid request is judged
under `<operation>.<slug>` in place of the general row, and `refuses:<slug>` likewise on an invalid one. Without one,
what a valid request holds says which row it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.api import multipart
from conformance.checks import promises
from conformance.checks.rules import Findings, Rules, came, is_id, seen
from conformance.ledger import Ledger, says_absent
from conformance.model import Exchange, Mark, Purpose, Request

RECORDED_SERVER_ERRORS = frozenset({"pipelines.infer", "models.upload-and-convert"})
"""Operations that were recorded answering 500 to bad input in 2023.4 (wrong rows; an unknown workspace)."""


def valid_is_served(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What the sender knows to be valid is answered by a success."""
    if exchange.intent == "valid" and (exchange.status is not None or exchange.response is None):
        if _is_lost(exchange, ledger):
            return
        narrow = (
            []
            if says_absent(exchange)
            else Purpose.PROMISE.words(exchange.labels) or [promises.about(exchange, ledger)]
        )
        held = [slug for slug in narrow if slug and rules.holds(f"{exchange.operation}.{slug}")]
        for slug in held or ["serves-valid-requests"]:
            yield seen(exchange, slug, exchange.ok, "a 2xx status", came(exchange))


def _is_lost(exchange: Exchange, ledger: Ledger) -> bool:
    """A deployment that status knew and now does not: the row of what status finds tells of it."""
    name = exchange.question.get("name") if isinstance(exchange.question, dict) else None
    if exchange.operation != "status.get-deployment" or exchange.status != 404 or not isinstance(name, str):
        return False
    deployment = ledger.deployment_named(name)
    return deployment is not None and deployment.confirmed


def invalid_is_refused(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What the sender knows to be invalid is not answered by a success."""
    if exchange.intent == "invalid" and (exchange.status is not None or exchange.response is None):
        refused = exchange.response is not None and not exchange.ok
        read = promises.broken_by(exchange, rules) if exchange.ok else ""
        for slug in Purpose.REFUSES.words(exchange.labels) or [read or "refuses-invalid-requests"]:
            yield seen(exchange, slug, refused, "a refusal (4xx)", came(exchange))


def bad_input_is_no_server_error(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Bad input is the client's fault and is answered so, but for the 500s that were recorded."""
    if exchange.intent == "invalid" and exchange.status is not None:
        allowed = exchange.status < 500 or (exchange.status == 500 and exchange.operation in RECORDED_SERVER_ERRORS)
        yield seen(exchange, "blames-bad-input-on-the-client", allowed, "a status below 500", came(exchange))


def described_is_no_server_error(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What is as described may be refused for a reason of the server's, but is not what it breaks on."""
    if Mark.DESCRIBED in exchange.labels and exchange.status is not None and not _is_not_ready(exchange, ledger):
        held = exchange.status < 500
        yield seen(exchange, "survives-described-requests", held, "a success or a refusal (below 500)", came(exchange))


def _is_not_ready(exchange: Exchange, ledger: Ledger) -> bool:
    """503 without a body, of a deployment that has not been seen to run: recorded, and the row of that tells of it."""
    deployment = ledger.deployment_served_by(exchange) if exchange.operation == "pipelines.infer" else None
    empty = exchange.response is not None and not exchange.response.body
    return exchange.status == 503 and empty and deployment is not None and not deployment.running


def id_is_answered(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An id that nothing can have is no reason for a failure of the server's."""
    if Mark.IMPOSSIBLE_ID in exchange.labels and exchange.status is not None:
        held = exchange.status < 500
        yield seen(exchange, "no-id-brings-it-down", held, "a success or a refusal (below 500)", came(exchange))


def code_is_the_status(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The `code` in a refusal's body is its status (recorded bodies agree with what their operations answer)."""
    answer = exchange.answer
    if (exchange.status or 0) < 400 or Mark.STATUS_INFERRED in exchange.labels or not isinstance(answer, dict):
        return
    if is_id(answer.get("code")):
        held = answer["code"] == exchange.status
        yield seen(exchange, "repeats-its-status-as-code", held, f"code {exchange.status}", answer["code"])


def success_is_documented(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A success has the status the contract documents: 202 for an upload, 200 for all else."""
    if exchange.ok and Mark.STATUS_INFERRED not in exchange.labels:
        documented = rules.success_statuses(exchange.operation or "")
        expected = "status " + " or ".join(map(str, documented))
        held = exchange.status in documented
        yield seen(exchange, "succeeds-with-its-documented-status", held, expected, f"status {exchange.status}")


def refusal_is_declared(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What is no success has a status that the document declares."""
    if exchange.status is not None and not exchange.ok and Mark.STATUS_INFERRED not in exchange.labels:
        declared = rules.declares(exchange.operation or "", exchange.status)
        yield seen(
            exchange, "refuses-with-a-declared-status", declared, "a status the document declares", came(exchange)
        )


def name_is_answered(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A request in which nothing but a name can be amiss is served or refused: no text of a name is a server error."""
    about = _NAMES.get(exchange.operation or "")
    if about is None or exchange.status in (None, 401, 403, 429) or exchange.intent == "valid":
        return
    fields = _metadata(exchange.request) if exchange.operation == "models.upload-and-convert" else exchange.question
    if not isinstance(fields, dict) or rules.validator.request_problems(exchange) or not about(fields, ledger):
        return
    served = exchange.status is not None and exchange.status < 500
    yield seen(exchange, "no-name-brings-it-down", served, "a success or a refusal (below 500)", came(exchange))


def _metadata(request: Request) -> Any:
    part = multipart.decode(request.headers.get("content-type", ""), request.body).get("metadata")
    described = Request("", "", body=part.content) if part else Request("", "")
    return described.json if described.is_json else None


def _of_create(fields: dict[str, Any], ledger: Ledger) -> bool:
    return ledger.knows_workspace(fields.get("workspace_id")) and not fields.get("definition")


def _of_copy(fields: dict[str, Any], ledger: Ledger) -> bool:
    source = fields.get("source_pipeline")
    pipeline = ledger.pipelines.get(source) if is_id(source) else None
    plain = not any(fields.get(name) for name in ("deploy", "engine_config", "pipeline_version"))
    return plain and pipeline is not None and pipeline.workspace_id == fields.get("workspace_id")


def _of_deploy(fields: dict[str, Any], ledger: Ledger) -> bool:
    version, pipeline = fields.get("pipeline_version_pk_id"), fields.get("pipeline_id")
    plain = not any(fields.get(name) for name in ("models", "model_ids", "model_configs", "engine_config"))
    return plain and is_id(version) and is_id(pipeline) and ledger.variants.get(version) == pipeline


def _of_upload(fields: dict[str, Any], ledger: Ledger) -> bool:
    return (
        ledger.knows_workspace(fields.get("workspace_id")) and fields.get("conversion", {}).get("framework") == "onnx"
    )


_NAMES: dict[str, Callable[[dict[str, Any], Ledger], bool]] = {
    "pipelines.create": _of_create,
    "pipelines.copy": _of_copy,
    "pipelines.deploy": _of_deploy,
    "models.upload-and-convert": _of_upload,
    "workspaces.create": lambda fields, ledger: True,
}
"""Operations that take a name, and whether everything else in a request of theirs is known to be good."""
