"""What the exchanges so far say exists: a fold, one exchange at a time, into an immutable value."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from rpds import HashTrieMap

from conformance.api import multipart
from conformance.api.gateway import is_gateways
from conformance.api.operations import (
    COPY,
    CREATE,
    DEPLOY,
    STATUS,
    UNDEPLOY,
    UPLOAD,
    VERSIONS,
    Kind,
    asking_of_deployments,
    deploying,
    fields_of,
    row_of,
    split_name,
)
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
from conformance.ledger.memory import Memory
from conformance.model import Exchange

_INFER_PATH = re.compile(r"/v1/api/pipelines/infer/(?P<deployment>[^/]+)/(?P<pipeline>[^/]+)/?$")


def says_absent(exchange: Exchange) -> bool:
    """Whether the answer to a request that is meant to be valid says that there is no such operation."""
    return exchange.intent == "valid" and is_of_absence(exchange.operation, exchange.status)


def is_of_absence(operation: str | None, status: int | None) -> bool:
    """Whether a status can say that there is no such operation, rather than no such thing as it was asked about."""
    return status in (404, 405, 501) and operation not in asking_of_deployments()


@dataclass(frozen=True)
class Ledger:
    """The fold. Maps are persistent: `after` costs the same however long the run. Keys are the target's own ids.

    `variants` and `uuids` lead from a pipeline version's primary key, and UUID, to its pipeline. `undeploys` counts the
    undeploys that succeeded. `absent` are operations that the target said it does not have; `born`
    is when each workspace was made, by the Date of that answer.
    """

    workspaces: HashTrieMap[int, str] = field(default_factory=HashTrieMap)
    models: HashTrieMap[int, ModelVersion] = field(default_factory=HashTrieMap)
    contents: HashTrieMap[str, bytes] = field(default_factory=HashTrieMap)
    pipelines: HashTrieMap[int, Pipeline] = field(default_factory=HashTrieMap)
    pipeline_pks: HashTrieMap[tuple[int | None, str], int] = field(default_factory=HashTrieMap)
    variants: HashTrieMap[int, int] = field(default_factory=HashTrieMap)
    uuids: HashTrieMap[str, int] = field(default_factory=HashTrieMap)
    listings: HashTrieMap[int, Listing] = field(default_factory=HashTrieMap)
    born: HashTrieMap[int, float] = field(default_factory=HashTrieMap)
    undeploys: int = 0
    deployments: HashTrieMap[int, Deployment] = field(default_factory=HashTrieMap)
    current: HashTrieMap[int, int] = field(default_factory=HashTrieMap)
    memory: Memory = field(default_factory=Memory)
    absent: frozenset[str] = frozenset()

    def after(self, exchange: Exchange) -> Ledger:
        """The ledger once this exchange is known. What an exchange does not say changes nothing."""
        if is_gateways(exchange):
            return self
        memory = self.memory.after(exchange, self.deployment_served_by(exchange), self.workspaces)
        known = self if memory is self.memory else replace(self, memory=memory)
        if says_absent(exchange):
            known = replace(known, absent=known.absent | {exchange.operation or ""})
        return known._told(exchange)

    def _told(self, exchange: Exchange) -> Ledger:
        fold = _FOLDS.get(exchange.operation or "")
        if fold is None or exchange.response is None:
            return self
        if exchange.refusable and exchange.operation not in deploying():
            return self  # what costs money counts, even where it should have been refused
        told = exchange.ok or (exchange.status is None and exchange.answer is not None)
        if not told and exchange.operation != STATUS:
            return self
        try:
            return fold(self, exchange)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError):
            return self

    def pipeline_named(self, workspace_id: object, name: object) -> Pipeline | None:
        """The pipeline of that name in that workspace, None where none was seen, or where these are no id and name."""
        if not isinstance(workspace_id, int | None) or not isinstance(name, str):
            return None
        pk = self.pipeline_pks.get((workspace_id, name))
        return None if pk is None else self.pipelines.get(pk)

    def pipeline_of_variant(self, pk: int) -> Pipeline | None:
        """The pipeline that a version belongs to, None where the version was not seen."""
        owner = self.variants.get(pk)
        return None if owner is None else self.pipelines.get(owner)

    def deployment_of(self, pipeline_pk: int) -> Deployment | None:
        """The newest deployment of a pipeline, whatever its stage; None where none was seen."""
        deployment = self.current.get(pipeline_pk)
        return None if deployment is None else self.deployments.get(deployment)

    def deployment_named(self, name: str) -> Deployment | None:
        """The deployment that status calls `name`, None where none such was seen."""
        parts = split_name(name)
        deployment = self.deployments.get(parts[1]) if parts else None
        return deployment if parts and deployment and deployment.deploy_id == parts[0] else None

    def deployment_served_by(self, exchange: Exchange) -> Deployment | None:
        """The deployment an inference was sent to, by its URL; None where none such was seen."""
        match = _INFER_PATH.search(urlsplit(exchange.request.url).path)
        return self.deployment_named(unquote(match["deployment"])) if match else None

    def model_of(self, name: str, version: str) -> ModelVersion | None:
        """The model version of that name and UUID, None where none such was seen."""
        return next((m for m in self.models.values() if m.name == name and m.version == version), None)

    def knows_workspace(self, workspace_id: object) -> bool:
        """Whether a workspace was made or listed."""
        return isinstance(workspace_id, int) and (workspace_id in self.workspaces or workspace_id in self.listings)

    def live(self) -> Iterator[Deployment]:
        """Deployments that may still run, and cost: deployed and not seen gone."""
        return (d for d in self.deployments.values() if d.stage is not Stage.GONE)


def _workspace_created(ledger: Ledger, exchange: Exchange) -> Ledger:
    workspace_id = _given(exchange, Kind.WORKSPACE)
    if workspace_id in ledger.workspaces:
        return ledger  # an id given twice: its row tells of it
    born = ledger.born if (date := _date(exchange)) is None else ledger.born.insert(workspace_id, date)
    named = ledger.workspaces.insert(workspace_id, exchange.question["workspace_name"])
    return replace(ledger, workspaces=named, born=born)


def _date(exchange: Exchange) -> float | None:
    """An answer's Date, as epoch seconds."""
    try:
        return parsedate_to_datetime(exchange.response.headers["date"]).timestamp() if exchange.response else None
    except (KeyError, TypeError, ValueError, IndexError):
        return None


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
    new = _given(exchange, Kind.MODEL)
    parts = multipart.decode(exchange.request.headers.get("content-type", ""), exchange.request.body)
    metadata = fields_of(exchange.operation, exchange.request)
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
        _given(exchange, Kind.VARIANT), answer["pipeline_variant_version"], question.get("definition")
    )
    pk, name, workspace_id = _given(exchange, Kind.PIPELINE), question["pipeline_id"], question["workspace_id"]
    known = ledger.pipelines.get(pk)
    if known is not None and (known.name, known.workspace_id) != (name, workspace_id):
        return ledger  # another pipeline's id; its row tells of it
    return _with_version(ledger, pk, name, workspace_id, version)


def _pipeline_copied(ledger: Ledger, exchange: Exchange) -> Ledger:
    answer, question = exchange.answer, exchange.question
    definition = _definition_copied(ledger.pipelines.get(question["source_pipeline"]), question.get("pipeline_version"))
    version = PipelineVersion(_given(exchange, Kind.VARIANT), "", definition)
    pk = _given(exchange, Kind.PIPELINE)
    if pk in ledger.pipelines:
        return ledger  # no pipeline of its own; its row tells of it
    after = _with_version(ledger, pk, question["name"], question["workspace_id"], version, question["source_pipeline"])
    deployment = answer.get("deployment")
    if isinstance(deployment, dict) and question.get("deploy"):
        new = _given(exchange, Kind.DEPLOYMENT)
        made = Deployment(new, question["deploy"], pk, version.pk, pipeline_name=question["name"], copied=True)
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
    new, question = _given(exchange, Kind.DEPLOYMENT), exchange.question
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
    if exchange.refusable:
        return _with_deployment(ledger, made)
    return _with_deployment(ledger, _serving(made, models or _models_asked_for(ledger, question)))


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
    if not all(sha for _, _, sha in models):
        return deployment  # an upload whose file was not kept: which model is served is not known
    names, versions, shas = zip(*models, strict=True) if models else ((), (), ())
    return replace(deployment, models=names, versions=versions, shas=shas)


def _models_asked_for(ledger: Ledger, question: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The models a deploy names itself, which serve where the pipeline's version has no steps."""
    named = tuple(reference_of(model) for model in question.get("models") or [] if isinstance(model, dict))
    uploaded = [ledger.models.get(version_id) for version_id in question.get("model_ids") or []]
    return named or tuple((model.name, model.version, model.sha) for model in uploaded if model and model.version)


def _deployed_again(ledger: Ledger, known: Deployment, variant_pk: Any) -> Ledger:
    if variant_pk == known.variant_pk:
        return ledger
    # Nothing recorded says which version a deployment serves once another one was deployed over it.
    pipeline = ledger.pipelines.get(known.pipeline_pk) if known.pipeline_pk is not None else None
    version = pipeline.version(variant_pk) if pipeline and isinstance(variant_pk, int) else None
    due = version.shas if version else ()
    unsure = replace(known, variant_pk=None, shas=(), models=(), versions=(), shown=(), due=due)
    return replace(ledger, deployments=ledger.deployments.insert(known.id, unsure))


def _undeployed(ledger: Ledger, exchange: Exchange) -> Ledger:
    question = exchange.question
    named, pipeline = question.get("deployment_id"), question.get("pipeline_id")
    if named is not None:
        ending = [one for one in (ledger.deployments.get(named),) if one and one.stage is not Stage.GONE]
    else:
        ending = [one for one in ledger.live() if one.pipeline_pk == pipeline]
    # Whether what should have been refused has ended anything is told by nothing: its status is no longer known.
    doubtful = exchange.refusable
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
        if deployment.stage is Stage.GONE:
            return ledger
        ended = deployment.stage is Stage.STOPPING
        missed = replace(deployment, missed=deployment.missed + deployment.confirmed)
        seen = replace(deployment, stage=Stage.GONE, status="") if ended else missed
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
            missed=0,
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


def _given(exchange: Exchange, kind: Kind) -> int:
    """The id of that kind that an answer gives. Raises LookupError or TypeError where it gives none."""
    ways = (at.found(exchange.answer) for at in row_of(exchange.operation).gives if at.kind is kind)
    values = [value for found in ways for _, value in found]
    return _id(values[0])


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an id is an integer")
    return value


_FOLDS: dict[str, Callable[[Ledger, Exchange], Ledger]] = {
    "workspaces.create": _workspace_created,
    "workspaces.list": _workspaces_listed,
    UPLOAD: _model_uploaded,
    VERSIONS: _versions_listed,
    CREATE: _pipeline_created,
    COPY: _pipeline_copied,
    DEPLOY: _deployed,
    UNDEPLOY: _undeployed,
    STATUS: _status_seen,
}
