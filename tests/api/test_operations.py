"""The table of operations agrees with the description, and finds what it says where it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.api import multipart
from conformance.api.operations import (
    COPY,
    DEPLOY,
    EACH,
    IDS,
    INFER,
    OPERATIONS,
    STATUS,
    UNDEPLOY,
    UPLOAD,
    VERSIONS,
    At,
    Kind,
    Known,
    OperationRow,
    asking_of_deployments,
    changing,
    deploying,
    fields_of,
    given,
    mentioned,
    owner,
    row_of,
    split_name,
    with_fields_changed,
    with_path_changed,
)  # fmt: skip
from conformance.model import Effect, Exchange, Headers, Request, Response
from conformance.spec.document import Document, profiles
from conformance.spec.validation import FastValidator

DOCUMENT = Document.load()
MODEL = {"name": "m", "version": "5d0326fa-6753-4252-bb56-3b2106a8c671", "sha": "0" * 64}
KNOWN = Known(
    "a-name", 10, pipeline=25, variant=26, version="c29a277a-10b9-48f9-a738-aafb296df8c2", pipeline_name="p",
    definition={"steps": [{"ModelInference": {"models": [MODEL]}}]}, deployment=14, deployment_name="p-14", model=7,
    model_name="m", models=(MODEL,),
)  # fmt: skip


def exchange(operation: str, question: Any, answer: Any = None, status: int = 200) -> Exchange:
    row = row_of(operation)
    request = Request("POST", f"http://x{row.path}", Headers({"Content-Type": "application/json"}), _bytes(question))
    if row.part:
        parts = [multipart.Part(row.part, _bytes(question), "application/json"),
                 multipart.Part("file", b"bytes", "application/octet-stream", "m.onnx")]  # fmt: skip
        kind, body = multipart.encode(parts)
        request = Request("POST", f"http://x{row.path}", Headers({"Content-Type": kind}), body)
    response = Response(status, Headers({"Content-Type": "application/json"}), _bytes(answer))
    return Exchange(request, response, operation)


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_each_operation_of_the_description_has_a_row_and_no_other() -> None:
    assert set(IDS) == {operation.id for operation in DOCUMENT.operations}
    assert len(IDS) == len(set(IDS))


@pytest.mark.parametrize("row", [row for row in OPERATIONS if row.id != INFER], ids=lambda row: row.id)
@pytest.mark.parametrize("form", ["valid", "whole"])
def test_a_body_of_the_table_is_as_described(row: OperationRow, form: str) -> None:
    body = getattr(row, form)
    if body is None:
        return
    problems = FastValidator(DOCUMENT).request_problems(exchange(row.id, body(KNOWN)))
    assert [problem for problem in problems if problem.kind != "security"] == []


@pytest.mark.parametrize("row", [row for row in OPERATIONS if row.whole], ids=lambda row: row.id)
def test_a_whole_body_has_every_field_that_is_described(row: OperationRow) -> None:
    assert row.whole is not None
    content = next(iter(DOCUMENT.resolved(DOCUMENT.definition(row.id)["requestBody"])["content"].values()))
    schema = DOCUMENT.resolved(content["schema"])
    described = DOCUMENT.resolved(schema["properties"][row.part]) if row.part else schema
    assert set(row.whole(KNOWN)) == set(described["properties"])


def described_at(schema: Any, keys: tuple[str, ...], document: Document) -> bool:
    """Whether a schema describes a place, in any of its branches."""
    schema = document.resolved(schema)
    if not keys:
        return True
    schema = document.resolved(schema.get("contentSchema", schema))  # JSON within a string
    branches = [schema, *(one for word in ("anyOf", "oneOf", "allOf") for one in schema.get(word, ()))]
    for branch in map(document.resolved, branches):
        inner = branch.get("items") if keys[0] == EACH else branch.get("properties", {}).get(keys[0])
        if inner is not None and described_at(inner, keys[1:], document):
            return True
    return False


def bodies(document: Document, row: OperationRow) -> tuple[Any, Any]:
    """The schemas of a request's fields and of a success's body."""
    definition = document.definition(row.id)
    request = next(iter(document.resolved(definition["requestBody"])["content"].values())).get("schema", {})
    request = document.resolved(request)
    success = next(answer for status, answer in definition["responses"].items() if status.startswith("2"))
    answer = next(iter(document.resolved(success)["content"].values()))["schema"]
    return (request["properties"][row.part] if row.part else request), answer


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.id)
def test_every_place_of_the_table_is_described_in_some_release(row: OperationRow) -> None:
    releases = [Document.load(profile) for profile in profiles()]
    releases = [document for document in releases if document.has(row.id)]
    unknown = []
    for which, places in ((0, row.takes), (1, (*row.gives, *row.shows, *(At(time, Kind.OWNER) for time in row.times)))):
        for at in places:
            if not any(described_at(bodies(document, row)[which], at._keys, document) for document in releases):
                unknown.append(at.place)
    assert unknown == []


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.id)
def test_what_names_a_thing_and_what_starts_a_deployment_are_fields_it_takes(row: OperationRow) -> None:
    assert {row.named_by, row.starts} - {""} <= set(row.kinds)


def test_the_links_of_the_description_lead_where_ids_of_the_same_kind_stand() -> None:
    """What one operation gives and a link hands on is taken as the same kind of thing."""
    handed = []
    for row in OPERATIONS:
        gives = {at.place: at.kind for at in row.gives}
        for answer in DOCUMENT.definition(row.id)["responses"].values():
            for link in DOCUMENT.resolved(answer).get("links", {}).values():
                link = DOCUMENT.resolved(link)
                for field, value in (link.get("requestBody") or {}).items():
                    if isinstance(value, str) and value.startswith("$response.body#/"):
                        place = value.removeprefix("$response.body#/").replace("/", ".")
                        handed.append((gives[place], row_of(link["operationId"]).kinds[field]))
    assert handed
    assert all(given_kind is taken for given_kind, taken in handed)


def test_effects_say_what_changes_and_what_costs() -> None:
    assert changing() == {row.id for row in OPERATIONS if row.effect in (Effect.CREATE, Effect.MUTATE, Effect.DESTROY)}
    assert deploying() == {DEPLOY, COPY, UNDEPLOY}
    assert asking_of_deployments() == {STATUS, INFER, "admin.get-pipeline-external-url"}


def test_ids_are_found_where_they_stand() -> None:
    upload = exchange(UPLOAD, {"name": "m"}, {"insert_models": {"returning": [{"models": [{"id": 70}]}]}})
    assert [(at.kind, way, value) for at, way, value in given(upload)] == [
        (Kind.MODEL, ("insert_models", "returning", 0, "models", 0, "id"), 70)
    ]
    assert fields_of(UPLOAD, upload.request) == {"name": "m"}
    listed = exchange(VERSIONS, {"model_id": "m"}, [{"id": 70, "model_version": "u", "models_pk_id": 3}, "odd"])
    assert [(at.kind, value, owner(listed, at, way)) for at, way, value in given(listed)] == [
        (Kind.MODEL_VERSION, "u", (Kind.MODEL, 70)),
        (Kind.MODEL_PK, 3, (Kind.MODEL, 70)),
    ]


@pytest.mark.parametrize("answer", [None, [], {"id": None}, {"id": True}, {"id": {}}, "text"])
def test_an_answer_of_another_shape_gives_nothing(answer: Any) -> None:
    assert list(given(exchange(DEPLOY, {}, answer))) == []


def test_a_refusal_gives_nothing_but_is_about_what_it_was_asked() -> None:
    refused = exchange(DEPLOY, {"deploy_id": "p", "pipeline_id": 25, "models": [MODEL]}, {"id": 9}, 400)
    assert list(given(refused)) == []
    assert (Kind.PIPELINE, 25) in list(mentioned(refused))


def test_a_deployments_name_is_its_deploy_id_and_its_id() -> None:
    assert split_name("a-b-14") == ("a-b", 14)
    assert [split_name(other) for other in ("14", "a-", "a-b", "a-" + "1" * 19, None, 14)] == [None] * 6
    asked = exchange(STATUS, {"name": "p-14"}, {"status": "Running"})
    assert list(mentioned(asked)) == [(Kind.DEPLOYMENT, 14)]


def test_values_of_a_kind_are_replaced_wherever_their_field_stands() -> None:
    def change(kind: Kind, value: Any) -> Any:
        return f"<{kind}>"

    row = row_of(DEPLOY)
    body = {"deploy_id": "p", "pipeline_id": 25, "model_ids": [7], "models": [MODEL], "engine_config": {"x": 1}}
    assert with_fields_changed(row, body, change) == {
        "deploy_id": "<deploy id>",
        "pipeline_id": "<pipeline>",
        "model_ids": ["<model>"],
        "models": [{"name": "<model name>", "version": "<model_version>", "sha": "<sha>"}],
        "engine_config": {"x": 1},
    }


def test_what_a_path_names_is_replaced_behind_any_base() -> None:
    url = "https://host/tenant/v1/api/pipelines/infer/a%20b-14/p?x=1"

    def change(kind: Kind, value: Any) -> Any:
        return "c d-15" if kind is Kind.DEPLOYMENT_NAME else value

    assert with_path_changed(INFER, url, change) == "https://host/tenant/v1/api/pipelines/infer/c%20d-15/p?x=1"
    assert with_path_changed(DEPLOY, url, change) == url
