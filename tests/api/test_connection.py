"""The client by its one constructor, against an emulated instance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.api.client import ApiError, PipelineClient
from conformance.errors import CredentialsRefusedError, TargetUnreachableError
from conformance.targets.instance import WallarooInstance, running


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WallarooInstance]:
    with running(tmp_path_factory.mktemp("instance"), token_seconds=5) as started:
        yield started


@pytest.mark.parametrize("ending", ["", "/", "/v1/api"])
def test_a_url_and_a_user_are_enough(instance: WallarooInstance, ending: str) -> None:
    with PipelineClient.connect(instance.url + ending, instance.username, instance.password) as client:
        assert [each["name"] for each in client.list_workspaces().value] == ["default"]


def test_a_refusal_is_an_error_with_its_exchange(instance: WallarooInstance) -> None:
    with PipelineClient.connect(instance.url, instance.username, instance.password) as client:
        reply = client.create_workspace("")
    with pytest.raises(ApiError, match="did not succeed: status 400") as error:
        _ = reply.value
    assert error.value.exchange.status == 400
    assert "authorization" not in error.value.exchange.request.headers


def test_refused_credentials_and_a_silent_host_are_told_apart(instance: WallarooInstance) -> None:
    refused = pytest.raises(CredentialsRefusedError, match="/protocol/openid-connect/token answered 401")
    with PipelineClient.connect(instance.url, "nobody", "nothing") as client, refused:
        client.list_workspaces()
    silent = pytest.raises(TargetUnreachableError, match="did not answer")
    with PipelineClient.connect("http://127.0.0.1:9", "nobody", "nothing") as client, silent:
        client.list_workspaces()


def test_a_lost_connection_is_no_answer(instance: WallarooInstance) -> None:
    connected = PipelineClient.connect(instance.url, instance.username, instance.password)
    with connected as client, instance.outage("reset", "workspaces.list"):
        reply = client.list_workspaces()
    assert reply.status is None
    assert reply.exchange.failure
