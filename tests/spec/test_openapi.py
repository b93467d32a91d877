from __future__ import annotations

import warnings
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_core import OpenAPI
from openapi_spec_validator import OpenAPIV31SpecValidator

from conformance.data import SPECS
from conformance.model import Effect
from conformance.spec.content import is_json
from conformance.spec.document import Document, profiles
from conformance.spec.validation import Schema

OPERATIONS = (
    "pipelines.create",
    "pipelines.deploy",
    "pipelines.undeploy",
    "pipelines.copy",
    "pipelines.infer",
    "status.get-deployment",
    "admin.get-pipeline-external-url",
    "models.upload-and-convert",
    "models.list-versions",
    "workspaces.create",
    "workspaces.list",
)


def _media_types(document: Document) -> list[tuple[str, dict[str, Any]]]:
    """Every media type of every request and response, with where it stands."""
    found = []
    for operation in document.operations:
        raw = document.definition(operation.id)
        messages = {"request": raw["requestBody"], **raw["responses"]}
        for key, message in messages.items():
            for name, media in document.resolved(message).get("content", {}).items():
                found.append((f"{operation.id} {key} {name}", media))
    return found


@pytest.mark.parametrize("profile", profiles())
def test_the_description_is_valid_openapi(profile: str) -> None:
    errors = list(OpenAPIV31SpecValidator(dict(Document.load(profile).raw)).iter_errors())
    assert [str(error) for error in errors] == []


def test_the_description_is_of_release_2023_4_and_openapi_3_1(document: Document) -> None:
    assert document.raw["openapi"].startswith("3.1.")
    assert document.raw["info"]["version"] == "2023.4"


def test_it_describes_the_seven_operations_and_their_four_prerequisites(document: Document) -> None:
    assert {operation.id for operation in document.operations} == set(OPERATIONS)
    assert all(operation.method == "POST" for operation in document.operations)


def test_every_operation_says_its_effect_itself(document: Document) -> None:
    said = {operation.id: document.definition(operation.id)["x-effect"] for operation in document.operations}
    assert said == {operation.id: operation.effect.value for operation in document.operations}
    assert set(said.values()) == {effect.value for effect in Effect}


def test_every_operation_documents_a_success_and_the_usual_refusals(document: Document) -> None:
    for operation in document.operations:
        responses = document.definition(operation.id)["responses"]
        assert {"400", "401", "4XX", "500"} <= set(responses)
        assert ("202" if operation.id == "models.upload-and-convert" else "200") in responses


def test_every_operation_needs_a_bearer_token(document: Document) -> None:
    assert document.raw["security"] == [{"bearer": []}]
    assert document.raw["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert not any("security" in document.definition(operation.id) for operation in document.operations)


def test_inference_is_asked_by_json_and_by_arrow(document: Document) -> None:
    asked = document.definition("pipelines.infer")["requestBody"]["content"]
    assert {"application/json; format=pandas-records", "application/vnd.apache.arrow.file"} <= set(asked)


@pytest.mark.parametrize("profile", profiles())
def test_every_json_example_is_valid_against_its_schema(profile: str) -> None:
    document = Document.load(profile)
    judged = 0
    for where, media in _media_types(document):
        for name, example in media.get("examples", {}).items():
            problems = Schema(document, media["schema"]).problems(document.resolved(example)["value"])
            assert problems == [], f"{where} {name}"
            judged += 1
    assert judged >= 30


@pytest.mark.parametrize("profile", profiles())
def test_every_json_request_and_success_has_an_example(profile: str) -> None:
    document = Document.load(profile)
    without = [
        where
        for where, media in _media_types(document)
        if is_json(where.split(" ", 2)[2]) and " 5" not in where and not media.get("examples")
    ]
    assert without == []


@pytest.mark.parametrize("profile", profiles())
def test_every_link_leads_to_an_operation_and_names_fields_that_exist(profile: str) -> None:
    document = Document.load(profile)
    for operation in document.operations:
        for response in document.definition(operation.id)["responses"].values():
            for link in document.resolved(response).get("links", {}).values():
                resolved = document.resolved(link)
                target = document.definition(resolved["operationId"])
                schema = document.resolved(next(iter(target["requestBody"]["content"].values()))["schema"])
                assert set(resolved.get("requestBody", {})) <= set(schema.get("properties", {}))
                assert set(resolved.get("parameters", {})) <= {one["name"] for one in target.get("parameters", ())}


def test_links_lead_from_creating_to_every_other_step_of_a_pipelines_life(document: Document) -> None:
    reached, waiting = set(), ["pipelines.create"]
    while waiting:
        current = waiting.pop()
        reached.add(current)
        for response in document.definition(current)["responses"].values():
            targets = [document.resolved(link)["operationId"] for link in response.get("links", {}).values()]
            assert current not in targets, "a link to itself can become the only start of every generated scenario"
            waiting += [target for target in targets if target not in reached]
    assert {operation for operation in OPERATIONS if operation.startswith(("pipelines", "status", "admin"))} == reached


@pytest.mark.parametrize("profile", profiles())
def test_openapi_core_and_schemathesis_load_it_without_a_warning(profile: str) -> None:
    raw = dict(Document.load(profile).raw)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OpenAPI.from_dict(raw)
        operations = [result.ok() for result in schemathesis.openapi.from_dict(raw).get_all_operations()]
    assert len(operations) == len(Document.load(profile).operations)


def test_schemathesis_loads_the_file_itself() -> None:
    schema = schemathesis.openapi.from_path(str(SPECS / "pipelines.openapi.yaml"))
    assert schema.specification.version.startswith("3.1")


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_valid_requests_can_be_drawn_for_every_operation(document: Document, operation_id: str) -> None:
    operation = document.operation(operation_id)
    schema = schemathesis.openapi.from_dict(dict(document.raw))
    drawn = []

    @given(case=schema[operation.path][operation.method].as_strategy())
    @settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def draw(case: schemathesis.Case) -> None:
        drawn.append(case.media_type)

    draw()
    assert len(drawn) >= 1


def test_objects_stay_open_everywhere(document: Document) -> None:
    def closed(node: Any) -> bool:
        if isinstance(node, dict):
            ends = node.get("additionalProperties") is False or node.get("unevaluatedProperties") is False
            return ends or any(closed(value) for value in node.values())
        return isinstance(node, list) and any(closed(item) for item in node)

    assert not closed(document.raw["components"]["schemas"])


@pytest.mark.parametrize("profile", profiles())
def test_parameters_are_strings_which_is_all_that_the_fast_validator_need_not_judge(profile: str) -> None:
    document = Document.load(profile)
    for operation in document.operations:
        for parameter in document.definition(operation.id).get("parameters", ()):
            schema = document.resolved(parameter)["schema"]
            assert schema in ({"type": "string"}, {"type": "array", "items": {"type": "string"}})
