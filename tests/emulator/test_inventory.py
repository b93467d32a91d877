from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.emulator.beyond import PATHS, offered
from tests.emulator.conftest import MODEL, SHA


def version_of(instance: Any, name: str) -> int:
    instance.model(name=name)
    return int(instance.ok("models/list_versions", {"model_id": name})[0]["id"])


def test_a_version_is_shown_with_its_config_as_recorded(instance: Any) -> None:
    number = version_of(instance, "shown")
    found = instance.ok("models/get_version_by_id", {"model_version_id": number})["model_version"]
    version, config = found["model_version"], found["config"]
    assert (version["id"], version["name"], version["status"]) == (number, "shown", "ready")
    assert version["file_info"] | {"version": ""} == {
        "version": "",
        "sha": SHA,
        "file_name": "m.onnx",
        "size": len(MODEL),
    }
    assert config == {"id": number, "model_version_id": number, "runtime": "onnx"} | dict.fromkeys(
        config.keys() - {"id", "model_version_id", "runtime"}
    )


def test_a_new_config_has_an_id_that_no_version_has_and_is_the_newest(instance: Any) -> None:
    number = version_of(instance, "configured")
    made = instance.ok("models/insert_model_config", {"model_version_id": number, "tensor_fields": ["tensor"]})
    config = made["model_config"]
    assert config["tensor_fields"] == ["tensor"]
    assert config["id"] > number
    later = version_of(instance, "later")
    assert later > config["id"]
    shown = instance.ok("models/get_config_by_id", {"model_id": number})["model_config"]
    assert shown == {"id": config["id"], "runtime": "onnx", "tensor_fields": ["tensor"], "filter_threshold": None}


def test_a_pipeline_is_deployed_by_a_models_new_config(instance: Any) -> None:
    number = version_of(instance, "by-config")
    config = instance.ok("models/insert_model_config", {"model_version_id": number})["model_config"]["id"]
    made = instance.pipeline()
    ids = {"pipeline_id": made["pipeline_pk_id"], "pipeline_version_pk_id": made["pipeline_variant_pk_id"]}
    deployed = instance.ok("pipelines/deploy", {"deploy_id": "by-config", "model_configs": [config], **ids})
    status = instance.until(f"by-config-{deployed['id']}", "Running")
    assert status["engines"][0]["model_statuses"]["models"][0]["name"] == "by-config"


def test_models_of_a_workspace_are_listed_in_each_releases_form(start: Any) -> None:
    flat, nested = start(), start(profile="2026.1")
    for each in (flat, nested):
        each.model(name="listed")
    (model,) = flat.ok("models/list", {"workspace_id": 10})["models"]
    assert (model["name"], set(model)) == ("listed", {"id", "name", "owner_id", "created_at", "updated_at"})
    (item,) = nested.ok("models/list", {"workspace_id": 10})["models"]
    assert (item["model"]["name"], item["workspace"]["id"]) == ("listed", 10)
    assert item["model_versions"][0]["model_version"]["file_info"]["sha"] == SHA
    assert flat.call("models/list", {"workspace_id": 99}).status_code == 400
    assert flat.call("models/list", {}).status_code == 400


def test_a_model_is_found_with_its_versions_the_newest_first(instance: Any) -> None:
    first, second = version_of(instance, "twice"), 0
    instance.model(name="twice")
    versions = instance.ok("models/list_versions", {"model_id": "twice"})
    second = max(version["id"] for version in versions)
    key = versions[0]["models_pk_id"]
    assert [version["id"] for version in instance.ok("models/get", {"id": key})["models"]] == [second, first]
    assert instance.ok("models/get_by_id", {"id": key})["model_config"]["id"] == second
    refused = instance.call("models/get", {"id": 10**6})
    assert (refused.status_code, refused.json()["msg"]) == (400, "The provided model id was not found.")


def test_an_upload_without_conversion_is_answered_by_200(instance: Any) -> None:
    conversion = {"framework": "onnx", "requirements": []}
    metadata = {"name": "plain", "visibility": "private", "workspace_id": 10, "conversion": conversion}
    files = {"metadata": (None, json.dumps(metadata), "application/json"), "file": ("m.onnx", MODEL)}
    response = instance.http.post("/v1/api/models/upload", files=files, headers=instance.headers)
    assert response.status_code == 200
    made = response.json()["insert_models"]["returning"][0]["models"][0]["id"]
    assert made in [version["id"] for version in instance.ok("models/list_versions", {"model_id": "plain"})]


def test_pipelines_are_listed_and_found_by_name_and_version(start: Any) -> None:
    instance = start(profile="2026.1")
    made = instance.pipeline(name="found-by-name")
    listed = instance.ok("pipelines/list_pipelines", {"workspace_id": 10})["pipelines"]
    assert listed[0]["pipeline"]["name"] == "found-by-name"
    found = instance.ok("pipelines/get_pipeline_by_name", {"pipeline_name": "found-by-name", "workspace_id": 10})
    assert found["pipeline"]["id"] == made["pipeline_pk_id"]
    topic = instance.ok("plateau/get_topic_name", {"pipeline_pk_id": made["pipeline_pk_id"]})
    assert topic["topic_name"] == found["plateau_topic"]
    version = instance.ok("pipelines/get_version", {"version": made["pipeline_variant_version"]})
    assert (version["pipeline_id"], version["definition"]) == ("found-by-name", {})
    assert instance.call("pipelines/get_pipeline_by_name", {"pipeline_name": "none"}).status_code == 404


def test_the_one_user_is_known_by_id_and_address(instance: Any) -> None:
    subject = instance.state.tokens.subject
    assert instance.ok("users/query", {"user_ids": [subject]})["users"][subject]["username"] == "conformance"
    assert instance.ok("users/query", {"user_ids": ["nobody"]})["users"] == {}
    users = "/auth/admin/realms/master/users"
    found = instance.http.get(users, params={"email": "conformance@example.invalid"}, headers=instance.headers).json()
    assert [user["id"] for user in found] == [subject]
    assert instance.http.get(f"{users}/{subject}", headers=instance.headers).json()["enabled"] is True
    assert instance.http.get(f"{users}/nobody", headers=instance.headers).status_code == 404
    assert instance.http.get(users).status_code == 401
    made = instance.ok("workspaces/create", {"workspace_name": "of-one-user"})["workspace_id"]
    members = instance.ok("workspaces/list_users", {"workspace_id": made})["users"]
    assert members == [{"user_id": subject, "user_type": "OWNER"}]


def test_the_configuration_is_read_without_a_token(instance: Any) -> None:
    assert instance.http.get("/v1/api/config").json() == {"default_arch": "x86"}


@pytest.fixture
def newest(start: Any) -> Any:
    return start(profile="2026.1")


@pytest.mark.parametrize("path", PATHS)
def test_what_is_beyond_says_so_and_names_the_operation(instance: Any, newest: Any, path: str) -> None:
    instance = instance if offered(path, "2023.4") else newest
    response = instance.http.post(path, json={}, headers=instance.headers)
    assert response.status_code == 501
    assert response.json()["code"] == 501
    assert path in response.json()["msg"]
    assert instance.http.post(path, json={}).status_code == 401
