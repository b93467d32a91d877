"""How one exchange of an operation changes a ledger: a function for each operation that says what exists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.api import multipart
from conformance.ledger.entries import (
    Deployment,
    Listing,
    ModelVersion,
    Pipeline,
    PipelineVersion,
    Stage,
    models_named,
    reference_of,
)
from conformance.model import Exchange

if TYPE_CHECKING:
    from conformance.ledger.ledger import Ledger


def _workspace_created(ledger: Ledger, exchange: Exchange) -> Ledger:
    workspace_id = _id(exchange.answer["workspace_id"])
    if workspace_id in ledger.workspaces:
        return ledger  # an id given twice: its row tells of it
    return replace(ledger, workspaces=ledger.workspaces.insert(workspace_id, exchange.question["workspace_name"]))


def _workspaces_listed(ledger: Ledger, exchange: Exchange) -> Ledger:
    listings = ledger.listings
    for row in exchange.answer["workspaces"]:
        if isinstance(row, dict):
            inside = [
                frozenset(one for one in row.get(key) or () if isinstance(one, int)) for key in ("models", "pipelines")
            ]
            listings = listings.insert(_id(row["id"]), Listing(inside[0], inside[1]))
    return replace(ledger, listings=listings)


def _model_uploaded(ledger: Ledger, exchange: Exchange) -> Ledger:
    new = _id(exchange.answer["insert_models"]["returning"][0]["models"][0]["id"])
    parts = multipart.decode(exchange.request.headers.get("content-type", ""), exchange.request.body)
    metadata = json.loads(parts["metadata"].content)
    content = parts["file"].content if "file" in parts else b""
    sha = hashlib.sha256(content).hexdigest() if content else ""
    if new in ledger.models:
        return ledger  # an id given twice: what was first uploaded under it is what it is held to
    model = ModelVersion(new, metadata["name"], metadata.get("workspace_id"), sha, content)
    contents = ledger.contents.insert(sha, content) if sha else ledger.contents
    return replace(ledger, models=ledger.models.insert(new, model), contents=contents)


def _versions_listed(ledger: Ledger, exchange: Exchange) -> Ledger:
    models = ledger.models
    for row in exchange.answer:
        known = models.get(row.get("id"))
        if known is not None and not known.version:
            models = models.insert(known.id, replace(known, version=row["model_version"], pk=row["models_pk_id"]))
    return replace(ledger, models=models)


def _pipeline_created(ledger: Ledger, exchange: Exchange) -> Ledger:
    answer, question = exchange.answer, exchange.question
    version = PipelineVersion(
        _id(answer["pipeline_variant_pk_id"]), answer["pipeline_variant_version"], question.get("definition")
    )
    pk, name, workspace_id = _id(answer["pipeline_pk_id"]), question["pipeline_id"], question["workspace_id"]
    known = ledger.pipelines.get(pk)
    if known is not None and (known.name, known.workspace_id) != (name, workspace_id):
        return ledger  # another pipeline's id; its row tells of it
    return _with_version(ledger, pk, name, workspace_id, version)


def _pipeline_copied(ledger: Ledger, exchange: Exchange) -> Ledger:
    answer, question = exchange.answer, exchange.question
    definition = _definition_copied(ledger.pipelines.get(question["source_pipeline"]), question.get("pipeline_version"))
    version = PipelineVersion(_id(answer["pipeline_variant_pk_id"]), "", definition)
    pk = _id(answer["pipeline_pk_id"])
    if pk in ledger.pipelines:
        return ledger  # no pipeline of its own; its row tells of it
    after = _with_version(ledger, pk, question["name"], question["workspace_id"], version, question["source_pipeline"])
    deployment = answer.get("deployment")
    if isinstance(deployment, dict) and question.get("deploy"):
        made = Deployment(
            _id(deployment["id"]), question["deploy"], pk, version.pk, pipeline_name=question["name"], copied=True
        )
        after = _with_deployment(after, _serving(made, models_named(version.definition)))
    return after


def _definition_copied(source: Pipeline | None, wanted: str | None) -> Any:
    """The definition a copy has; None where the versions differ, and which is copied is not recorded."""
    versions = source.versions if source else ()
    if wanted:
        versions = tuple(version for version in versions if version.version == wanted)
    return versions[-1].definition if len({version.shas for version in versions}) == 1 else None


def _with_version(
    ledger: Ledger, pk: int, name: str, workspace_id: int | None, version: PipelineVersion, source: int | None = None
) -> Ledger:
    known = ledger.pipelines.get(pk)
    if known is None:
        pipeline = Pipeline(pk, name, workspace_id, (version,), source)
    else:
        pipeline = replace(known, versions=(*known.versions, version))
    return replace(
        ledger,
        uuids=ledger.uuids.insert(version.version, pk) if version.version else ledger.uuids,
        pipelines=ledger.pipelines.insert(pk, pipeline),
        pipeline_pks=ledger.pipeline_pks.insert((workspace_id, name), pk),
        variants=ledger.variants.insert(version.pk, pk),
    )


def _with_deployment(ledger: Ledger, deployment: Deployment) -> Ledger:
    after = replace(ledger, deployments=ledger.deployments.insert(deployment.id, deployment))
    if deployment.pipeline_pk is None:
        return after
    return replace(after, current=after.current.insert(deployment.pipeline_pk, deployment.id))


def _deployed(ledger: Ledger, exchange: Exchange) -> Ledger:
    new, question = _id(exchange.answer["id"]), exchange.question
    known = ledger.deployments.get(new)
    pk, variant_pk = _version_asked_for(ledger, question)
    if known is not None and None not in (known.pipeline_pk, pk) and known.pipeline_pk != pk:
        return ledger  # another deployment's id; its row tells of it
    if known is not None and known.stage is Stage.DEPLOYED:
        return _deployed_again(ledger, known, variant_pk)
    pipeline = ledger.pipelines.get(pk) if isinstance(pk, int) else None
    variant = pipeline.version(variant_pk) if pipeline and isinstance(variant_pk, int) else None
    made = Deployment(new, question["deploy_id"], pk, variant_pk, pipeline_name=pipeline.name if pipeline else "")
    models = models_named(variant.definition) if variant else ()
    if exchange.intent == "invalid":
        return _with_deployment(ledger, made)
    return _with_deployment(ledger, _serving(made, models or _given(ledger, question)))


def _version_asked_for(ledger: Ledger, question: dict[str, Any]) -> tuple[Any, Any]:
    """Primary keys of the pipeline and the version a deploy names; a later release lets a UUID stand for both."""
    pk, variant_pk = question.get("pipeline_id"), question.get("pipeline_version_pk_id")
    uuid = question.get("pipeline_version")
    if pk is None and isinstance(variant_pk, int):
        pk = ledger.variants.get(variant_pk)
    if pk is None and isinstance(uuid, str):
        pk = ledger.uuids.get(uuid)
    pipeline = ledger.pipelines.get(pk) if isinstance(pk, int) else None
    if variant_pk is None and isinstance(uuid, str) and pipeline is not None:
        variant_pk = next((version.pk for version in pipeline.versions if version.version == uuid), None)
    return pk, variant_pk


def _serving(deployment: Deployment, models: tuple[tuple[str, str, str], ...]) -> Deployment:
    names, versions, shas = zip(*models, strict=True) if models else ((), (), ())
    return replace(deployment, models=names, versions=versions, shas=shas)


def _given(ledger: Ledger, question: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The models a deploy names itself, which serve where the pipeline's version has no steps."""
    named = tuple(reference_of(model) for model in question.get("models") or [] if isinstance(model, dict))
    uploaded = [ledger.models.get(version_id) for version_id in question.get("model_ids") or []]
    return named or tuple((model.name, model.version, model.sha) for model in uploaded if model and model.version)


def _deployed_again(ledger: Ledger, known: Deployment, variant_pk: Any) -> Ledger:
    if variant_pk == known.variant_pk:
        return ledger
    # Nothing recorded says which version a deployment serves once another one was deployed over it.
    unsure = replace(known, variant_pk=None, shas=(), models=(), versions=(), shown=())
    return replace(ledger, deployments=ledger.deployments.insert(known.id, unsure))


def _undeployed(ledger: Ledger, exchange: Exchange) -> Ledger:
    question = exchange.question
    named, pipeline = question.get("deployment_id"), question.get("pipeline_id")
    if named is not None:
        ending = [one for one in (ledger.deployments.get(named),) if one and one.stage is not Stage.GONE]
    else:
        ending = [one for one in ledger.live() if one.pipeline_pk == pipeline]
    # Whether what should have been refused has ended anything is told by nothing: its status is no longer known.
    doubtful = exchange.intent == "invalid"
    deployments = ledger.deployments
    for one in ending:
        after = replace(one, confirmed=False) if doubtful else replace(one, stage=Stage.STOPPING)
        deployments = deployments.insert(one.id, after)
    return replace(ledger, undeploys=ledger.undeploys + 1, deployments=deployments)


def _status_seen(ledger: Ledger, exchange: Exchange) -> Ledger:
    deployment = ledger.deployment_named(exchange.question.get("name", ""))
    if deployment is None:
        return ledger
    if exchange.status == 404:
        if deployment.stage is not Stage.STOPPING:
            return ledger
        seen = replace(deployment, stage=Stage.GONE, status="")
    elif exchange.ok or exchange.status is None:
        answer = exchange.answer
        engines = {engine["name"] for engine in answer.get("engines") or [] if isinstance(engine.get("name"), str)}
        running = answer["status"] == "Running"
        seen = replace(
            deployment,
            engines=deployment.engines | engines,
            status=answer["status"],
            confirmed=True,
            undeploys=ledger.undeploys,
            running=deployment.running or running,
            shown=_shas_shown(answer) if running else deployment.shown,
        )
    else:
        return ledger
    return replace(ledger, deployments=ledger.deployments.insert(deployment.id, seen))


def _shas_shown(answer: dict[str, Any]) -> tuple[str, ...]:
    groups = [engine.get("model_statuses") for engine in answer["engines"] or []]
    rows = [row for group in groups if isinstance(group, dict) for row in group.get("models") or []]
    return tuple(dict.fromkeys(row["sha"] for row in rows if isinstance(row, dict) and isinstance(row.get("sha"), str)))


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an id is an integer")
    return value


FOLDS: dict[str, Callable[[Ledger, Exchange], Ledger]] = {
    "workspaces.create": _workspace_created,
    "workspaces.list": _workspaces_listed,
    "models.upload-and-convert": _model_uploaded,
    "models.list-versions": _versions_listed,
    "pipelines.create": _pipeline_created,
    "pipelines.copy": _pipeline_copied,
    "pipelines.deploy": _deployed,
    "pipelines.undeploy": _undeployed,
    "status.get-deployment": _status_seen,
}
