"""What the exchanges so far say exists: a fold, one exchange at a time, into an immutable value."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from rpds import HashTrieMap

from conformance import multipart
from conformance.memory import Memory
from conformance.model import Exchange

_DEPLOYMENT = re.compile(r"^(?P<deploy_id>.*)-(?P<id>\d+)$", re.DOTALL)
_INFER_PATH = re.compile(r"/v1/api/pipelines/infer/(?P<deployment>[^/]+)/(?P<pipeline>[^/]+)/?$")


class Stage(StrEnum):
    """Where a deployment stands, as far as the exchanges say."""

    DEPLOYED = "deployed"
    STOPPING = "stopping"
    GONE = "gone"


@dataclass(frozen=True)
class ModelVersion:
    """One uploaded version of a model. `sha` is of the bytes we sent; `version` (a UUID) and `pk` are learned later."""

    id: int
    name: str
    workspace_id: int | None
    sha: str = ""
    content: bytes = field(default=b"", repr=False)
    version: str = ""
    pk: int | None = None


@dataclass(frozen=True)
class PipelineVersion:
    """One version of a pipeline: the variant's primary key, its UUID (empty where untold) and its definition."""

    pk: int
    version: str
    definition: Any


@dataclass(frozen=True)
class Pipeline:
    """A pipeline the target acknowledged. `source` is the pipeline it was copied from."""

    pk: int
    name: str
    workspace_id: int | None
    versions: tuple[PipelineVersion, ...]
    source: int | None = None

    def version(self, pk: int) -> PipelineVersion | None:
        """The version with that primary key, None where it was not seen."""
        return next((version for version in self.versions if version.pk == pk), None)


@dataclass(frozen=True)
class Deployment:
    """A deployment the target acknowledged. `shas` are of the models it serves, empty where unknown.

    `engines` are the names of engines any status has listed; `confirmed` says that a status of 200 was seen.
    """

    id: int
    deploy_id: str
    pipeline_pk: int | None
    variant_pk: int | None
    stage: Stage = Stage.DEPLOYED
    shas: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    engines: frozenset[str] = frozenset()
    status: str = ""
    confirmed: bool = False
    running: bool = False
    pipeline_name: str = ""

    @property
    def name(self) -> str:
        """`{deploy_id}-{deployment id}`, as status and inference call it (the vendor's client builds it so)."""
        return f"{self.deploy_id}-{self.id}"


@dataclass(frozen=True)
class Ledger:
    """The fold. Maps are persistent: `after` costs the same however long the run. Keys are the target's own ids."""

    workspaces: HashTrieMap[int, str] = field(default_factory=HashTrieMap)
    models: HashTrieMap[int, ModelVersion] = field(default_factory=HashTrieMap)
    contents: HashTrieMap[str, bytes] = field(default_factory=HashTrieMap)
    pipelines: HashTrieMap[int, Pipeline] = field(default_factory=HashTrieMap)
    pipeline_pks: HashTrieMap[tuple[int | None, str], int] = field(default_factory=HashTrieMap)
    variants: HashTrieMap[int, int] = field(default_factory=HashTrieMap)
    deployments: HashTrieMap[int, Deployment] = field(default_factory=HashTrieMap)
    current: HashTrieMap[int, int] = field(default_factory=HashTrieMap)
    memory: Memory = field(default_factory=Memory)

    def after(self, exchange: Exchange) -> Ledger:
        """The ledger once this exchange is known. What an exchange does not say changes nothing."""
        memory = self.memory.after(exchange, self)
        known = self if memory is self.memory else replace(self, memory=memory)
        return known._told(exchange)

    def _told(self, exchange: Exchange) -> Ledger:
        fold = _FOLDS.get(exchange.operation or "")
        if fold is None or exchange.response is None:
            return self
        told = exchange.ok or (exchange.status is None and exchange.answer is not None)
        if not told and exchange.operation != "status.get-deployment":
            return self
        try:
            return fold(self, exchange)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError):
            return self

    def pipeline_named(self, workspace_id: int | None, name: str) -> Pipeline | None:
        """The pipeline of that name in that workspace, None where none was seen."""
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
        match = _DEPLOYMENT.match(name) if isinstance(name, str) else None
        deployment = self.deployments.get(int(match["id"])) if match and len(match["id"]) < 19 else None
        return deployment if deployment and deployment.deploy_id == match["deploy_id"] else None  # type: ignore[index]

    def deployment_served_by(self, exchange: Exchange) -> Deployment | None:
        """The deployment an inference was sent to, by its URL; None where none such was seen."""
        match = _INFER_PATH.search(urlsplit(exchange.request.url).path)
        return self.deployment_named(unquote(match["deployment"])) if match else None

    def model_of(self, name: str, version: str) -> ModelVersion | None:
        """The model version of that name and UUID, None where none such was seen."""
        return next((m for m in self.models.values() if m.name == name and m.version == version), None)

    def live(self) -> Iterator[Deployment]:
        """Deployments that may still run, and cost: deployed and not seen gone."""
        return (d for d in self.deployments.values() if d.stage is not Stage.GONE)


def models_named(definition: Any) -> tuple[tuple[str, str, str], ...]:
    """(name, version, sha) of each model in a pipeline's definition or a deploy's `models`, in order."""
    found: list[Any] = []
    steps = definition.get("steps", []) if isinstance(definition, dict) else []
    for step in steps if isinstance(steps, list) else []:
        inference = step.get("ModelInference") if isinstance(step, dict) else None
        found += inference.get("models", []) if isinstance(inference, dict) else []
    return tuple(_reference(model) for model in found if isinstance(model, dict))


def _reference(model: dict[str, Any]) -> tuple[str, str, str]:
    return (str(model.get("name", "")), str(model.get("version", "")), str(model.get("sha", "")))


def _workspace_created(ledger: Ledger, exchange: Exchange) -> Ledger:
    workspace_id = _id(exchange.answer["workspace_id"])
    return replace(ledger, workspaces=ledger.workspaces.insert(workspace_id, exchange.question["workspace_name"]))


def _model_uploaded(ledger: Ledger, exchange: Exchange) -> Ledger:
    new = _id(exchange.answer["insert_models"]["returning"][0]["models"][0]["id"])
    parts = multipart.decode(exchange.request.headers.get("content-type", ""), exchange.request.body)
    metadata = json.loads(parts["metadata"].content)
    content = parts["file"].content if "file" in parts else b""
    sha = hashlib.sha256(content).hexdigest() if content else ""
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
    return _with_version(
        ledger, _id(answer["pipeline_pk_id"]), question["pipeline_id"], question["workspace_id"], version
    )


def _pipeline_copied(ledger: Ledger, exchange: Exchange) -> Ledger:
    answer, question = exchange.answer, exchange.question
    source = ledger.pipelines.get(question["source_pipeline"])
    wanted = question.get("pipeline_version")
    versions = source.versions if source else ()
    copied = next((v for v in versions if wanted and v.version == wanted), versions[-1] if versions else None)
    version = PipelineVersion(_id(answer["pipeline_variant_pk_id"]), "", copied.definition if copied else None)
    pk = _id(answer["pipeline_pk_id"])
    after = _with_version(ledger, pk, question["name"], question["workspace_id"], version, question["source_pipeline"])
    deployment = answer.get("deployment")
    if isinstance(deployment, dict) and question.get("deploy"):
        made = Deployment(
            _id(deployment["id"]), question["deploy"], pk, version.pk, pipeline_name=question["name"],
            models=tuple(name for name, _, _ in models_named(version.definition)),
            shas=tuple(sha for _, _, sha in models_named(version.definition)),
        )  # fmt: skip
        after = _with_deployment(after, made)
    return after


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
    if known is not None and known.stage is Stage.DEPLOYED:
        return _deployed_again(ledger, known, question.get("pipeline_version_pk_id"))
    pk = question.get("pipeline_id")
    pipeline = ledger.pipelines.get(pk) if isinstance(pk, int) else None
    variant_pk = question.get("pipeline_version_pk_id")
    variant = pipeline.version(variant_pk) if pipeline and isinstance(variant_pk, int) else None
    models = models_named(variant.definition) if variant else ()
    models = models or tuple(_reference(model) for model in question.get("models") or [] if isinstance(model, dict))
    return _with_deployment(
        ledger,
        Deployment(
            new, question["deploy_id"], pk, variant_pk,
            shas=tuple(sha for _, _, sha in models), models=tuple(name for name, _, _ in models),
            pipeline_name=pipeline.name if pipeline else "",
        ),
    )  # fmt: skip


def _deployed_again(ledger: Ledger, known: Deployment, variant_pk: Any) -> Ledger:
    if variant_pk == known.variant_pk:
        return ledger
    # Nothing recorded says which version a deployment serves once another one was deployed over it.
    unsure = replace(known, variant_pk=None, shas=(), models=())
    return replace(ledger, deployments=ledger.deployments.insert(known.id, unsure))


def _undeployed(ledger: Ledger, exchange: Exchange) -> Ledger:
    question = exchange.question
    deployment = ledger.deployments.get(question.get("deployment_id"))
    if deployment is None and question.get("deployment_id") is None and question.get("pipeline_id") is not None:
        deployment = ledger.deployment_of(question["pipeline_id"])
    if deployment is None or deployment.stage is Stage.GONE:
        return ledger
    stopping = replace(deployment, stage=Stage.STOPPING)
    return replace(ledger, deployments=ledger.deployments.insert(deployment.id, stopping))


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
        running = deployment.running or answer["status"] == "Running"
        seen = replace(
            deployment,
            engines=deployment.engines | engines,
            status=answer["status"],
            confirmed=True,
            running=running,
        )
    else:
        return ledger
    return replace(ledger, deployments=ledger.deployments.insert(deployment.id, seen))


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an id is an integer")
    return value


_FOLDS: dict[str, Callable[[Ledger, Exchange], Ledger]] = {
    "workspaces.create": _workspace_created,
    "models.upload-and-convert": _model_uploaded,
    "models.list-versions": _versions_listed,
    "pipelines.create": _pipeline_created,
    "pipelines.copy": _pipeline_copied,
    "pipelines.deploy": _deployed,
    "pipelines.undeploy": _undeployed,
    "status.get-deployment": _status_seen,
}
