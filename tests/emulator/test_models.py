from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

import pytest

from conformance.data import FIXTURES

MODEL = (FIXTURES / "models" / "fraud.onnx").read_bytes()


def made(response: Any) -> int:
    assert response.status_code == 202, response.text
    found: int = response.json()["insert_models"]["returning"][0]["models"][0]["id"]
    return found


def test_each_upload_is_a_new_version_of_one_model_with_the_sha_of_its_bytes(instance: Any) -> None:
    name = instance.name()
    first, second = made(instance.upload(name=name)), made(instance.upload(name=name))
    versions = instance.ok("models/list_versions", {"model_id": name})
    assert [version["id"] for version in versions] == [first, second]
    assert {version["sha"] for version in versions} == {hashlib.sha256(MODEL).hexdigest()}
    assert len({version["models_pk_id"] for version in versions}) == 1
    assert len({uuid.UUID(version["model_version"]) for version in versions}) == 2
    assert {version["status"] for version in versions} == {"ready"}


def test_a_versions_id_is_not_its_models(instance: Any) -> None:
    name = instance.name()
    version = made(instance.upload(name=name))
    assert instance.ok("models/list_versions", {"model_id": name})[0]["models_pk_id"] != version


def test_the_two_filters_are_joined_by_or(instance: Any) -> None:
    one, two = instance.name(), instance.name()
    made(instance.upload(name=one))
    made(instance.upload(name=two))
    model = instance.ok("models/list_versions", {"model_id": two})[0]["models_pk_id"]
    both = instance.ok("models/list_versions", {"model_id": one, "models_pk_id": model})
    assert [version["model_id"] for version in both] == [one, two]
    assert instance.ok("models/list_versions", {"models_pk_id": model})[0]["model_id"] == two
    assert instance.ok("models/list_versions", {"model_id": "no such model", "models_pk_id": None}) == []
    everything = instance.ok("models/list_versions", {})
    assert {one, two} <= {version["model_id"] for version in everything}


def test_an_unknown_workspace_is_a_500_that_tells_nothing_of_the_database(instance: Any) -> None:
    response = instance.upload(workspace=999_999)
    assert (response.status_code, response.json()["code"]) == (500, 500)
    assert response.json()["msg"].startswith("Internal Server Error: ")
    assert not any(word in response.text.lower() for word in ("sql", "constraint", "foreign", "violat", "fkey"))


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"name": ""},
        {"visibility": None},
        {"workspace_id": "10"},
        {"conversion": None},
        {"conversion": {}},
        {"conversion": {"framework": "none", "requirements": []}},
        {"conversion": {"framework": "onnx"}},
        {"conversion": {"framework": "onnx", "requirements": [1]}},
        {"conversion": {"framework": "onnx", "requirements": [], "python_version": "2.7"}},
        {"conversion": {"framework": "onnx", "requirements": [], "python_version": None}},
        {"conversion": {"framework": "onnx", "requirements": [], "arch": "power10"}},
        {"image_path": 1},
    ],
    ids=repr,
)
def test_metadata_of_the_wrong_shape_is_400(instance: Any, change: Any) -> None:
    conversion = {"framework": "onnx", "requirements": []}
    metadata = {"name": "n", "visibility": "public", "workspace_id": 10, "conversion": conversion} | change
    files = {"metadata": (None, json.dumps(metadata), "application/json"), "file": ("f", MODEL)}
    response = instance.http.post("/v1/api/models/upload_and_convert", files=files, headers=instance.headers)
    assert (response.status_code, response.json()["code"]) == (400, 400)


def metadata() -> str:
    conversion = {"framework": "onnx", "requirements": []}
    return json.dumps({"name": "n", "visibility": "public", "workspace_id": 10, "conversion": conversion})


@pytest.mark.parametrize(
    "files",
    [
        {"file": ("f", MODEL)},
        {"metadata": (None, metadata())},
        {"metadata": (None, "no json"), "file": ("f", MODEL)},
        {"metadata": (None, "[]"), "file": ("f", MODEL)},
        {"metadata": (None, metadata()), "file": (None, "a text field")},
        [("file", (f"f{index}", MODEL)) for index in range(20)],
    ],
    ids=range(6),
)
def test_a_form_that_lacks_a_part_is_400(instance: Any, files: Any) -> None:
    response = instance.http.post("/v1/api/models/upload_and_convert", files=files, headers=instance.headers)
    assert (response.status_code, response.json()["code"]) == (400, 400)


def test_a_form_that_is_none_is_refused(instance: Any) -> None:
    path = "/v1/api/models/upload_and_convert"
    for media_type, status in (
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=x", 400),
        ("application/json", 415),
        ("", 415),
    ):
        headers = instance.headers | {"content-type": media_type}
        assert instance.http.post(path, content=b"nonsense", headers=headers).status_code == status, media_type


def test_metadata_is_taken_as_a_file_part_too(instance: Any) -> None:
    files = {"metadata": ("metadata.json", metadata(), "application/json"), "file": ("f", MODEL)}
    made(instance.http.post("/v1/api/models/upload_and_convert", files=files, headers=instance.headers))
