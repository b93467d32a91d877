from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from conformance.emulator.server import listening_socket, url_of
from conformance.emulator.settings import Limits
from conformance.errors import UsageError


def connected(instance: Any) -> socket.socket:
    host, port = instance.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def everything(connection: socket.socket) -> bytes:
    found = b""
    while chunk := connection.recv(65536):
        found += chunk
    return found


def test_a_head_that_never_ends_is_cut_off_in_time(start: Any) -> None:
    instance = start(limits=Limits(header_seconds=0.3))
    for sent in (b"", b"POST /v1/api", b"POST / HTTP/1.1\r\nhost: x\r\nx-slow:"):
        with connected(instance) as connection:
            connection.sendall(sent)
            started = time.monotonic()
            assert everything(connection) == b""
            assert 0.2 < time.monotonic() - started < 3


def test_a_head_that_grows_without_end_is_431(start: Any) -> None:
    instance = start(limits=Limits(header_bytes=20_000))
    with connected(instance) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\n" + (b"x-more: " + b"y" * 1000 + b"\r\n") * 20)
        assert everything(connection).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_never_ends_is_408(start: Any) -> None:
    instance = start(limits=Limits(body_seconds=0.3))
    head = f"POST /v1/api/workspaces/list HTTP/1.1\r\nhost: x\r\nauthorization: {instance.headers['authorization']}\r\n"
    with connected(instance) as connection:
        connection.sendall(f"{head}content-type: application/json\r\ncontent-length: 10\r\n\r\n{{".encode())
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":408' in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT example.test:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_serving_goes_on(instance: Any, sent: bytes) -> None:
    with connected(instance) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = everything(connection)
    assert answer == b"" or 400 <= int(answer.split()[1]) < 500, answer
    assert instance.call("workspaces/list", {}).status_code == 200


def test_a_client_that_leaves_midway_disturbs_nobody(instance: Any) -> None:
    head = f"POST /v1/api/workspaces/list HTTP/1.1\r\nhost: x\r\nauthorization: {instance.headers['authorization']}\r\n"
    for _ in range(20):
        with connected(instance) as connection:
            connection.sendall(f"{head}content-type: application/json\r\ncontent-length: 10\r\n\r\n{{".encode())
    assert instance.call("workspaces/list", {}).status_code == 200


def test_many_clients_at_once_get_ids_of_their_own_and_their_own_answers(instance: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    pipeline = instance.pipeline(instance.model(name="busy"))
    deployment = instance.deployed(pipeline)
    expected = {}
    for index in range(8):
        row = [{"dense_input": [index / 8] * 29}]
        expected[index] = instance.infer(deployment, pipeline["name"], row).json()[0]["out"]
    assert len({str(output) for output in expected.values()}) == 8

    def work(index: int) -> int:
        for turn in range(10):
            row = [{"dense_input": [index / 8] * 29}]
            assert instance.infer(deployment, pipeline["name"], row).json()[0]["out"] == expected[index]
            body = {"pipeline_id": f"busy-{index}-{turn}", "workspace_id": 10, "definition": {}}
            made.append(instance.call("pipelines/create", body).json()["pipeline_pk_id"])
        return index

    made: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
    assert len(set(made)) == len(made) == 80


def test_the_same_create_and_deploy_at_the_same_moment_make_one(instance: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    pipeline = instance.pipeline(instance.model(name="race"), name="race")
    ids = {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}

    def both(_: int) -> tuple[int, int]:
        created = instance.call("pipelines/create", {"pipeline_id": "race", "workspace_id": 10}).json()
        deployed = instance.call("pipelines/deploy", {"deploy_id": "race", **ids}).json()
        return created["pipeline_pk_id"], deployed["id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(both, range(16)))) == 1


def test_an_address_that_cannot_be_bound_is_a_usage_error() -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(UsageError, match="Cannot listen on"):
            listening_socket("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UsageError):
        listening_socket("no.such.host.invalid", 0)


def test_the_url_of_a_socket_is_one_a_client_can_use() -> None:
    with listening_socket("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
