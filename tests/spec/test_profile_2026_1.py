from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from openapi_core import OpenAPI
from openapi_spec_validator import OpenAPIV31SpecValidator

from conformance.spec.document import Document, profiles

BASE = Document.load("2023.4")
NEW = Document.load("2026.1")


def schema(document: Document, name: str) -> Any:
    root = json.loads(json.dumps(document.raw))
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": root["components"]}, validate_formats=True
    )


def response(document: Document, operation: str, status: str) -> Any:
    found = document.definition(operation)["responses"][status]
    if "$ref" in found:
        found = document.raw["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
    return found


def test_the_profile_is_known():
    assert "2026.1" in profiles()


def test_the_composed_description_is_valid_openapi():
    assert list(OpenAPIV31SpecValidator(NEW.raw).iter_errors()) == []


def test_the_tools_load_the_composed_description():
    copy = json.loads(json.dumps(NEW.raw))
    OpenAPI.from_dict(copy)
    assert len(list(schemathesis.openapi.from_dict(copy).get_all_operations())) == len(NEW.operations)


def test_copying_is_gone_and_nothing_refers_to_it():
    assert {one.id for one in BASE.operations} - {one.id for one in NEW.operations} == {"pipelines.copy"}
    assert {one.id for one in NEW.operations} < {one.id for one in BASE.operations}
    assert "pipelines.copy" not in json.dumps([NEW.raw["paths"], NEW.raw["components"]])


def test_operations_that_did_not_change_are_the_same():
    for operation in ("models.list-versions", "workspaces.create", "workspaces.list"):
        assert NEW.definition(operation) == BASE.definition(operation)


@pytest.mark.parametrize("name", ["CreateRequest", "CreateResponse", "StatusRequest", "ModelReference", "ModelVersion"])
def test_schemas_that_did_not_change_are_the_same(name):
    assert NEW.raw["components"]["schemas"][name] == BASE.raw["components"]["schemas"][name]


@pytest.mark.parametrize("value", [None, {}])
def test_undeploying_answers_an_object_where_it_answered_null(value):
    old, new = (
        jsonschema_rs.is_valid(
            response(one, "pipelines.undeploy", "200")["content"]["application/json"]["schema"], value
        )
        for one in (BASE, NEW)
    )
    assert (old, new) == (value is None, value == {})


DEPLOY = {"deploy_id": "p", "pipeline_id": 1, "pipeline_version_pk_id": 2}
MODEL = {"name": "m", "version": "bdfc8c60-b5bc-4c0e-aa87-157cd52895b6", "sha": "0"}


@pytest.mark.parametrize(
    ("request_body", "old", "new"),
    [
        (DEPLOY, True, True),
        ({"deploy_id": "p"}, False, True),
        (DEPLOY | {"pipeline_id": None, "pipeline_version_pk_id": None}, False, True),
        (DEPLOY | {"engine_config": "any value"}, False, True),
        (DEPLOY | {"models": [MODEL]}, True, True),
        (DEPLOY | {"models": None}, True, True),
        (DEPLOY | {"models": [MODEL | {"version": "1"}]}, True, False),
        (DEPLOY | {"pipeline_version": "1"}, True, False),
        (DEPLOY | {"pipeline_version": None}, True, True),
        ({"pipeline_id": 1}, False, False),
    ],
)
def test_what_deploying_takes(request_body, old, new):
    assert schema(BASE, "DeployRequest").is_valid(request_body) is old
    assert schema(NEW, "DeployRequest").is_valid(request_body) is new


def test_a_failed_deployment_is_taken_in_any_form():
    for operation in ("pipelines.deploy", "pipelines.undeploy"):
        assert set(NEW.definition(operation)["responses"]) == {"200", "400", "401", "4XX", "500"}
        assert set(response(NEW, operation, "500")["content"]) == {"application/json", "*/*"}


RECORD = {
    "time": 1,
    "in": {},
    "out": {},
    "metadata": {"last_model": "{}", "pipeline_version": "", "elapsed": [1, 2], "dropped": [], "partition": "e"},
}


@pytest.mark.parametrize(
    ("record", "old", "new"),
    [
        (RECORD | {"check_failures": []}, True, False),
        (RECORD | {"anomaly": {"count": 0}}, False, True),
        (RECORD | {"anomaly": {}}, False, False),
    ],
)
def test_a_record_counts_anomalies_in_place_of_failed_checks(record, old, new):
    assert schema(BASE, "InferenceRecord").is_valid(record) is old
    assert schema(NEW, "InferenceRecord").is_valid(record) is new


def test_a_failed_inference_answers_an_object_where_it_answered_an_array():
    one = {"status": "Error", "error": "no", "code": 500, "source": "engine"}
    assert schema(NEW, "InferenceError").is_valid(one)
    assert schema(NEW, "InferenceError").is_valid({"status": "Error", "error": "no"})
    assert not schema(NEW, "InferenceError").is_valid([one])
    assert not schema(NEW, "InferenceError").is_valid({"error": "no"})


def test_the_status_of_2023_4_is_still_a_status_and_the_new_fields_are_typed():
    example = response(BASE, "status.get-deployment", "200")["content"]["application/json"]["examples"]["running"]
    status = json.loads(json.dumps(example["value"]))
    check = schema(NEW, "StatusResponse")
    assert check.is_valid(status)
    status["engines"][0]["model_statuses"]["models"][0]["model_version_id"] = 7
    status["engines"][0]["pipeline_statuses"]["pipelines"][0]["version"] = MODEL["version"]
    assert check.is_valid(status)
    status["engines"][0]["model_statuses"]["models"][0]["model_version_id"] = "7"
    assert not check.is_valid(status)


CONVERSION = {"framework": "onnx", "requirements": []}


@pytest.mark.parametrize(
    ("conversion", "old", "new"),
    [
        (CONVERSION, True, True),
        (CONVERSION | {"framework": "vllm"}, False, True),
        (CONVERSION | {"framework": "sglang"}, False, True),
        (CONVERSION | {"framework": "cobol"}, False, False),
        (CONVERSION | {"arch": "power10"}, False, True),
        (CONVERSION | {"arch": None}, True, True),
        (CONVERSION | {"accel": "cuda"}, True, True),
        (CONVERSION | {"accel": {"qaic": {}}}, True, True),
        (CONVERSION | {"accel": "steam"}, True, False),
        (CONVERSION | {"framework_config": 3}, True, False),
    ],
)
def test_what_converting_takes(conversion, old, new):
    assert schema(BASE, "Conversion").is_valid(conversion) is old
    assert schema(NEW, "Conversion").is_valid(conversion) is new


def test_what_no_schema_says_is_written_beside_the_operation():
    changed = {one.id: list(NEW.definition(one.id).get("x-behaviour", {})) for one in NEW.operations}
    assert changed.pop("pipelines.infer") == ["bad-input-may-be-400"]
    assert {name: kinds for name, kinds in changed.items() if kinds} == {
        "pipelines.deploy": ["errors-are-no-longer-documented"],
        "pipelines.undeploy": ["errors-are-no-longer-documented"],
        "models.upload-and-convert": ["file-name-needs-a-known-extension"],
        "admin.get-pipeline-external-url": ["url-host-lost-its-api-label"],
    }
    assert set(NEW.definition("models.upload-and-convert")["responses"]) >= {"202", "507"}


def test_every_example_of_the_composed_description_is_valid():
    root = json.loads(json.dumps(NEW.raw))
    checked = 0

    def walk(node: Any) -> None:
        nonlocal checked
        if isinstance(node, dict):
            if "schema" in node and "examples" in node:
                check = jsonschema_rs.validator_for({"components": root["components"], "allOf": [node["schema"]]})
                for example in node["examples"].values():
                    if "$ref" in example:
                        example = root["components"]["examples"][example["$ref"].rsplit("/", 1)[1]]
                    check.validate(example["value"])
                    checked += 1
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(root)
    assert checked > 15
