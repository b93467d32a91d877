from __future__ import annotations

import uuid
from typing import Any

import pytest


def test_creating_a_name_again_keeps_the_pipeline_and_adds_a_version(instance: Any) -> None:
    first = instance.pipeline(name="twice")
    second = instance.pipeline(name="twice")
    assert first["pipeline_pk_id"] == second["pipeline_pk_id"]
    assert first["pipeline_variant_pk_id"] < second["pipeline_variant_pk_id"]
    assert uuid.UUID(first["pipeline_variant_version"]) != uuid.UUID(second["pipeline_variant_version"])


@pytest.mark.parametrize("definition", [None, {}, {"steps": []}, {"anything": [1, {"else": None}]}])
def test_a_definition_is_free_form(instance: Any, definition: Any) -> None:
    body = {"pipeline_id": instance.name(), "workspace_id": 10.0, "definition": definition, "unknown": 1}
    assert set(instance.ok("pipelines/create", body)) == {
        "pipeline_pk_id",
        "pipeline_variant_pk_id",
        "pipeline_variant_version",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"pipeline_id": None},
        {"pipeline_id": 5},
        {"pipeline_id": ""},
        {"pipeline_id": "a" * 256},
        {"pipeline_id": "tab\tbed"},
        {"pipeline_id": ".."},
        {"workspace_id": "10"},
        {"workspace_id": True},
        {"workspace_id": 10.5},
        {"workspace_id": 10**30},
        {"workspace_id": 2**63 - 1},
        {"workspace_id": None},
        {"definition": "{}"},
        {"definition": {"steps": "none"}},
        {"definition": {"steps": [1]}},
        {"definition": {"steps": [{"ModelInference": {"models": [{"name": "a"}]}}]}},
        {"definition": {"steps": [{"ModelInference": {"models": "a"}}]}},
        {"definition": {"steps": [{"ModelInference": None}]}},
    ],
    ids=repr,
)
def test_a_create_of_the_wrong_shape_is_400_and_makes_nothing(instance: Any, change: Any) -> None:
    before = instance.ok("workspaces/list", {})
    body = {"pipeline_id": instance.name(), "workspace_id": 10, "definition": {}} | change
    response = instance.call("pipelines/create", body)
    assert (response.status_code, response.json()["code"]) == (400, 400)
    assert response.json()["msg"].startswith("Bad request: ")
    assert instance.ok("workspaces/list", {}) == before


@pytest.mark.parametrize("name", ["a" * 255, "ünï-çødé", "with space", "a/b", "per%cent", "?q#f", "名前", "'); DROP--"])
def test_any_printable_name_is_a_name_all_the_way_to_inference(instance: Any, name: str) -> None:
    pipeline = instance.pipeline(instance.model(), name=name)
    deployment = instance.deployed(pipeline)
    url = instance.ok("admin/get_pipeline_external_url", {"workspace_id": 10, "pipeline_name": name})["url"]
    response = instance.http.post(url, json=[{"dense_input": [0.5] * 29}], headers=instance.headers)
    assert response.status_code == 200, url
    instance.ok("pipelines/undeploy", {"pipeline_id": pipeline["pipeline_pk_id"]})
    instance.until(deployment, 404)


def test_a_copy_has_new_ids_and_serves_the_same(instance: Any) -> None:
    source = instance.pipeline(instance.model())
    name = instance.name()
    body = {"name": name, "workspace_id": 10, "source_pipeline": source["pipeline_pk_id"]}
    copied = instance.ok("pipelines/copy", body)
    assert copied["pipeline_pk_id"] > source["pipeline_pk_id"]
    assert copied["pipeline_variant_pk_id"] > source["pipeline_variant_pk_id"]
    assert (copied["pipeline_version"], copied["deployment"]) == (None, None)
    again = instance.name()
    copy_of_copy = instance.ok("pipelines/copy", body | {"name": again, "source_pipeline": copied["pipeline_pk_id"]})
    outputs = []
    for pipeline, called in ((source, source["name"]), (copied, name), (copy_of_copy, again)):
        deployment = instance.deployed(pipeline | {"name": called, "models": source["models"]})
        outputs.append(instance.infer(deployment, called, [{"dense_input": [0.5] * 29}]).json()[0]["out"])
    assert outputs[0] == outputs[1] == outputs[2]


def test_a_copy_can_be_of_a_version_and_deployed_at_once(instance: Any) -> None:
    name = instance.name()
    empty = instance.pipeline(name=name)
    instance.pipeline(instance.model(), name=name)
    copy = instance.name()
    body = {"name": copy, "workspace_id": 10, "source_pipeline": empty["pipeline_pk_id"], "deploy": "elsewhere"}
    version = {"pipeline_version": empty["pipeline_variant_version"], "engine_config": {"engine": {"cpu": 1}}}
    copied = instance.ok("pipelines/copy", body | version)
    assert copied["pipeline_version"] == empty["pipeline_variant_version"]
    status = instance.until(f"elsewhere-{copied['deployment']['id']}", "Running")
    assert status["engines"][0]["model_statuses"] == {"models": []}
    assert status["engines"][0]["pipeline_statuses"]["pipelines"][0]["id"] == copy


def test_a_copy_that_cannot_be_made_is_400_and_makes_nothing(instance: Any) -> None:
    source = instance.pipeline()
    other = instance.ok("workspaces/create", {"workspace_name": instance.name()})["workspace_id"]
    body = {"name": instance.name(), "workspace_id": 10, "source_pipeline": source["pipeline_pk_id"]}
    before = instance.ok("workspaces/list", {})
    for change in (
        {"name": source["name"]},
        {"source_pipeline": 999_999},
        {"workspace_id": other},
        {"pipeline_version": str(uuid.uuid4())},
        {"engine_config": "many"},
        {"deploy": 5},
        {"deploy": ""},
    ):
        assert instance.call("pipelines/copy", body | change).status_code == 400, change
    assert instance.ok("workspaces/list", {}) == before
