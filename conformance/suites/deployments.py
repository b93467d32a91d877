"""The deployments of the lifecycle, written out: how each is made, and how it ends.

Waiting is shared. The first item that needs one starts every deployment that the collected items will need; they are
then awaited in turn, and at the end all are undeployed before the first is waited for. A live target is asked for six.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from conformance.checks.readings import READING
from conformance.checks.status import PROMISE
from conformance.client import (
    ApiError,
    ModelReference,
    PipelineClient,
    PipelineVersionCreated,
    Reply,
    infer_path,
    steps_of,
)
from conformance.session import Session
from conformance.settings import Settings
from conformance.suites.waiting import until_gone, until_running
from conformance.targets.guard import RefusedError

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


@dataclass(frozen=True)
class Ground:
    """What deployments stand on: where they are made, under which names, with which models, and whether by copying."""

    client: PipelineClient
    workspace_id: int
    named: Callable[[str], str]
    uploads: Uploads
    copies: bool = True

    def promising(self, slug: str) -> PipelineClient:
        """A client whose requests are judged under that row of their operation."""
        return self.client.meaning("valid", PROMISE + slug)


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
    """One deployment: how it is made, how it is undeployed, whether a live target is asked for it, and by copying."""

    key: str
    make: Callable[[Ground], Running]
    undeploy: Callable[[PipelineClient, Running], Reply[None]]
    live: bool = True
    copying: bool = False


def _by_models(ground: Ground) -> Running:
    """By models, as the tutorial does; and again once a newer version exists, which changes nothing (recorded)."""
    name, promising = ground.named("pipeline"), ground.promising("takes-models")
    older = ground.promising("takes-model-steps").create_pipeline(
        name, ground.workspace_id, steps_of(ground.uploads.first)
    ).value  # fmt: skip
    made = promising.deploy(name, older, models=[ground.uploads.first]).value
    ground.client.create_pipeline(name, ground.workspace_id, steps_of(ground.uploads.second))
    ground.promising("takes-an-older-version").deploy(name, older, models=[ground.uploads.first])
    return Running(name, older, made, f"{name}-{made}")


def _by_model_ids(ground: Ground) -> Running:
    """By ids of model versions, under a deploy_id unlike the pipeline's name where the instance takes one."""
    name, other = ground.named("by-ids"), ground.named("by-ids-elsewise")
    created = ground.client.create_pipeline(name, ground.workspace_id, steps_of(ground.uploads.second)).value
    asking = ground.client.meaning("", READING + "takes-a-deploy-id-unlike-the-name")
    given: dict[str, Any] = {"model_ids": [ground.uploads.second_id]}
    deploy_id = other if asking.deploy(other, created, **given).ok else name
    made = ground.promising("takes-model-ids").deploy(deploy_id, created, **given).value
    return Running(name, created, made, f"{deploy_id}-{made}")


def _by_model_configs(ground: Ground) -> Running:
    """By ids of model configs, which the emulated instance has one of for each version, under the version's id."""
    name = ground.named("by-configs")
    created = ground.client.create_pipeline(name, ground.workspace_id, steps_of(ground.uploads.first)).value
    promising = ground.promising("takes-model-configs")
    made = promising.deploy(name, created, model_configs=[ground.uploads.first_id]).value
    return Running(name, created, made, f"{name}-{made}")


def _empty(ground: Ground) -> Running:
    """Of a pipeline without steps."""
    name = ground.named("empty-deployed")
    created = ground.promising("takes-an-empty-definition").create_pipeline(name, ground.workspace_id, {}).value
    made = ground.promising("takes-an-empty-pipeline").deploy(name, created).value
    return Running(name, created, made, f"{name}-{made}")


def _beside(ground: Ground) -> Running:
    """Of a copy of a given version, or where nothing is copied of a pipeline; with an engine_config if it is taken."""
    if ground.copies:
        return _deployed_with_config(ground, *_copied(ground), "takes-a-copy")
    name = ground.named("beside")
    created = ground.client.create_pipeline(name, ground.workspace_id, steps_of(ground.uploads.first)).value
    return _deployed_with_config(ground, name, created, "takes-models")


def _copied(ground: Ground) -> tuple[str, PipelineVersionCreated]:
    """A copy of a given version, and its name."""
    source, _ = _source(ground, ground.named("source"))
    name, promising = ground.named("copy"), ground.promising("takes-a-version-to-copy")
    reply = promising.copy_pipeline(name, ground.workspace_id, source.pipeline_pk_id, pipeline_version=source.version)
    return name, _own(reply, source)


def _deployed_with_config(ground: Ground, name: str, pipeline: PipelineVersionCreated, slug: str) -> Running:
    models = [ground.uploads.first]
    with_config = ground.promising("takes-an-engine-config").deploy(
        name, pipeline, models=models, engine_config=ENGINE_CONFIG
    )
    config = {"engine_config": ENGINE_CONFIG} if with_config.ok else {}
    made = ground.promising(slug).deploy(name, pipeline, models=models, **config).value
    return Running(name, pipeline, made, f"{name}-{made}")


def _copied_and_deployed(ground: Ground) -> Running:
    """Of a copy of a copy, deployed by the copying itself."""
    client = ground.client
    source, newer = _source(ground, ground.named("source-of-copies"))
    made = client.copy_pipeline(
        ground.named("copy-between"), ground.workspace_id, source.pipeline_pk_id, pipeline_version=newer.version
    )
    between = _own(made, source)
    name = ground.named("copy-of-copy")
    promising = ground.promising("takes-a-copy")
    promising.copy_pipeline(ground.named("copy-of-copy-idle"), ground.workspace_id, between.pipeline_pk_id).value  # noqa: B018
    reply = ground.promising("takes-a-deployment-to-make").copy_pipeline(
        name, ground.workspace_id, between.pipeline_pk_id, deploy=name
    )
    copied = _own(reply, source, between)
    if copied.deployment_id is None:
        raise ApiError(f"{name} was asked to deploy, and its answer has no deployment.", reply.exchange)
    return Running(name, copied, copied.deployment_id, f"{name}-{copied.deployment_id}")


def _source(ground: Ground, name: str) -> tuple[PipelineVersionCreated, PipelineVersionCreated]:
    """A pipeline to copy from: its first version, with the first model, and its second, with the second."""
    first, second = (
        ground.client.create_pipeline(name, ground.workspace_id, steps_of(model)).value
        for model in (ground.uploads.first, ground.uploads.second)
    )
    return first, second


def _own(copied: Reply[PipelineVersionCreated], *others: PipelineVersionCreated) -> PipelineVersionCreated:
    """A copy that is a pipeline of its own; raises ApiError for one that goes by another's id."""
    if copied.value.pipeline_pk_id in {other.pipeline_pk_id for other in others}:
        raise ApiError("The copy has its source's pipeline_pk_id, so nothing more can be asked of it.", copied.exchange)
    return copied.value


def _both(client: PipelineClient, running: Running) -> Reply[None]:
    return client.undeploy(pipeline_id=running.pipeline.pipeline_pk_id, deployment_id=running.deployment_id)


def _deployment_alone(client: PipelineClient, running: Running) -> Reply[None]:
    promising = client.meaning("valid", PROMISE + "takes-the-deployment-id-alone")
    return promising.undeploy(deployment_id=running.deployment_id)


def _pipeline_alone(client: PipelineClient, running: Running) -> Reply[None]:
    promising = client.meaning("valid", PROMISE + "takes-the-pipeline-id-alone")
    return promising.undeploy(pipeline_id=running.pipeline.pipeline_pk_id)


PLAN: tuple[Planned, ...] = (
    Planned("main", _by_models, _both),
    Planned("by-ids", _by_model_ids, _deployment_alone),
    Planned("by-configs", _by_model_configs, _both, live=False),
    Planned("empty", _empty, _both),
    Planned("beside", _beside, _pipeline_alone),
    Planned("copy-of-copy", _copied_and_deployed, _both, copying=True),
)
AGAIN = "main"
"""The one deployment that is made a second time, after it was undeployed."""

ON_LIVE = sum(1 for planned in PLAN if planned.live) + 1
"""Deployments that a whole lifecycle makes of a live target."""


class Deployments:
    """The plan being carried out. `wanted` are the keys that the collected items need."""

    def __init__(self, session: Session, ground: Ground, settings: Settings, wanted: Iterable[str]) -> None:
        self._session, self._ground = session, ground
        self._plan = {
            planned.key: planned
            for planned in PLAN
            if (planned.live or settings.kind != "live") and (ground.copies or not planned.copying)
        }
        self._wanted = [key for key in self._plan if key in set(wanted)]
        self._started: dict[str, Running | ApiError | RefusedError] = {}
        self._running: dict[str, Running] = {}
        self._ended: set[str] = set()
        self._gone: set[str] = set()

    def has(self, key: str) -> bool:
        """Whether this target is asked for that deployment."""
        return key in self._plan

    def started(self, key: str) -> Running:
        """A deployment, as soon as it is asked for. Raises ApiError where the target did not make it."""
        if key not in self._plan:
            raise KeyError(f"{key} is no deployment of this target's plan")
        for each in dict.fromkeys((key, *self._wanted)):
            if each not in self._started:
                self._started[each] = self._made(self._plan[each])
        made = self._started[key]
        if not isinstance(made, Running):
            raise made
        return made

    def _made(self, planned: Planned) -> Running | ApiError | RefusedError:
        """What came of it, which is final: to make it once more would find its names taken."""
        try:
            return planned.make(self._ground)
        except (ApiError, RefusedError) as error:
            return error

    def running(self, key: str) -> Running:
        """A deployment that serves, with its external URL; deployed again where it was undeployed before."""
        if key in self._ended:
            return self.again(key)
        if key not in self._running:
            made = self.started(key)
            until_running(self._ground.client, made.name, self._session.patience)
            self._running[key] = replace(made, url=self._url(made))
        return self._running[key]

    def _url(self, made: Running) -> str:
        """Where to infer: where the target says, unless that is of another deployment, which its row tells of."""
        url = self._ground.client.external_url(self._ground.workspace_id, made.pipeline_name).value
        path = infer_path(made.name, made.pipeline_name)
        return url if url.endswith(path) else path

    def end(self, key: str) -> None:
        """Ask for the end of a deployment that was started, in the way planned for it; waits for nothing."""
        made = self._started.get(key)
        if isinstance(made, Running) and key not in self._ended:
            self._ended.add(key)
            self._plan[key].undeploy(self._ground.client, made)

    def ended(self, key: str) -> None:
        """Undeploy one deployment alone, and wait until it is gone."""
        self.end(key)
        made = self._started[key]
        if isinstance(made, Running) and key not in self._gone:
            until_gone(self._ground.client, made.name, self._session.patience)
            self._gone.add(key)

    def gone(self, key: str) -> Running:
        """A deployment that ran, was undeployed and is gone; with it all others, so that their waits are one."""
        if key not in self._gone:
            self.running(key)
            for each in self._started:
                self.end(each)
            for each in [each for each in self._started if each in self._ended and each not in self._gone]:
                made = self._started[each]
                assert isinstance(made, Running)
                until_gone(self._ground.client, made.name, self._session.patience)
                self._gone.add(each)
        return self._running[key]

    def again(self, key: str) -> Running:
        """A deployment that was gone, deployed a second time and serving. Raises ApiError where that fails."""
        before = self.gone(key)
        name = before.name.rpartition("-")[0]
        promising = self._ground.promising("takes-what-was-undeployed")
        made = promising.deploy(name, before.pipeline, models=[self._ground.uploads.first]).value
        again = replace(before, deployment_id=made, name=f"{name}-{made}")
        until_running(self._ground.client, again.name, self._session.patience)
        url = self._url(again)
        self._gone.discard(key)
        self._ended.discard(key)
        self._started[key] = self._running[key] = replace(again, url=url)
        return self._running[key]
