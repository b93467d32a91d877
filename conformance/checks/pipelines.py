"""Relations of pipelines and their versions: names, ids, copies."""

from __future__ import annotations

import uuid
from typing import Any

from conformance.checks.rules import Findings, Rules, is_id, seen, told
from conformance.ledger import Ledger
from conformance.model import Exchange


def created(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A name keeps its pipeline and gains a version; another name, or workspace, has another (25/26, 25/27, 28/29)."""
    answer, question = _answered(exchange, "pipelines.create")
    if not answer or not is_id(answer.get("pipeline_pk_id")):
        return
    pk, name, workspace_id = answer["pipeline_pk_id"], question.get("pipeline_id"), question.get("workspace_id")
    known = ledger.pipeline_named(workspace_id, name) if isinstance(name, str) else None
    other = ledger.pipelines.get(pk)
    if known is not None:
        yield seen(exchange, "same-name-keeps-the-pipeline", pk == known.pk, f"pipeline_pk_id {known.pk} again", pk)
    elif other is not None and other.name == name and other.workspace_id != workspace_id:
        yield seen(exchange, "the-same-name-elsewhere-is-another-pipeline", False,
                   "a pipeline_pk_id of its own", f"{pk}, which workspace {other.workspace_id} has")  # fmt: skip
    elif isinstance(name, str):
        yield seen(exchange, "another-name-is-another-pipeline", other is None, "a pipeline_pk_id of its own",
                   f"{pk}, which is '{other.name if other else ''}'")  # fmt: skip
        if any(key[1] == name for key in ledger.pipeline_pks):
            yield seen(exchange, "the-same-name-elsewhere-is-another-pipeline", True, "a pipeline_pk_id of its own")
    yield from _version(exchange, ledger, answer)


def _version(exchange: Exchange, ledger: Ledger, answer: dict[str, Any]) -> Findings:
    variant, version = answer.get("pipeline_variant_pk_id"), answer.get("pipeline_variant_version")
    if is_id(variant):
        fresh = variant not in ledger.variants
        yield seen(exchange, "each-create-adds-a-version", fresh, "a pipeline_variant_pk_id not given before", variant)
    if isinstance(version, str) and is_uuid(version):
        fresh = version not in ledger.uuids
        yield seen(exchange, "each-version-has-its-own-uuid", fresh, "a version UUID not given before", version)


def copied(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A copy is a new pipeline with a version of its own, and is deployed only when asked (12 of 12 recordings)."""
    answer, question = _answered(exchange, "pipelines.copy")
    if not answer or not is_id(answer.get("pipeline_pk_id")):
        return
    pk, variant = answer["pipeline_pk_id"], answer.get("pipeline_variant_pk_id")
    name = question.get("name")
    known = ledger.pipeline_named(question.get("workspace_id"), name) if isinstance(name, str) else None
    if question.get("source_pipeline") in ledger.pipelines and known is None:
        fresh = pk not in ledger.pipelines
        yield seen(exchange, "makes-a-new-pipeline", fresh, "a pipeline_pk_id not given before", pk)
        if is_id(variant):
            new = variant not in ledger.variants
            yield seen(
                exchange, "makes-a-version-of-its-own", new, "a pipeline_variant_pk_id not given before", variant
            )
    yield from _asked_for(exchange, answer, question)


def _asked_for(exchange: Exchange, answer: dict[str, Any], question: dict[str, Any]) -> Findings:
    deployment, version = answer.get("deployment"), answer.get("pipeline_version")
    if not question.get("deploy"):
        yield seen(exchange, "deploys-only-when-asked", deployment is None, "deployment null", deployment)
    else:
        made = isinstance(deployment, dict) and is_id(deployment.get("id"))
        yield seen(exchange, "tells-the-deployment-it-was-asked-for", made, "the deployment's id", deployment)
    asked = question.get("pipeline_version")
    yield seen(exchange, "tells-the-version-it-was-asked-for", version == asked, f"pipeline_version {asked}", version)


def _answered(exchange: Exchange, operation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    answer, question = exchange.answer, exchange.question
    if told(exchange, operation) and isinstance(answer, dict) and isinstance(question, dict):
        return answer, question
    return {}, {}


def is_uuid(text: object) -> bool:
    """Whether a value is a UUID as text, hyphens and all."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
