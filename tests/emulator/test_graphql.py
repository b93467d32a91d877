from __future__ import annotations

from typing import Any

import graphql as core


def ask(instance: Any, query: str, **variables: Any) -> Any:
    response = instance.http.post(
        "/v1/graphql", json={"query": query, "variables": variables}, headers=instance.headers
    )
    assert response.status_code == 200
    return response.json()


def test_a_client_builds_the_schema_from_introspection(instance: Any) -> None:
    found = ask(instance, core.get_introspection_query())["data"]
    schema = core.build_client_schema(found)
    assert core.validate_schema(schema) == []
    query = "query ($n: String!) { pipeline(where: {pipeline_id: {_eq: $n}}, order_by: {created_at: desc}) { id } }"
    assert core.validate(schema, core.parse(query)) == []
    (error,) = core.validate(schema, core.parse("{ assay { id } }"))
    assert "Cannot query field 'assay'" in error.message


def test_rows_are_chosen_ordered_and_cut(instance: Any) -> None:
    for name in ("rows-b", "rows-a", "rows-c"):
        instance.pipeline(name=name)
    query = """query ($names: [String!]!) { pipeline(where: {pipeline_id: {_in: $names}, _not: {pipeline_id:
        {_eq: "rows-c"}}}, order_by: {pipeline_id: asc}, limit: 1, offset: 1) { pipeline_id workspace { id } } }"""
    found = ask(instance, query, names=["rows-a", "rows-b", "rows-c"])
    assert found == {"data": {"pipeline": [{"pipeline_id": "rows-b", "workspace": {"id": 10}}]}}


def test_a_deployment_leads_to_its_version_config_and_model(instance: Any) -> None:
    pipeline = instance.pipeline(instance.model(name="led-to"))
    name = instance.deployed(pipeline, engine_config={"engine": {"cpu": 1}})
    query = """query ($id: bigint!) { deployment_by_pk(id: $id) { deploy_id deployed engine_config
        pipeline { pipeline_id }
        deployment_model_configs { model_config { runtime model { model_id arch: conversion(path: "framework") } } }
        deployment_pipeline_versions(order_by: {pipeline_version: {id: desc}}) { pipeline_version { id } } } }"""
    found = ask(instance, query, id=int(name.rsplit("-", 1)[1]))["data"]["deployment_by_pk"]
    assert (found["deploy_id"], found["deployed"]) == (pipeline["name"], True)
    assert found["engine_config"] == {"engine": {"cpu": 1}}
    assert found["pipeline"] == {"pipeline_id": pipeline["name"]}
    (config,) = found["deployment_model_configs"]
    assert config["model_config"] == {"runtime": "onnx", "model": {"model_id": "led-to", "arch": "onnx"}}
    (version,) = found["deployment_pipeline_versions"]
    assert version["pipeline_version"]["id"] == pipeline["pipeline_variant_pk_id"]


def test_a_search_looks_at_names_and_tags(instance: Any) -> None:
    made = instance.pipeline(name="searched")["pipeline_pk_id"]
    tag = ask(instance, 'mutation { insert_tag(objects: {tag: "blue-tag"}) { returning { id } } }')
    number = tag["data"]["insert_tag"]["returning"][0]["id"]
    link = """mutation ($p: bigint!, $t: bigint!) { insert_pipeline_tag(objects: {pipeline_pk_id: $p, tag_pk_id: $t})
        { returning { pipeline_pk_id tag_pk_id } } }"""
    assert ask(instance, link, p=made, t=number)["data"]["insert_pipeline_tag"]["returning"]
    search = """query ($term: String!) { search_pipelines(args: {search: $term}, distinct_on: id, order_by: {id: desc},
        where: {pipeline: {workspace: {id: {_eq: 10}}}}) { pipeline { id } } }"""
    for term in ("searched", "blue-tag"):
        found = ask(instance, search, term=term)["data"]["search_pipelines"]
        assert {each["pipeline"]["id"] for each in found} == {made}
    again = ask(instance, link, p=made, t=number)["errors"][0]
    assert again["extensions"]["code"] == "constraint-violation"
    assert "Uniqueness violation" in again["message"]
    gone = "mutation ($t: bigint!) { delete_pipeline_tag(where: {tag_pk_id: {_eq: $t}}) { affected_rows } }"
    assert ask(instance, gone, t=number)["data"]["delete_pipeline_tag"] == {"affected_rows": 1}
    assert ask(instance, search, term="blue-tag")["data"]["search_pipelines"] == []


def test_a_default_workspace_is_made_once_for_its_user(start: Any) -> None:
    instance = start()
    query = """query ($user: String = "") { user_default_workspace(where: {user_id: {_eq: $user}}) {
        workspace { name users { user_id } } } }"""
    assert ask(instance, query, user="u-1")["data"]["user_default_workspace"] == []
    make = """mutation ($user: String!, $name: String!) { insert_workspace_one(object: {name: $name, created_by: $user,
        users: {data: {user_id: $user, user_type: "OWNER"}}, archived: false, user_default_workspaces: {data:
        {user_id: $user}}}, on_conflict: {constraint: workspace_name_key, update_columns: []}) { id } }"""
    assert ask(instance, make, user="u-1", name="mine")["data"]["insert_workspace_one"]["id"] > 10
    (found,) = ask(instance, query, user="u-1")["data"]["user_default_workspace"]
    assert found["workspace"] == {"name": "mine", "users": [{"user_id": "u-1"}]}
    assert ask(instance, make, user="u-1", name="mine") == {"data": {"insert_workspace_one": None}}


def test_who_may_see_a_model_is_changed(instance: Any) -> None:
    instance.model(name="seen-by-all")
    change = """mutation ($name: String!) { update_model(where: {model_id: {_eq: $name}}, _set: {visibility: "private"})
        { affected_rows returning { model_id visibility } } }"""
    found = ask(instance, change, name="seen-by-all")["data"]["update_model"]
    assert found == {"affected_rows": 1, "returning": [{"model_id": "seen-by-all", "visibility": "private"}]}


def test_what_the_schema_does_not_have_is_named_and_needs_a_token(instance: Any) -> None:
    error = ask(instance, "{ assay { id } }")["errors"][0]
    assert "assay" in error["message"]
    assert error["extensions"] == {"path": "$", "code": "validation-failed"}
    assert instance.http.post("/v1/graphql", json={"query": "{ tag { id } }"}).status_code == 401
