from __future__ import annotations

import time
from typing import Any

import pytest

ROW = [{"dense_input": [0.5] * 29}]


@pytest.fixture
def pipeline(instance: Any) -> Any:
    return instance.pipeline(instance.model())


def ids(pipeline: Any) -> dict[str, int]:
    return {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}


def test_a_deployment_is_starting_then_running_then_gone(start: Any) -> None:
    instance = start(start_seconds=0.4, stop_seconds=0.3)
    pipeline = instance.pipeline(instance.model())
    body = {"deploy_id": "p", **ids(pipeline), "models": pipeline["models"]}
    name = f"p-{instance.ok('pipelines/deploy', body)['id']}"
    status = {"name": name}
    first = instance.ok("status/get_deployment", status)
    assert first == {"status": "Starting", "details": [], "engines": [], "engine_lbs": [], "sidekicks": []}
    assert (instance.infer(name, pipeline["name"], ROW).status_code) == 503
    assert instance.infer(name, pipeline["name"], ROW).content == b""
    time.sleep(0.22)
    second = instance.ok("status/get_deployment", status)
    assert second["status"] == "Starting"
    assert (second["engines"][0]["status"], second["engines"][0]["ip"]) == ("Pending", None)
    assert second["engines"][0]["model_statuses"] is None
    running = instance.until(name, "Running")
    assert running["engines"][0]["name"] == second["engines"][0]["name"]
    assert running["engines"][0]["model_statuses"] == {"models": [pipeline["models"][0] | {"status": "Running"}]}
    assert instance.infer(name, pipeline["name"], ROW).status_code == 200
    undeploy = instance.call("pipelines/undeploy", {"deployment_id": int(name.split("-")[-1])})
    assert (undeploy.status_code, undeploy.content) == (200, b"null")
    assert instance.call("status/get_deployment", status).status_code == 200
    assert instance.infer(name, pipeline["name"], ROW).status_code == 404
    assert instance.until(name, 404) == {"msg": "Deployment not found", "code": 404}


def test_deploying_again_gives_the_same_id_until_undeployed_then_a_new_one(instance: Any, pipeline: Any) -> None:
    body = {"deploy_id": "again", **ids(pipeline), "models": pipeline["models"]}
    first = instance.ok("pipelines/deploy", body)
    assert instance.ok("pipelines/deploy", body) == first
    assert instance.ok("pipelines/deploy", body | {"engine_config": {"engine": {"cpu": 2}}}) == first
    instance.ok("pipelines/undeploy", {"pipeline_id": pipeline["pipeline_pk_id"], "deployment_id": first["id"]})
    assert instance.ok("pipelines/deploy", body)["id"] > first["id"]
    instance.until(f"again-{first['id']}", 404)


def test_a_name_unlike_the_pipelines_is_taken_and_the_url_goes_by_the_pipelines(instance: Any, pipeline: Any) -> None:
    deployment = instance.deployed(pipeline, "unlike")
    body = {"workspace_id": 10, "pipeline_name": pipeline["name"]}
    external = instance.ok("admin/get_pipeline_external_url", body)["url"]
    assert external == f"{instance.url}/v1/api/pipelines/infer/{deployment}/{pipeline['name']}"
    internal = instance.ok("admin/get_pipeline_internal_url", body)["url"]
    assert internal == f"http://engine-lb.{deployment}:29502/pipelines/{pipeline['name']}"
    wrong = instance.call("admin/get_pipeline_external_url", body | {"pipeline_name": "unlike"})
    assert (wrong.status_code, wrong.json()) == (404, {"msg": "Pipeline not found", "code": 404})
    assert instance.infer(deployment, "unlike", ROW).status_code == 404


def test_two_names_of_one_deployment_both_lead_to_it(instance: Any, pipeline: Any) -> None:
    deployment = instance.deployed(pipeline, "first")
    again = instance.deployed(pipeline, "second")
    assert deployment.split("-")[1] == again.split("-")[1]
    for name in (deployment, again):
        assert instance.ok("status/get_deployment", {"name": name})["status"] == "Running"
        assert instance.infer(name, pipeline["name"], ROW).status_code == 200


def test_the_url_is_on_the_host_that_was_asked(instance: Any, pipeline: Any) -> None:
    instance.deployed(pipeline)
    body = {"workspace_id": 10, "pipeline_name": pipeline["name"]}
    headers = instance.headers | {"host": "x.api.example.test"}
    url = instance.http.post("/v1/api/admin/get_pipeline_external_url", json=body, headers=headers).json()["url"]
    assert url.startswith("http://x.api.example.test/v1/api/pipelines/infer/")
    headers["host"] = "evil/?<script>"
    url = instance.http.post("/v1/api/admin/get_pipeline_external_url", json=body, headers=headers).json()["url"]
    assert url.startswith(f"{instance.url}/v1/api/pipelines/infer/")


@pytest.mark.parametrize("how", ["models", "model_ids", "model_configs", "steps alone"])
def test_models_are_given_in_any_of_the_ways(instance: Any, how: str) -> None:
    model = instance.model(name=instance.name())
    version = instance.ok("models/list_versions", {"model_id": model["name"]})[0]["id"]
    given = {"models": [model]} if how == "models" else {how: [version]} if how != "steps alone" else {}
    for pipeline in (instance.pipeline(model), *([instance.pipeline()] if given else [])):
        name = instance.deployed(pipeline | {"models": []}, **given)
        engine = instance.ok("status/get_deployment", {"name": name})["engines"][0]
        assert [each["sha"] for each in engine["model_statuses"]["models"]] == [model["sha"]]
        assert instance.infer(name, pipeline["name"], ROW).status_code == 200


def test_an_older_version_is_deployed_when_asked_for_while_a_newer_exists(instance: Any) -> None:
    first, second = instance.model(name="old"), instance.model(name="new")
    older = instance.pipeline(first, name="versions")
    instance.pipeline(second, name="versions")
    name = instance.deployed(older)
    assert '"old"' in instance.infer(name, "versions", ROW).json()[0]["metadata"]["last_model"]


def test_another_version_replaces_what_a_live_deployment_serves(instance: Any) -> None:
    older = instance.pipeline(instance.model(name="old"), name="hot-swap")
    name = instance.deployed(older)
    newer = instance.pipeline(instance.model(name="new"), name="hot-swap")
    assert instance.deployed(newer) == name
    assert '"new"' in instance.infer(name, "hot-swap", ROW).json()[0]["metadata"]["last_model"]


def test_an_empty_pipeline_deploys_and_has_nothing_to_infer_with(instance: Any) -> None:
    pipeline = instance.pipeline()
    name = instance.deployed(pipeline)
    response = instance.infer(name, pipeline["name"], ROW)
    assert (response.status_code, response.json()[0]["error_type"]) == (500, "NoModel")


def test_a_deploy_that_cannot_be_made_is_400_and_deploys_nothing(instance: Any, pipeline: Any) -> None:
    other = instance.pipeline()
    model = pipeline["models"][0]
    stranger = instance.model(name=instance.name())
    body = {"deploy_id": "no", **ids(pipeline), "models": pipeline["models"]}
    for change in (
        {"deploy_id": ""},
        {"deploy_id": None},
        {"pipeline_id": 999_999},
        {"pipeline_id": None},
        {"pipeline_version_pk_id": other["pipeline_variant_pk_id"]},
        {"pipeline_version_pk_id": "1"},
        {"models": [model | {"sha": "0" * 64}]},
        {"models": [model | {"version": "not-a-version"}]},
        {"models": [model | {"name": "no-such"}]},
        {"models": [{"name": "model"}]},
        {"models": ["model"]},
        {"models": {}},
        {"models": [stranger]},
        {"model_ids": [999_999]},
        {"model_ids": ["1"]},
        {"model_configs": [True]},
        {"engine_config": "big"},
    ):
        assert instance.call("pipelines/deploy", body | change).status_code == 400, change
    response = instance.call("admin/get_pipeline_external_url", {"workspace_id": 10, "pipeline_name": pipeline["name"]})
    assert (response.status_code, response.json()["code"]) == (404, 404)


def test_undeploying_twice_or_what_was_never_deployed_is_harmless(instance: Any, pipeline: Any) -> None:
    never = instance.call("pipelines/undeploy", {"pipeline_id": pipeline["pipeline_pk_id"]})
    assert (never.status_code, never.content) == (200, b"null")
    deployment = int(instance.deployed(pipeline).rsplit("-", 1)[1])
    for _ in range(2):
        assert instance.call("pipelines/undeploy", {"deployment_id": deployment}).content == b"null"


def test_undeploying_what_never_was_is_400_and_ends_nothing(instance: Any, pipeline: Any) -> None:
    name = instance.deployed(pipeline)
    deployment, other = int(name.rsplit("-", 1)[1]), instance.pipeline()["pipeline_pk_id"]
    for body in (
        {},
        {"pipeline_id": None, "deployment_id": None},
        {"pipeline_id": 999_999},
        {"deployment_id": 999_999},
        {"deployment_id": str(deployment)},
        {"deployment_id": deployment, "pipeline_id": other},
    ):
        assert instance.call("pipelines/undeploy", body).status_code == 400, body
    assert instance.ok("status/get_deployment", {"name": name})["status"] == "Running"


@pytest.mark.parametrize("name", ["", "x", "never-1", "-", "a-0x1", "a-１４", "a-" + "9" * 40, "again--14"])
def test_status_of_what_never_was_is_404(instance: Any, name: str) -> None:
    response = instance.call("status/get_deployment", {"name": name})
    assert (response.status_code, response.json()) == (404, {"msg": "Deployment not found", "code": 404})


def test_nothing_of_one_workspace_is_of_use_in_another(instance: Any) -> None:
    other = instance.ok("workspaces/create", {"workspace_name": instance.name()})["workspace_id"]
    name = instance.name()
    here = instance.model(name=name)
    pipeline_here = instance.pipeline(here, name=name)
    pipeline_there = instance.pipeline(here, name=name, workspace=other)
    assert pipeline_here["pipeline_pk_id"] != pipeline_there["pipeline_pk_id"]
    body = {"deploy_id": name, **ids(pipeline_there), "models": [here]}
    assert instance.call("pipelines/deploy", body).status_code == 400
    there = instance.model(name=name, workspace=other)
    pipeline_there = instance.pipeline(there, name=name, workspace=other)
    first, second = instance.deployed(pipeline_here), instance.deployed(pipeline_there)
    assert first != second
    for workspace, deployment in ((10, first), (other, second)):
        url = instance.ok("admin/get_pipeline_external_url", {"workspace_id": workspace, "pipeline_name": name})["url"]
        assert f"/{deployment}/" in url
    listed = {each["id"]: each for each in instance.ok("workspaces/list", {})["workspaces"]}
    assert pipeline_there["pipeline_pk_id"] in listed[other]["pipelines"]
    assert pipeline_there["pipeline_pk_id"] not in listed[10]["pipelines"]


def test_release_2026_1_answers_as_it_does(start: Any) -> None:
    instance = start(profile="2026.1")
    model = instance.model(name="m")
    assert instance.upload(file_name="no-extension").status_code == 400
    pipeline = instance.pipeline(model)
    name = instance.deployed(pipeline)
    engine = instance.ok("status/get_deployment", {"name": name})["engines"][0]
    assert isinstance(engine["model_statuses"]["models"][0]["model_version_id"], int)
    assert engine["pipeline_statuses"]["pipelines"][0]["version"] == pipeline["pipeline_variant_version"]
    (record,) = instance.infer(name, pipeline["name"], ROW).json()
    assert record["anomaly"] == {"count": 0}
    assert "check_failures" not in record
    bad = instance.infer(name, pipeline["name"], [{}])
    assert bad.status_code == 400
    assert bad.json()["status"] == "Error"
    failed = instance.infer(name, pipeline["name"], [{"dense_input": [0.5] * 28}])
    assert failed.status_code == 500
    assert failed.json()["status"] == "Error"
    headers = instance.headers | {"host": "x.api.example.test"}
    body = {"workspace_id": 10, "pipeline_name": pipeline["name"]}
    url = instance.http.post("/v1/api/admin/get_pipeline_external_url", json=body, headers=headers).json()["url"]
    assert url.startswith("http://x.example.test/")
    assert instance.ok("pipelines/undeploy", {"pipeline_id": pipeline["pipeline_pk_id"]}) == {}
    copy = {"name": "c", "workspace_id": 10, "source_pipeline": pipeline["pipeline_pk_id"]}
    assert instance.call("pipelines/copy", copy).status_code == 404
    by_version = {"deploy_id": "v", "pipeline_version": pipeline["pipeline_variant_version"]}
    assert isinstance(instance.ok("pipelines/deploy", by_version)["id"], int)
