from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.api.client import PipelineClient, steps_of
from conformance.checks import Rules
from conformance.data import FIXTURES
from conformance.model import Exchange, Finding, Mark, Request
from conformance.run.session import Session
from conformance.run.settings import Settings, open_target
from conformance.suites.generation import shrinking
from conformance.suites.generation.resources import Names, Resources, budget_of, make_resources, own_workspace
from conformance.suites.generation.shrinking import fewest, shrink_all, smallest
from conformance.suites.model import Model
from conformance.suites.waiting import until_gone
from conformance.targets.emulated import emulator_process


def request(body: object) -> Request:
    return Request("POST", "/v1/api/pipelines/create", body=json.dumps(body).encode())


def test_the_fewest_rows_are_found_by_halving() -> None:
    tried: list[int] = []

    def holds(count: int) -> bool:
        tried.append(count)
        return count > 50

    assert fewest(1000, holds) == 51
    assert len(tried) <= 11


def test_rows_that_do_not_matter_are_left_out() -> None:
    small = smallest(request([{"x": [1]}] * 300), lambda r: len(r.json) > 50)
    assert len(small.json) == 51


def test_fields_that_do_not_matter_are_left_out() -> None:
    small = smallest(request({"a": 1, "b": 2, "c": {"d": 1}}), lambda r: "c" in r.json)
    assert small.json == {"c": {}}


def test_a_name_that_must_be_long_is_as_short_as_it_can_be() -> None:
    small = smallest(request({"name": "x" * 120}), lambda r: len(r.json.get("name", "")) >= 64)
    assert small.json == {"name": "x" * 64}


def test_a_name_of_one_length_alone_keeps_that_length() -> None:
    small = smallest(request({"name": "x" * 64}), lambda r: len(r.json.get("name", "")) == 64)
    assert small.json == {"name": "x" * 64}


@pytest.fixture
def planted(request: pytest.FixtureRequest) -> Iterator[tuple[Session, Settings, Resources]]:
    with emulator_process(["--fault", request.param]) as url:
        settings = Settings(target="emulated", emulated_url=url, run_id="0123abcd", budget="standard")
        target = open_target(settings)
        session = Session(target, Rules.of())
        client, names = PipelineClient(session.send, intent="valid"), Names(settings.prefix)
        model = Model.read(next(Path(FIXTURES / "models").glob("*.onnx")))
        resources = make_resources(client, names, own_workspace(client, names), model, deploys=True)
        resources.until_served(client, session.wait_budget)
        yield session, settings, resources
        target.close()


def shrunk(session: Session, settings: Settings) -> tuple[Exchange, ...]:
    shrink_all(session, settings)
    return next(finding.evidence for finding in session.facts.broken if finding.shrunk)


@pytest.mark.parametrize("planted", ["deploy-again-gives-a-new-id"], indirect=True)
def test_a_second_deploy_is_shrunk_to_a_pipeline_deployed_twice(planted: tuple[Session, Settings, Resources]) -> None:
    session, settings, resources = planted
    client = PipelineClient(session.send, intent="valid")
    client.list_workspaces()
    client.infer(resources.url, resources.model.column, resources.model.rows(2))
    client.deploy(resources.pipeline_name, resources.deployment[2], models=[resources.models[0]])
    operations = [exchange.operation for exchange in shrunk(session, settings)]
    assert operations == ["workspaces.create", "pipelines.create", "pipelines.deploy", "pipelines.deploy"]


@pytest.mark.parametrize("planted", ["workspaces-id-as-text"], indirect=True)
@pytest.mark.parametrize(
    ("answers", "repeated", "evidence"),
    [([True, True, True], (3, 3), True), ([False, True, False], (1, 3), True), ([False] * 3, (1, 4), False)],
    ids=["always", "once", "never again"],
)
def test_a_finding_says_whether_it_shows_always_or_once(
    planted: tuple[Session, Settings, Resources],
    answers: list[bool],
    repeated: tuple[int, int],
    evidence: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, settings, _ = planted
    PipelineClient(session.send).list_workspaces()
    asked, left = shrinking._Shrinker._asked, list(answers)

    def sometimes(self: Any, sequence: list[Exchange], finding: Finding) -> Finding | None:
        found = asked(self, sequence, finding)
        return found if left.pop(0) else None

    monkeypatch.setattr(shrinking._Shrinker, "_asked", sometimes)
    shrink_all(session, settings)
    told = next(one for one in session.facts.broken if one.repeated[1])
    assert (told.repeated, told.shrunk) == (repeated, evidence)


@pytest.mark.parametrize("planted", ["workspaces-id-as-text"], indirect=True)
def test_what_shows_once_and_never_again_is_told_so(
    planted: tuple[Session, Settings, Resources], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, settings, _ = planted
    PipelineClient(session.send).list_workspaces()
    monkeypatch.setattr(shrinking.Replayer, "shows", lambda self, sequence, finding: None)
    shrink_all(session, settings)
    assert [one.repeated for one in session.facts.broken if one.repeated[1]] == [(1, 3)]


@pytest.mark.parametrize("planted", ["create-again-makes-another-pipeline"], indirect=True)
def test_a_pipeline_that_is_another_when_created_again_is_shrunk_to_two_creates(
    planted: tuple[Session, Settings, Resources],
) -> None:
    session, settings, resources = planted
    client = PipelineClient(session.send, intent="valid")
    name = resources.names.fresh()
    for model in resources.models:
        client.create_pipeline(resources.names.fresh(), resources.workspace_id, {})
        client.create_pipeline(name, resources.workspace_id, steps_of(model))
    operations = [exchange.operation for exchange in shrunk(session, settings)]
    assert operations == ["workspaces.create", "pipelines.create", "pipelines.create"]


@pytest.mark.parametrize("planted", ["infer-after-undeploy"], indirect=True)
def test_an_answer_after_undeploy_is_shrunk_to_one_life_of_one_pipeline(
    planted: tuple[Session, Settings, Resources],
) -> None:
    session, settings, resources = planted
    client, row = PipelineClient(session.send), resources.model.rows(1)
    client.create_pipeline(resources.pipeline_name, resources.workspace_id, steps_of(resources.models[1]))
    client.deploy(resources.pipeline_name, resources.deployment[2], models=[resources.models[0]])
    client.undeploy(deployment_id=resources.deployment[1])
    until_gone(client, resources.deployment[0], session.wait_budget)
    client.infer(resources.url, resources.model.column, row)
    operations = [exchange.operation for exchange in shrunk(session, settings)]
    assert operations == [
        "workspaces.create", "models.upload-and-convert", "models.list-versions", "pipelines.create",
        "pipelines.deploy", "pipelines.undeploy", "status.get-deployment", "pipelines.infer",
    ]  # fmt: skip


@pytest.mark.parametrize("planted", ["infer-reverses-large-batches"], indirect=True)
def test_rows_in_reverse_are_shrunk_to_the_fewest_that_are(planted: tuple[Session, Settings, Resources]) -> None:
    session, settings, resources = planted
    PipelineClient(session.send, intent="valid").infer(resources.url, resources.model.column, resources.model.rows(257))
    assert len(shrunk(session, settings)[-1].question) == 51


@pytest.mark.parametrize("planted", ["create-64-characters-is-500"], indirect=True)
def test_a_name_of_64_characters_is_shrunk_to_one_create(planted: tuple[Session, Settings, Resources]) -> None:
    session, settings, resources = planted
    client = PipelineClient(session.send).meaning("", Mark.DESCRIBED)
    client.create_pipeline(resources.names.fresh(length=64), resources.workspace_id, steps_of(resources.models[0]))
    exchanges = shrunk(session, settings)
    assert [exchange.operation for exchange in exchanges] == ["workspaces.create", "pipelines.create"]
    assert set(exchanges[-1].question) == {"pipeline_id", "workspace_id"}
    assert len(exchanges[-1].question["pipeline_id"]) == 64


@pytest.mark.parametrize("planted", ["deploy-again-gives-a-new-id"], indirect=True)
def test_where_the_budget_ends_the_smallest_so_far_is_told(
    planted: tuple[Session, Settings, Resources], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, settings, resources = planted
    monkeypatch.setattr(shrinking, "budget_of", lambda settings: replace(budget_of(settings), replays=2))
    client = PipelineClient(session.send, intent="valid")
    client.deploy(resources.pipeline_name, resources.deployment[2], models=[resources.models[0]])
    operations = [exchange.operation for exchange in shrunk(session, settings)]
    assert operations.count("pipelines.deploy") == 2
    assert "models.upload-and-convert" in operations


@pytest.mark.parametrize("planted", ["infer-off-by-a-thousandth"], indirect=True)
def test_a_wrong_output_is_shrunk_to_one_row(planted: tuple[Session, Settings, Resources]) -> None:
    session, settings, resources = planted
    PipelineClient(session.send, intent="valid").infer(resources.url, resources.model.column, resources.model.rows(60))
    last = shrunk(session, settings)[-1]
    assert last.operation == "pipelines.infer"
    assert len(last.question) == 1
