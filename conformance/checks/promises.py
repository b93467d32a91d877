"""What a request is about: the row that promises that it is served, or refused, read off the request itself.

A refusal is told under the narrowest promise that it breaks, so that one defect breaks one row. Where the sender says
by a label what a request is about, that goes before what is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from conformance.checks.rules import Rules, is_id
from conformance.ledger import Ledger, Pipeline, Stage, models_named
from conformance.model import Exchange
from conformance.spec.problems import Kind

LONGEST_NAME = 63
"""Characters that a name may have in any case (the vendor's client refuses more)."""

_ARROW = "application/vnd.apache.arrow.file"


def about(exchange: Exchange, ledger: Ledger) -> str:
    """The slug of the row that a request is about; empty where it is about none but the general one."""
    if exchange.operation == "pipelines.infer":
        return _of_infer(exchange)
    read = _READERS.get(exchange.operation or "")
    return read(exchange.question, ledger) if read and isinstance(exchange.question, dict) else ""


_INDEX = re.compile(r"\[\d+\]")
_FORMS = ("a-text", "an-integer", "a-list")


def broken_by(exchange: Exchange, rules: Rules) -> str:
    """The slug of the row that an invalid request breaks, where one field is missing or of another type and that is all
    that is wrong; empty where more is, or where that field has no row of its own."""
    problems = [one for one in rules.validator.request_problems(exchange) if one.kind is not Kind.SECURITY]
    # That none of several forms fits says no more than what is wrong with a field of one of them.
    problems = [one for one in problems if one.keyword != "anyOf"] or problems
    if len({(one.where, one.keyword) for one in problems}) != 1:
        return ""
    field = _INDEX.sub("", problems[0].where).removeprefix("$.").replace(".", "-").replace("_", "-")
    possible = {
        "required": [f"requires-{field}"],
        "anyOf": ["requires-an-id"],
        "type": [*(f"takes-{field}-as-{form}-only" for form in _FORMS), "takes-ids-as-integers-only"],
    }.get(problems[0].keyword, [])
    return next((slug for slug in possible if rules.holds(f"{exchange.operation}.{slug}")), "")


def _of_create(question: dict[str, Any], ledger: Ledger) -> str:
    name, definition = question.get("pipeline_id"), question.get("definition")
    if not isinstance(name, str) or ledger.pipeline_named(question.get("workspace_id"), name) is not None:
        return ""
    if len(name) == LONGEST_NAME:
        return "takes-names-of-63-characters"
    if models_named(definition):
        return "takes-model-steps"
    return "takes-an-empty-definition" if definition == {} else ""


def _of_deploy(question: dict[str, Any], ledger: Ledger) -> str:
    if question.get("engine_config") is not None:
        return "takes-an-engine-config"
    pk, variant = question.get("pipeline_id"), question.get("pipeline_version_pk_id")
    pipeline = ledger.pipelines.get(pk) if is_id(pk) else None
    if pipeline is None:
        return ""
    if is_id(variant) and any(version.pk > variant for version in pipeline.versions):
        return "takes-an-older-version"
    current = ledger.deployment_of(pipeline.pk)
    if current is not None:
        return "" if current.stage is Stage.DEPLOYED else "takes-what-was-undeployed"
    return "takes-a-copy" if pipeline.source is not None else _by_form(question, pipeline)


def _by_form(question: dict[str, Any], pipeline: Pipeline) -> str:
    given = [field for field in ("models", "model_ids", "model_configs") if question.get(field)]
    if given:
        return f"takes-{given[0].replace('_', '-')}"
    return "" if any(version.shas for version in pipeline.versions) else "takes-an-empty-pipeline"


def _of_copy(question: dict[str, Any], ledger: Ledger) -> str:
    for field, slug in (
        ("deploy", "takes-a-deployment-to-make"),
        ("engine_config", "takes-an-engine-config"),
        ("pipeline_version", "takes-a-version-to-copy"),
    ):
        if question.get(field) is not None:
            return slug
    source = question.get("source_pipeline")
    pipeline = ledger.pipelines.get(source) if is_id(source) else None
    return "takes-a-copy" if pipeline is not None and pipeline.source is not None else ""


def _of_undeploy(question: dict[str, Any], ledger: Ledger) -> str:
    named = [field for field in ("pipeline_id", "deployment_id") if question.get(field) is not None]
    return f"takes-the-{named[0].replace('_', '-')}-alone" if len(named) == 1 else ""


def _of_infer(exchange: Exchange) -> str:
    """Rows in one form, answered in the same or in whatever the service likes."""
    sent, accepted = exchange.request.media_type, exchange.request.headers.get("accept", "*/*").split(";")[0].strip()
    if accepted not in ("*/*", sent):
        return ""
    return {"application/json": "takes-pandas-records", _ARROW: "takes-arrow-files"}.get(sent, "")


_READERS: dict[str, Callable[[dict[str, Any], Ledger], str]] = {
    "pipelines.create": _of_create,
    "pipelines.deploy": _of_deploy,
    "pipelines.copy": _of_copy,
    "pipelines.undeploy": _of_undeploy,
}
