"""The emulated instance in somebody's own tests: its environment, releases, faults and outages."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conformance.errors import UsageError
from conformance.targets.instance import WallarooInstance, running

LIST = "/v1/api/workspaces/list"


def asked(instance: WallarooInstance, path: str = LIST, body: object = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {instance.token()}"}
    return httpx.post(instance.url + path, json=body or {}, headers=headers, timeout=10, trust_env=False)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WallarooInstance]:
    with running(tmp_path_factory.mktemp("instance"), start_seconds=0) as started:
        yield started


@pytest.mark.wallaroo(release="2026.1", faults=("workspaces-twice",))
def test_the_marker_chooses_release_and_faults_and_the_environment_leads_there(
    wallaroo_instance: WallarooInstance,
) -> None:
    assert os.environ["WALLAROO_URL"] == os.environ["CONFORMANCE_TARGET"] == wallaroo_instance.url
    assert Path(os.environ["XDG_CACHE_HOME"]).is_dir()
    assert len(asked(wallaroo_instance).json()["workspaces"]) == 2
    refused = asked(wallaroo_instance, "/v1/api/pipelines/copy")
    assert refused.status_code == 404


def test_what_there_is_not_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"no release '2020.1' to emulate; there are 2023\.4"),
        running(tmp_path, "2020.1"),
    ):
        pass
    with (
        pytest.raises(UsageError, match="the nearest is 'workspaces-twice'"),
        running(tmp_path, faults=["workspace-twice"]),
    ):
        pass


@pytest.mark.parametrize("kind", ["429", "503"])
def test_a_refusal_ends_after_as_many_calls_as_were_asked_for(instance: WallarooInstance, kind: str) -> None:
    with instance.outage(kind, "workspaces.list", times=2, seconds=7) as outage:  # type: ignore[arg-type]
        answers = [asked(instance) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [int(kind), int(kind), 200]
    assert answers[0].headers["retry-after"] == "7"
    assert outage.met == 2
    assert asked(instance).status_code == 200


def test_an_outage_of_one_operation_leaves_the_others_alone(instance: WallarooInstance) -> None:
    with instance.outage("503", "pipelines.create"):
        assert asked(instance).status_code == 200
        assert asked(instance, "/v1/api/pipelines/create").status_code == 503


def test_the_token_endpoint_has_outages_of_its_own(instance: WallarooInstance) -> None:
    with instance.outage("429", "token", times=1):
        form = {
            "client_id": "sdk-client",
            "grant_type": "password",
            "username": "conformance",
            "password": "conformance",
        }
        assert httpx.post(instance.token_url, data=form, trust_env=False).status_code == 429
        assert httpx.post(instance.token_url, data=form, trust_env=False).status_code == 200


def test_a_slow_answer_comes_later(instance: WallarooInstance) -> None:
    token = {"authorization": f"Bearer {instance.token()}"}
    with instance.outage("slow", seconds=0.6):
        started = time.monotonic()
        answer = httpx.post(instance.url + LIST, json={}, headers=token, timeout=10, trust_env=False)
    assert (answer.status_code, time.monotonic() - started >= 0.6) == (200, True)
    with instance.outage("slow", seconds=5), pytest.raises(httpx.ReadTimeout):
        httpx.post(instance.url + LIST, json={}, headers=token, timeout=0.2, trust_env=False)


def test_a_connection_is_dropped_without_an_answer(
    instance: WallarooInstance, caplog: pytest.LogCaptureFixture
) -> None:
    token = {"authorization": f"Bearer {instance.token()}"}
    with instance.outage("reset", times=1):
        with pytest.raises(httpx.TransportError):
            httpx.post(instance.url + LIST, json={}, headers=token, timeout=10, trust_env=False)
        assert httpx.post(instance.url + LIST, json={}, headers=token, timeout=10, trust_env=False).status_code == 200
    assert "ASGI" not in caplog.text


def test_a_deployment_never_runs_while_it_is_told_not_to(instance: WallarooInstance) -> None:
    made = asked(instance, "/v1/api/pipelines/create", {"pipeline_id": "never", "workspace_id": 10}).json()
    ids = {"pipeline_id": made["pipeline_pk_id"], "pipeline_version_pk_id": made["pipeline_variant_pk_id"]}
    number = asked(instance, "/v1/api/pipelines/deploy", {"deploy_id": "never", **ids}).json()["id"]
    status = {"name": f"never-{number}"}
    with instance.outage("never running"):
        assert asked(instance, "/v1/api/status/get_deployment", status).json()["status"] == "Starting"
        assert asked(instance, "/v1/api/status/get_deployment", {"name": "no-1"}).status_code == 404
    assert asked(instance, "/v1/api/status/get_deployment", status).json()["status"] == "Running"


def test_an_outage_that_there_is_not_is_named(instance: WallarooInstance) -> None:
    with pytest.raises(UsageError, match="There is no outage 'fire'"), instance.outage("fire"):  # type: ignore[arg-type]
        pass
