"""Stages of the lifecycle as fixtures: each is reached once in a run, and what was deployed is undeployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conformance.client import ApiError, ModelReference, PipelineClient, PipelineVersionCreated, steps_of
from conformance.errors import NoVerdictError
from conformance.ledger import Stage
from conformance.options import runner_of
from conformance.session import Session
from conformance.settings import DEFAULT_MODEL, Settings
from conformance.suites.generation.shrinking import shrink_all
from conformance.suites.model import Model
from conformance.suites.waiting import until_gone, until_running

WORKSPACE = 10
"""The tutorial's workspace, which the emulated instance has from the start."""


@dataclass(frozen=True)
class Running:
    """A pipeline that serves: its names, ids, the deployment's name for status, and where to infer."""

    pipeline_name: str
    pipeline: PipelineVersionCreated
    deployment_id: int
    name: str
    url: str = ""


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    return runner_of(request.config).settings


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    session = runner_of(request.config).session
    yield session
    shrink_all(session, runner_of(request.config).settings)
    undeploy_all(session, runner_of(request.config).settings.wait)


@pytest.fixture(scope="session")
def client(session: Session) -> PipelineClient:
    """What it sends is meant to be valid."""
    return PipelineClient(session.send, intent="valid")


@pytest.fixture(scope="session")
def named(settings: Settings) -> Callable[[str], str]:
    """A name of this run, and of this worker."""
    middle = f"{settings.worker}-" if settings.worker else ""
    return lambda name: f"{settings.prefix}{middle}{name}"


@pytest.fixture(scope="session")
def model(settings: Settings) -> Model:
    return Model.read(Path(settings.model) if settings.model else DEFAULT_MODEL)


@pytest.fixture(scope="session")
def workspace_id(settings: Settings, client: PipelineClient, named: Callable[[str], str]) -> int:
    """The workspace given, the emulated instance's own, or else one that this run makes."""
    if settings.workspace_id is not None:
        return settings.workspace_id
    return WORKSPACE if settings.kind == "emulated" else client.create_workspace(named("workspace")).value


@pytest.fixture(scope="session")
def uploaded(client: PipelineClient, named: Callable[[str], str], workspace_id: int, model: Model) -> ModelReference:
    """The model, uploaded, by the name, version and sha that list_versions gives for the uploaded id."""
    name = named("model")
    version_id = client.upload_model(name, workspace_id, model.content).value
    return reference_of(client, name, version_id)


@pytest.fixture(scope="session")
def created(
    client: PipelineClient, named: Callable[[str], str], workspace_id: int, uploaded: ModelReference
) -> PipelineVersionCreated:
    """A pipeline with the model's step."""
    return client.create_pipeline(named("pipeline"), workspace_id, steps_of(uploaded)).value


@pytest.fixture(scope="session")
def deployed(
    client: PipelineClient, named: Callable[[str], str], created: PipelineVersionCreated, uploaded: ModelReference
) -> Running:
    """That pipeline, deployed."""
    name = named("pipeline")
    deployment_id = client.deploy(name, created, models=[uploaded]).value
    return Running(name, created, deployment_id, f"{name}-{deployment_id}")


@pytest.fixture(scope="session")
def running(
    client: PipelineClient, session: Session, settings: Settings, deployed: Running, workspace_id: int
) -> Running:
    """That deployment, Running, with its external URL."""
    until_running(client, deployed.name, settings.wait)
    return replace(deployed, url=client.external_url(workspace_id, deployed.pipeline_name).value)


@pytest.fixture(scope="session")
def undeployed(client: PipelineClient, session: Session, settings: Settings, running: Running) -> Running:
    """That deployment, undeployed by both ids as the tutorial does it, and gone."""
    client.undeploy(pipeline_id=running.pipeline.pipeline_pk_id, deployment_id=running.deployment_id).value  # noqa: B018
    until_gone(client, running.name, settings.wait)
    return running


def reference_of(client: PipelineClient, name: str, version_id: int) -> ModelReference:
    """How to name an uploaded version. Raises ApiError where list_versions does not show it."""
    reply = client.list_model_versions(model_id=name)
    for row in reply.value:
        if isinstance(row, dict) and row.get("id") == version_id and {"model_version", "sha"} <= set(row):
            return ModelReference(name, str(row["model_version"]), str(row["sha"]))
    raise ApiError(f"list_versions of {name} does not show the uploaded version {version_id}.", reply.exchange)


def undeploy_all(session: Session, seconds: float) -> None:
    """Undeploy whatever this session left running. Raises NoVerdictError naming what could not be."""
    client = PipelineClient(session.send)
    left = []
    for deployment in list(session.ledger.live()):
        if deployment.stage is Stage.DEPLOYED:
            client.undeploy(deployment_id=deployment.id)
        try:
            until_gone(client, deployment.name, seconds)
        except ApiError:
            left.append(deployment.name)
    if left:
        raise NoVerdictError(f"Still deployed, please undeploy by hand: {', '.join(left)}.")
