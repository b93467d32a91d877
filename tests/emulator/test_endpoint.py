from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.emulator.app import OPERATIONS
from conformance.emulator.settings import Limits

PATHS = [path for _, path, _ in OPERATIONS if "{" not in path]
JSON_PATHS = [path for path in PATHS if "upload" not in path]


@pytest.mark.parametrize("path", [*PATHS, "/v1/api/pipelines/infer/a-1/a"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "QUERY"])
def test_another_method_is_405_with_allow(instance: Any, path: str, method: str) -> None:
    response = instance.http.request(method, path, headers=instance.headers)
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert response.content == b"" if method == "HEAD" else response.json()["code"] == 405


@pytest.mark.parametrize("path", PATHS)
def test_options_says_what_is_allowed(instance: Any, path: str) -> None:
    response = instance.http.options(path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == "POST, OPTIONS"
    assert "content-length" not in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/api",
        "/v1/api/pipelines",
        "/v1/api/pipelines/create/",
        "/v1/api/pipelines/creat",
        "//v1/api/pipelines/create",
        "/v1/api/pipelines/infer/one",
        "/v1/api/pipelines/infer/one/two/three",
        "/%00",
        "/v1/api/docs/..%2f..%2fstate.sqlite",
    ],
)
def test_an_unknown_path_is_404(instance: Any, path: str) -> None:
    response = instance.http.post(path, json={}, headers=instance.headers)
    assert (response.status_code, response.json()["code"]) == (404, 404)


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"x"', b"1", b'{"a":NaN}', b"\xff\xfe", b"{" * 5000])
def test_what_is_no_json_object_is_400(instance: Any, path: str, body: bytes) -> None:
    headers = instance.headers | {"content-type": "application/json"}
    response = instance.http.post(path, content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, 400)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/json; charset=utf-16", ""])
def test_another_media_type_is_415(instance: Any, path: str, media_type: str) -> None:
    headers = instance.headers | {"content-type": media_type}
    response = instance.http.post(path, content=b"{}", headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, 415)


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"'])
def test_parameters_of_the_media_type_are_understood(instance: Any, media_type: str) -> None:
    headers = instance.headers | {"content-type": media_type}
    assert instance.http.post("/v1/api/workspaces/list", content=b"{}", headers=headers).status_code == 200


def test_a_body_past_its_limit_is_413_whether_declared_or_not(start: Any) -> None:
    instance = start(limits=Limits(json_bytes=1000, inference_bytes=1000, upload_bytes=10_000))
    for path, limit in (
        ("/v1/api/pipelines/create", 1000),
        ("/v1/api/pipelines/infer/a-1/a", 1000),
        ("/v1/api/models/upload_and_convert", 10_000),
    ):
        body = json.dumps({"pipeline_id": "x" * limit}).encode()
        headers = instance.headers | {"content-type": "application/json"}
        declared = instance.http.post(path, content=body, headers=headers)
        streamed = instance.http.post(path, content=iter([body[:500], body[500:]]), headers=headers)
        for response in (declared, streamed):
            assert (response.status_code, response.json()["code"]) == (413, 413), path
    assert instance.call("workspaces/list", {}).status_code == 200


def test_a_failure_of_the_instance_itself_tells_the_client_nothing(start: Any, caplog: Any) -> None:
    async def failing(call: Any, proceed: Any, state: Any) -> Any:
        raise RuntimeError("SELECT secret FROM somewhere")

    instance = start(middleware={"workspaces.list": (failing,)})
    response = instance.call("workspaces/list", {})
    assert (response.status_code, response.json()) == (500, {"msg": "Internal Server Error", "code": 500})
    assert "SELECT secret" in caplog.text
