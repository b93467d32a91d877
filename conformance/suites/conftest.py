"""Fixtures of the suites: each is made once in a run, and what was deployed is undeployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from conformance.api.client import ApiError, PipelineClient
from conformance.api.operations import COPY
from conformance.errors import NoVerdictError
from conformance.run.plugin import runner_of
from conformance.run.session import Session
from conformance.run.settings import DEFAULT_MODEL, EMULATED, Settings
from conformance.suites.deployments import Deployments
from conformance.suites.generation.resources import (
    Budget,
    Names,
    Resources,
    budget_of,
    make_resources,
    own_workspace,
)
from conformance.suites.generation.shrinking import shrink_all
from conformance.suites.model import Model
from conformance.suites.plan import Running, Setup, Uploads, reference_of
from conformance.suites.requests import NOT_GIVEN
from conformance.suites.waiting import undeploy_all
from conformance.targets.safety.guard import RefusedError


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is drawn comes after what is written out, which tells a defect more plainly; items marked `late` last.

    On a live target, where deployments take their time, what needs none that runs comes first.
    """
    live = runner_of(config).settings.kind == "live"
    places = [place for place, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ours = sorted((items[place] for place in places), key=_place_on_live if live else _place)
    for place, item in zip(places, ours, strict=True):
        items[place] = item


def _place(item: pytest.Item) -> tuple[bool, bool]:
    return item.get_closest_marker("late") is not None, item.path.stem == "test_generated"


_BESIDE = "test_long_lifecycles"
_OF_ROWS = ("test_the_same_rows", "test_requests_at_the_same_moment", "[pipelines.infer")


def _place_on_live(item: pytest.Item) -> tuple[bool, bool, bool, bool]:
    waiting = item.get_closest_marker("needs") is not None or "running" in getattr(item, "fixturenames", ())
    drawn = item.path.stem == "test_generated"
    late, generated = _place(item)
    of_rows = drawn and any(name in item.name for name in _OF_ROWS)
    return drawn and item.name == _BESIDE, late, waiting or of_rows, generated


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    return runner_of(request.config).settings


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    runner = runner_of(request.config)
    yield runner.session
    runner.impatient = runner.session.is_late
    if runner.interrupted or runner.session.is_late:
        return  # what is deployed is undeployed as the runner closes
    left = undeploy_all(runner.session)
    runner.impatient = bool(left)
    shrink_all(runner.session, runner.settings)
    if left and runner.settings.kind == EMULATED:
        raise NoVerdictError(f"Still deployed: {', '.join(left)}.")


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest) -> None:
    """On a live target all that takes its time begins before the first item: it goes on while others are asked.

    What cannot be begun is told by the items that need it. Of several processes each begins what its own items need.
    """
    settings, items = runner_of(request.config).settings, request.session.items
    needed = {name for item in items for name in getattr(item, "fixturenames", ())}
    if settings.kind != "live" or "session" not in needed or settings.workers > 1 or settings.allowed == "read":
        return
    wanted = [
        *(["resources"] if "resources" in needed else []),
        *(["long_lifecycles"] if any(i.name == _BESIDE for i in items) else []),
    ]
    if "deployments" in needed or "running" in needed:
        with suppress(ApiError, RefusedError):
            request.getfixturevalue("deployments").begin()
    for name in wanted:
        with suppress(ApiError, RefusedError):
            request.getfixturevalue(name)


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
    """The workspace given, or else one that this run makes, so that nobody but this run changes it."""
    if settings.workspace_id is not None:
        return settings.workspace_id
    if settings.allowed == "read":
        return NOT_GIVEN
    return client.create_workspace(named("workspace")).value


@pytest.fixture(scope="session")
def uploads(client: PipelineClient, named: Callable[[str], str], workspace_id: int, model: Model) -> Uploads:
    """Two versions of one model's name, as list_versions names the ids uploaded; the second computes other numbers."""
    name = named("model")
    first = client.upload_model(name, workspace_id, model.content).value
    second = client.upload_model(name, workspace_id, model.negated())
    older, newer = reference_of(client, name, first), reference_of(client, name, second.value)
    if older.version == newer.version:
        raise ApiError("Two versions are listed under one UUID, so a request cannot name one of them.", second.exchange)
    return Uploads(older, first, newer, second.value)


@pytest.fixture(scope="session")
def deployments(
    request: pytest.FixtureRequest,
    session: Session,
    client: PipelineClient,
    settings: Settings,
    workspace_id: int,
    named: Callable[[str], str],
    uploads: Uploads,
    model: Model,
) -> Deployments:
    """The lifecycle's deployments. All that items need is started at once, unless other processes may have some."""
    setup = Setup(session, client, workspace_id, named, uploads, model, copies=session.rules.document.has(COPY))
    apart = settings.worker and settings.workers == 1
    return Deployments(session, setup, settings, [] if apart else _needed(request.session.items))


def _needed(items: list[pytest.Item]) -> set[str]:
    marked = (mark for item in items for mark in item.iter_markers("needs"))
    served = {"main"} if any("running" in getattr(item, "fixturenames", ()) for item in items) else set()
    return served | {str(key) for mark in marked for key in mark.args}


@pytest.fixture
def running(deployments: Deployments) -> Running:
    """The tutorial's deployment, Running, with its external URL."""
    return deployments.running("main")


@pytest.fixture(scope="session")
def elsewhere(client: PipelineClient, named: Callable[[str], str], workspace_id: int) -> int:
    """A second workspace. Raises ApiError where it has the first one's id, which its row tells of."""
    reply = client.create_workspace(named("elsewhere"))
    if reply.value == workspace_id:
        raise ApiError("There is no second workspace: the new workspace has the first one's id.", reply.exchange)
    return reply.value


@pytest.fixture(scope="session")
def budget(settings: Settings) -> Budget:
    return budget_of(settings)


@pytest.fixture(scope="session")
def resources(session: Session, settings: Settings, model: Model, named: Callable[[str], str]) -> Resources:
    client = PipelineClient(session.send, intent="valid")
    names = Names(named(""))
    workspace_id = settings.workspace_id if settings.workspace_id is not None else own_workspace(client, names)
    made = make_resources(client, names, workspace_id, model, deploys=settings.kind != "live")
    if settings.kind != "live":
        made.until_served(client, session.wait_budget)
    return made


@pytest.fixture(scope="session")
def long_lifecycles(
    session: Session, settings: Settings, model: Model, named: Callable[[str], str], budget: Budget
) -> Callable[[], None]:
    """Runs the long lifecycles; on a live target, where they wait, they have begun and go on beside the other items."""
    from conformance.suites.generation import lifecycles

    def run(own: Session) -> None:
        client, names = PipelineClient(own.send, intent="valid"), Names(named("lives-"))
        workspace_id = settings.workspace_id if settings.workspace_id is not None else own_workspace(client, names)
        made = make_resources(client, names, workspace_id, model, deploys=False, deployed=False)
        lifecycles.run(own, made, budget, settings)

    return lifecycles.Background(session, run).result
