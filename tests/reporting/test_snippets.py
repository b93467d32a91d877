"""A snippet, run as it stands, sends what the exchange sent; the token is the environment's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.api import multipart
from conformance.model import Exchange, Headers, Purpose, Request, Response
from conformance.reporting.snippets import curl_of, files_of, python_of
from tests.reporting.conftest import Listener, Sent
from tests.reporting.sample import TOKEN

needs_curl = pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="curl is not installed")

JSON = Headers(
    {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "User-Agent": "suite", "Accept": "*/*"}
)
ARROW = Headers({"Content-Type": "application/vnd.apache.arrow.file", "Accept": "application/vnd.apache.arrow.file"})

REQUESTS = {
    "plain": ("POST", "/v1/api/pipelines/create", JSON, b'{"pipeline_id": "p", "workspace_id": 10}'),
    "hostile": (
        "POST",
        "/v1/api/pipelines/create",
        JSON,
        """{"a": "it's $HOME `id` !! \\"q\\" \\\\ %s @x \u00e9\U0001f600"}""".encode(),
    ),
    "at sign first": ("POST", "/v1/api/pipelines/create", JSON, b"@/etc/hostname"),
    "line ends": ("POST", "/v1/api/pipelines/create", JSON, b'{\n\t"a": 1\n}\n'),
    "empty": ("POST", "/v1/api/pipelines/undeploy", JSON, b""),
    "no content type": ("POST", "/v1/api/pipelines/undeploy", Headers({}), b"{}"),
    "small binary": ("POST", "/v1/api/pipelines/infer/p-1/p", ARROW, bytes(range(256))),
    "odd path": ("POST", "/v1/api/../api/%2e/[x]{y}", JSON, b"{}"),
    "another method": ("OPTIONS", "/v1/api/pipelines/create", JSON, b""),
}


def exchange(listener: Listener, method: str, path: str, headers: Headers, body: bytes) -> Exchange:
    return Exchange(Request(method, listener.url + path, headers, body), None)


def run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "TOKEN": TOKEN, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr.decode()


def shows(sent: Sent, original: Exchange) -> None:
    request = original.request
    assert (sent.method, sent.body) == (request.method, request.body)
    for name in ("authorization", "content-type"):
        assert sent.headers.get(name) == request.headers.get(name)


@needs_curl
@pytest.mark.parametrize("name", REQUESTS)
def test_the_curl_command_sends_the_same_request(name: str, listener: Listener, tmp_path: Path) -> None:
    original = exchange(listener, *REQUESTS[name])
    run(["bash", "-c", curl_of(original)], tmp_path)
    shows(listener.sent[0], original)
    assert listener.sent[0].path == REQUESTS[name][1]


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "odd path"])
def test_the_python_script_sends_the_same_request(name: str, listener: Listener, tmp_path: Path) -> None:
    original = exchange(listener, *REQUESTS[name])
    run([sys.executable, "-c", python_of(original)], tmp_path)
    shows(listener.sent[0], original)


@needs_curl
@pytest.mark.parametrize("size", [64, 9_000])
@pytest.mark.parametrize("render", [curl_of, python_of], ids=["curl", "python"])
def test_a_form_is_sent_with_its_file_its_name_and_its_parts(
    render: object, size: int, listener: Listener, tmp_path: Path
) -> None:
    metadata = b'{"name": "a;b", "note": "\\"quoted\\", it\'s", "workspace_id": 10}'
    parts = [
        multipart.Part("file", bytes(size), "application/octet-stream", 'api "sample"; model'),
        multipart.Part("metadata", metadata, "application/json"),
    ]
    content_type, body = multipart.encode(parts)
    original = exchange(
        listener, "POST", "/v1/api/models/upload_and_convert", Headers({"Content-Type": content_type}), body
    )
    for name, content in files_of(original.request).items():
        (tmp_path / name).write_bytes(content)
    text = render(original)  # type: ignore[operator]
    run(["bash", "-c", text] if render is curl_of else [sys.executable, "-c", text], tmp_path)
    received = multipart.decode(listener.sent[0].headers["content-type"], listener.sent[0].body)
    for part in parts:
        got = received[part.name]
        assert (got.content, got.content_type) == (part.content, part.content_type)
    assert "model" in (received["file"].filename or "")
    assert received["metadata"].filename is None


@needs_curl
def test_a_head_request_does_not_hang(listener: Listener, tmp_path: Path) -> None:
    run(["bash", "-c", curl_of(exchange(listener, "HEAD", "/v1/api/docs", Headers({}), b""))], tmp_path)
    assert listener.sent[0].method == "HEAD"


@pytest.mark.parametrize("render", [curl_of, python_of], ids=["curl", "python"])
def test_no_credential_is_shown_wherever_it_stands(render: object) -> None:
    url = f"https://me:{TOKEN}@host/v1/api/pipelines/create?access_token={TOKEN}&x=1"
    headers = Headers({"Authorization": f"Bearer {TOKEN}", "X-Api-Key": TOKEN, "Cookie": f"s={TOKEN}"})
    text = render(Exchange(Request("POST", url, headers, f'{{"t": "{TOKEN}"}}'.encode()), None))  # type: ignore[operator]
    assert TOKEN not in text
    assert "TOKEN" in text
    assert "x=1" in text


def test_a_large_body_is_named_and_not_carried() -> None:
    big = Request("POST", "http://host/infer", ARROW, bytes(100_000))
    command = curl_of(Exchange(big, None))
    assert re.search(r"--data-binary @body-[0-9a-f]{8}\.arrow", command)
    assert len(command) < 400


@pytest.mark.parametrize(
    ("word", "shown"),
    [("none", ""), ("garbage", "Bearer not.a.token"), ("prefixed", "Bearer x$TOKEN"), ("forged", "but forged")],
)
def test_a_false_token_is_shown_as_false(word: str, shown: str) -> None:
    headers = Headers({} if word == "none" else {"Authorization": f"Bearer {TOKEN}"})
    probe = Exchange(Request("POST", "http://host/v1/api/workspaces/list", headers, b"{}"), None)
    probe = replace(probe, labels=frozenset({Purpose.IDENTITY.of(word)}))
    for text in (curl_of(probe), python_of(probe)):
        assert TOKEN not in text
        assert shown in text or shown.replace("$TOKEN", "{os.environ['TOKEN']}") in text
        assert ("conformance token" in text) == (word == "prefixed")


def test_an_answer_in_arrow_is_not_poured_into_the_terminal() -> None:
    answer = Response(200, Headers({"Content-Type": "application/vnd.apache.arrow.file"}), b"ARROW1")
    assert "-o answer.arrow" in curl_of(Exchange(Request("POST", "http://host/infer", ARROW, b"{}"), answer))
