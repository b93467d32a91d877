"""Relations of pipelines and their versions: names, ids, copies."""

from __future__ import annotations

import uuid
from typing import Any

from conformance.checks.rules import Findings, Rules, is_id, seen
from conformance.ledger import Ledger
from conformance.model import Exchange


def created(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A name keeps its pipeline and gains a version; another name is another pipeline (recorded: 25/26, 25/27, 28/29)."""
    answer, question = _answered(exchange, "pipelines.create")
    if not answer or not is_id(answer.get("pipeline_pk_id")):
        return
    pk, name = answer["pipeline_pk_id"], question.get("pipeline_id")
    known = ledger.pipeline_named(question.get("workspace_id"), name) if isinstance(name, str) else None
    if known is not None:
        yield seen(exchange, "same-name-keeps-the-pipeline", pk == known.pk, f"pipeline_pk_id {known.pk} again", pk)
    elif isinstance(name, str):
        other = ledger.pipelines.get(pk)
        yield seen(exchange, "another-name-is-another-pipeline", other is None, "a pipeline_pk_id of its own",
                   f"{pk}, which is '{other.name if other else ''}'")  # fmt: skip
    yield from _version(exchange, ledger, answer)


def _version(exchange: Exchange, ledger: Ledger, answer: dict[str, Any]) -> Findings:
    variant, version = answer.get("pipeline_variant_pk_id"), answer.get("pipeline_variant_version")
    if is_id(variant):
        fresh = variant not in ledger.variants
        yield seen(exchange, "each-create-adds-a-version", fresh, "a pipeline_variant_pk_id not given before", variant)
    if isinstance(version, str) and _is_uuid(version):
        given = any(v.version == version for p in ledger.pipelines.values() for v in p.versions)
        yield seen(exchange, "each-version-has-its-own-uuid", not given, "a version UUID not given before", version)


def copied(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A copy is a new pipeline with a version of its own, and is deployed only when asked (12 of 12 recordings)."""
    answer, question = _answered(exchange, "pipelines.copy")
    if not answer or not is_id(answer.get("pipeline_pk_id")):
        return
    pk, variant = answer["pipeline_pk_id"], answer.get("pipeline_variant_pk_id")
    source = question.get("source_pipeline")
    known = ledger.pipeline_named(question.get("workspace_id"), question.get("name", ""))
    if source in ledger.pipelines and known is None:
        yield seen(
            exchange, "makes-a-new-pipeline", pk not in ledger.pipelines, "a pipeline_pk_id not given before", pk
        )
        if is_id(variant):
            fresh = variant not in ledger.variants
            yield seen(
                exchange, "makes-a-version-of-its-own", fresh, "a pipeline_variant_pk_id not given before", variant
            )
    if not question.get("deploy"):
        deployment = answer.get("deployment")
        yield seen(exchange, "deploys-only-when-asked", deployment is None, "deployment null", deployment)


def _answered(exchange: Exchange, operation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    answer, question = exchange.answer, exchange.question
    told = exchange.operation == operation and (exchange.ok or exchange.status is None)
    if told and isinstance(answer, dict) and isinstance(question, dict):
        return answer, question
    return {}, {}


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
