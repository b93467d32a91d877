"""The marker and fixture as somebody else's tests use them, in a pytest of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TESTS = """
import asyncio
import socket
import sys
import urllib.request
import httpx
import httpx2
import pytest
import requests

LEFT = []  # what Python itself says of each connection, message and name asked for
sys.addaudithook(
    lambda event, found: event in ("socket.connect", "socket.sendto", "socket.getaddrinfo") and LEFT.append(found[1:])
)
UNDEPLOY, QUESTION = "https://their.host/v1/api/pipelines/undeploy", {"pipeline_id": 28, "deployment_id": 14}

@pytest.mark.recorded("pipelines.undeploy")
def test_requests_is_answered_by_the_marker_alone():
    class Own(requests.adapters.HTTPAdapter):
        pass

    with requests.Session() as session:
        session.mount("https://their.host", Own())
        answers = [requests.post(UNDEPLOY, json=QUESTION), session.post(UNDEPLOY, json=QUESTION, stream=True)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, None)] * 2
    with pytest.raises(Exception, match="No recording answers POST /v1/api/pipelines/undeploy"):
        requests.post(UNDEPLOY, json={"pipeline_id": 1})
    assert LEFT == []

@pytest.mark.recorded("pipelines.undeploy")
def test_httpx2_is_answered(recorded):
    async def ask():
        async with httpx2.AsyncClient() as client:
            return await client.post(UNDEPLOY, json=QUESTION)
    for answer in (httpx2.post(UNDEPLOY, json=QUESTION), asyncio.run(ask())):
        assert (answer.status_code, answer.json()) == (200, None)
    assert len(recorded.asked) == 2
    assert LEFT == []

@pytest.mark.recorded("pipelines.undeploy")
def test_no_other_way_leads_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
        for ask in (
            lambda: urllib.request.urlopen("http://their.host/v1/api"),
            lambda: stream.connect(("192.0.2.1", 80)),
            lambda: datagrams.sendto(b"x", ("192.0.2.1", 53)),
            lambda: socket.gethostbyname("their.host"),
        ):
            with pytest.raises(Exception, match="Nothing was sent"):
                ask()
    assert LEFT == []
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), 1).close()

@pytest.mark.recorded("pipelines.undeploy", "status.get-deployment/running")
def test_their_own_client_is_answered(recorded):
    answer = httpx.post("https://their.host/v1/api/pipelines/undeploy", json={"pipeline_id": 28, "deployment_id": 14})
    assert answer.json() is None
    assert len(recorded.asked) == 1

@pytest.mark.recorded("pipelines.undeploy")
def test_an_async_client_is_answered(recorded):
    async def ask():
        async with httpx.AsyncClient() as client:
            question = {"pipeline_id": 28, "deployment_id": 14}
            return await client.post("http://h/v1/api/pipelines/undeploy", json=question)
    assert asyncio.run(ask()).status_code == 200

@pytest.mark.recorded("mine.json")
def test_a_file_beside_the_test(recorded):
    assert httpx.Client(transport=recorded.transport).get("http://h/v1/api/x").text == "mine"

@pytest.mark.recorded("pipelines.undeploy", all_asked=True)
def test_that_asks_for_nothing(recorded):
    pass

@pytest.mark.recorded("pipelines.deploy")
def test_that_asks_for_another(recorded):
    httpx.post("http://h/v1/api/pipelines/deploy", json={"deploy_id": "q"})

@pytest.mark.recorded("no.such.thing")
def test_of_recordings_that_are_not_there(recorded):
    pass
"""
MINE = """{"about": "x", "source": "x", "release": "2023.4",
"request": {"method": "GET", "path": "/v1/api/x", "headers": {}},
"response": {"status": 200, "headers": {}, "content_type": "text/plain", "body": "mine"}}"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "test_theirs.py").write_text(TESTS, encoding="utf-8")
    (folder / "mine.json").write_text(MINE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--strict-markers", "-rA"]
    environ = os.environ | {"COLUMNS": "250"}
    run = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return run.stdout


@pytest.mark.parametrize(
    "test",
    [
        "test_requests_is_answered_by_the_marker_alone",
        "test_httpx2_is_answered",
        "test_no_other_way_leads_out",
        "test_their_own_client_is_answered",
        "test_an_async_client_is_answered",
        "test_a_file_beside_the_test",
    ],
)
def test_their_tests_pass(test: str, output: str) -> None:
    assert f"PASSED test_theirs.py::{test}" in output


def test_a_recording_never_asked_for_is_reported_and_fails_where_told_to(output: str) -> None:
    assert "recordings never asked for" in output
    assert "test_their_own_client_is_answered: " in output
    assert "ERROR test_theirs.py::test_that_asks_for_nothing - Failed: Recordings were never asked for" in output


def test_a_miss_is_a_sentence(output: str) -> None:
    assert "The nearest is" in output
    assert '$.deploy_id ("q", not "api-pipeline-with-models")' in output


def test_names_of_nothing_are_a_sentence_that_says_what_there_is(output: str) -> None:
    assert "There are no recordings 'no.such.thing': it is no file or folder, and none of ours (admin." in output
