from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.api.client import PipelineClient
from conformance.checks import Rules
from conformance.data import FIXTURES
from conformance.model import Exchange
from conformance.run.session import Session
from conformance.run.settings import Settings, open_target
from conformance.suites.generation import lifecycles, sending
from conformance.suites.generation.resources import Budget, Names, make_resources, own_workspace
from conformance.suites.model import Model
from conformance.targets.emulated import emulator_process

SMALL = Budget(4, 12, 2, 25, (1, 51))
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def sent(seed: int) -> tuple[list[tuple[str, str, bytes]], Session]:
    """What a small run sends, status polls and version UUIDs apart."""
    kept: list[Exchange] = []
    with emulator_process() as url:
        settings = Settings(target="emulated", emulated_url=url, run_id="0123abcd", seed=seed)
        target = open_target(settings)
        session = Session(target, Rules.of())
        session.keep_with(kept.append)
        client, names = PipelineClient(session.send, intent="valid"), Names(settings.prefix)
        model = Model.read(next(Path(FIXTURES / "models").glob("*.onnx")))
        resources = make_resources(client, names, own_workspace(client, names), model, deploys=True)
        resources.until_served(client, session.wait_budget)
        for operation in ("pipelines.create", "pipelines.infer", "models.list-versions"):
            sending.valid(session, resources, SMALL, seed, operation)
            sending.invalid(session, resources, SMALL, seed, operation)
        lifecycles.run(session, resources, SMALL, settings)
        target.close()
    requests = [(e.operation or "", e.request.path, _UUID.sub(b"uuid", e.request.body)) for e in kept]
    return [one for one in requests if one[0] != "status.get-deployment"], session


@pytest.fixture(scope="module")
def first() -> tuple[list[tuple[str, str, bytes]], Session]:
    return sent(7)


def test_the_same_seed_sends_the_same_requests_in_the_same_order(
    first: tuple[list[tuple[str, str, bytes]], Session],
) -> None:
    assert sent(7)[0] == first[0]


def test_another_seed_sends_others(first: tuple[list[tuple[str, str, bytes]], Session]) -> None:
    assert sent(8)[0] != first[0]


def test_nothing_is_found_on_an_instance_without_faults(first: tuple[list[tuple[str, str, bytes]], Session]) -> None:
    assert {trace.finding for trace in first[1].traces.values()} == set()


def test_requests_reach_a_success_a_refusal_and_a_running_deployment(
    first: tuple[list[tuple[str, str, bytes]], Session],
) -> None:
    reached = first[1].facts.reached
    assert reached["pipelines.infer", 200] > 5
    assert reached["pipelines.create", 400] > 5
    assert any(deployment.running for deployment in first[1].ledger.deployments.values())
