"""The deployments of the lifecycle, written out: how each is made, and how it ends. A live target is asked for six."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.api.client import (
    ApiError,
    ModelReference,
    PipelineClient,
    PipelineVersionCreated,
    Reply,
    infer_path,
    steps_of,
)
from conformance.model import Mark, Purpose
from conformance.run.session import Session
from conformance.suites.model import Model

MOST_ON_LIVE = 8
"""Deployments that a run makes of a live target at most, whatever it finds."""

ENGINE_CONFIG = {"engine": {"cpu": 1, "resources": {"limits": {"cpu": 1, "memory": "512Mi"}}}}
"""An engine configuration in the form the vendor's SDK writes."""


@dataclass(frozen=True)
class Uploads:
    """The models of the lifecycle: two versions of one name, which compute different things, and the ids uploaded."""

    first: ModelReference
    first_id: int
    second: ModelReference
    second_id: int


def reference_of(client: PipelineClient, name: str, version_id: int) -> ModelReference:
    """How to name an uploaded version. Raises ApiError where list_versions does not show it."""
    reply = client.list_model_versions(model_id=name)
    for row in reply.value:
        if isinstance(row, dict) and row.get("id") == version_id:
            version, sha = row.get("model_version"), row.get("sha")
            if isinstance(version, str) and isinstance(sha, str):
                return ModelReference(name, version, sha)
    raise ApiError(f"list_versions of {name} does not name the uploaded version {version_id}.", reply.exchange)


@dataclass(frozen=True)
class Setup:
    """What deployments stand on: where they are made, under which names, with which models, and whether by copying."""

    session: Session
    client: PipelineClient
    workspace_id: int
    named: Callable[[str], str]
    uploads: Uploads
    model: Model
    copies: bool = True

    def created(self, reply: Reply[PipelineVersionCreated], name: str) -> PipelineVersionCreated:
        """A pipeline that is its own. Raises ApiError where its id is another's, which its row tells of."""
        known = self.session.ledger.pipelines.get(reply.value.pipeline_pk_id)
        if known is not None and known.name != name:
            raise ApiError(f"{name} has the id of {known.name}, so it cannot be tested further.", reply.exchange)
        return reply.value

    def deployed(self, reply: Reply[int], pipeline: PipelineVersionCreated) -> int:
        """A deployment that is its own. Raises ApiError where its id is another's, which its row tells of."""
        known = self.session.ledger.deployments.get(reply.value)
        if known is not None and known.pipeline_pk != pipeline.pipeline_pk_id:
            raise ApiError(
                "The deployment has the id of another deployment, so it cannot be tested further.", reply.exchange
            )
        return reply.value

    def promising(self, slug: str) -> PipelineClient:
        """A client whose requests are judged under that row of their operation."""
        return self.client.meaning("valid", Purpose.PROMISE.of(slug))


@dataclass(frozen=True)
class Running:
    """A deployment: its pipeline's name and ids, its own id, its name for status, and where to infer."""

    pipeline_name: str
    pipeline: PipelineVersionCreated
    deployment_id: int
    name: str
    url: str = ""


@dataclass(frozen=True)
class Planned:
    """One deployment: how it is made, how it is undeployed, whether a live target is asked for it, and by copying.

    `after` is the deployment that asks for less: where that was refused, this would only be refused for the same.
    """

    key: str
    make: Callable[[Setup], Running]
    undeploy: Callable[[PipelineClient, Running], Reply[None]]
    live: bool = True
    after: str = ""
    copying: bool = False


def _by_models(setup: Setup) -> Running:
    """By models, as the tutorial does; and asked at once, before it can run."""
    name, promising = setup.named("pipeline"), setup.promising("takes-models")
    created = setup.created(
        setup.promising("takes-model-steps").create_pipeline(
            name, setup.workspace_id, steps_of(setup.uploads.first)
        ), name,
    )  # fmt: skip
    made = setup.deployed(promising.deploy(name, created, models=[setup.uploads.first]), created)
    asking = setup.client.meaning("", Mark.BEFORE_RUNNING)
    asking.infer(infer_path(f"{name}-{made}", name), setup.model.column, [setup.model.tutorial_row()])
    return Running(name, created, made, f"{name}-{made}")


def _by_model_ids(setup: Setup) -> Running:
    """By ids of model versions, under a deploy_id unlike the pipeline's name where the instance takes one; and again
    once a newer version exists, which changes nothing (recorded)."""
    name, other = setup.named("by-ids"), setup.named("by-ids-elsewise")
    older = setup.created(setup.client.create_pipeline(name, setup.workspace_id, steps_of(setup.uploads.second)), name)
    asking = setup.client.meaning("", Purpose.READING.of("takes-a-deploy-id-unlike-the-name"))
    given: dict[str, Any] = {"model_ids": [setup.uploads.second_id]}
    deploy_id = other if asking.deploy(other, older, **given).ok else name
    made = setup.deployed(setup.promising("takes-model-ids").deploy(deploy_id, older, **given), older)
    if setup.client.create_pipeline(name, setup.workspace_id, steps_of(setup.uploads.first)).ok:
        setup.promising("takes-an-older-version").deploy(deploy_id, older, **given)
    return Running(name, older, made, f"{deploy_id}-{made}")


def _by_model_configs(setup: Setup) -> Running:
    """By ids of model configs, which the emulated instance has one of for each version, under the version's id."""
    name = setup.named("by-configs")
    created = setup.created(setup.client.create_pipeline(name, setup.workspace_id, steps_of(setup.uploads.first)), name)
    promising = setup.promising("takes-model-configs")
    made = setup.deployed(promising.deploy(name, created, model_configs=[setup.uploads.first_id]), created)
    return Running(name, created, made, f"{name}-{made}")


def _empty(setup: Setup) -> Running:
    """Of a pipeline without steps."""
    name = setup.named("empty-deployed")
    promising = setup.promising("takes-an-empty-definition")
    created = setup.created(promising.create_pipeline(name, setup.workspace_id, {}), name)
    made = setup.deployed(setup.promising("takes-an-empty-pipeline").deploy(name, created), created)
    return Running(name, created, made, f"{name}-{made}")


def _beside(setup: Setup) -> Running:
    """Of a copy of a given version, or where nothing is copied of a pipeline; then with an engine_config, which leaves
    it the same deployment (recorded)."""
    name, pipeline, slug = _copied(setup) if setup.copies else _plain(setup)
    models = [setup.uploads.first]
    made = setup.deployed(setup.promising(slug).deploy(name, pipeline, models=models), pipeline)
    setup.promising("takes-an-engine-config").deploy(name, pipeline, models=models, engine_config=ENGINE_CONFIG)
    return Running(name, pipeline, made, f"{name}-{made}")


def _plain(setup: Setup) -> tuple[str, PipelineVersionCreated, str]:
    """A pipeline's name, its version, and the row under which it is deployed."""
    name = setup.named("beside")
    reply = setup.client.create_pipeline(name, setup.workspace_id, steps_of(setup.uploads.first))
    return name, setup.created(reply, name), "takes-models"


def _copied(setup: Setup) -> tuple[str, PipelineVersionCreated, str]:
    """The same of a copy of a given version: of the first deployment's pipeline."""
    source = _first(setup)
    name, promising = setup.named("copy"), setup.promising("takes-a-version-to-copy")
    reply = promising.copy_pipeline(name, setup.workspace_id, source.pipeline_pk_id, pipeline_version=source.version)
    return name, _own(reply, source), "takes-a-copy"


def _first(setup: Setup) -> PipelineVersionCreated:
    """The pipeline of the first deployment, which is made before whatever is copied from it."""
    known = setup.session.ledger.pipeline_named(setup.workspace_id, setup.named("pipeline"))
    assert known is not None
    version = known.versions[0]
    return PipelineVersionCreated(known.pk, version.pk, version.version)


def _copied_and_deployed(setup: Setup) -> Running:
    """Of a copy of a copy, deployed by the copying itself, or where that deploys nothing, after it."""
    client = setup.client
    source, newer = _source(setup, setup.named("source-of-copies"))
    first_copy = client.copy_pipeline(
        setup.named("copy-between"), setup.workspace_id, source.pipeline_pk_id, pipeline_version=newer.version
    )
    between = _own(first_copy, source)
    name = setup.named("copy-of-copy")
    promising = setup.promising("takes-a-copy")
    promising.copy_pipeline(setup.named("copy-of-copy-idle"), setup.workspace_id, between.pipeline_pk_id).value  # noqa: B018
    reply = setup.promising("takes-a-deployment-to-make").copy_pipeline(
        name, setup.workspace_id, between.pipeline_pk_id, deploy=name
    )
    copied = _own(reply, source, between)
    made = copied.deployment_id
    if made is None:
        made = setup.deployed(promising.deploy(name, copied, models=[setup.uploads.second]), copied)
    return Running(name, copied, made, f"{name}-{made}")


def _source(setup: Setup, name: str) -> tuple[PipelineVersionCreated, PipelineVersionCreated]:
    """A pipeline to copy from: its first version, with the first model, and its second, with the second.

    Raises ApiError where these are not two versions of one pipeline, each with a UUID: their rows tell of it.
    """
    replies = [
        setup.client.create_pipeline(name, setup.workspace_id, steps_of(model))
        for model in (setup.uploads.first, setup.uploads.second)
    ]
    first, second = (setup.created(reply, name) for reply in replies)
    if first.pipeline_pk_id != second.pipeline_pk_id or not first.version or not second.version:
        raise ApiError("A version to copy cannot be named by its pipeline and UUID.", replies[1].exchange)
    return first, second


def _own(copied: Reply[PipelineVersionCreated], *others: PipelineVersionCreated) -> PipelineVersionCreated:
    """A copy that is a pipeline of its own; raises ApiError for one that goes by another's id."""
    if copied.value.pipeline_pk_id in {other.pipeline_pk_id for other in others}:
        raise ApiError("The copy has its source's pipeline_pk_id, so it cannot be tested further.", copied.exchange)
    return copied.value


def _both(client: PipelineClient, running: Running) -> Reply[None]:
    return client.undeploy(pipeline_id=running.pipeline.pipeline_pk_id, deployment_id=running.deployment_id)


def _deployment_alone(client: PipelineClient, running: Running) -> Reply[None]:
    promising = client.meaning("valid", Purpose.PROMISE.of("takes-the-deployment-id-alone"))
    return promising.undeploy(deployment_id=running.deployment_id)


def _pipeline_alone(client: PipelineClient, running: Running) -> Reply[None]:
    promising = client.meaning("valid", Purpose.PROMISE.of("takes-the-pipeline-id-alone"))
    return promising.undeploy(pipeline_id=running.pipeline.pipeline_pk_id)


PLAN: tuple[Planned, ...] = (
    Planned("main", _by_models, _both),
    Planned("by-ids", _by_model_ids, _deployment_alone),
    Planned("by-configs", _by_model_configs, _both, live=False),
    Planned("empty", _empty, _both),
    Planned("beside", _beside, _pipeline_alone, after="main"),
    Planned("copy-of-copy", _copied_and_deployed, _both, copying=True),
)
AGAIN = "main"
"""The one deployment that is made a second time, after it was undeployed."""

ON_LIVE = sum(1 for planned in PLAN if planned.live) + 1
"""Deployments that a whole lifecycle makes of a live target."""
