"""The client's methods: what goes on the wire, and what an answer means."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from conformance.api import multipart
from conformance.api.client import (
    ApiError,
    ModelReference,
    PipelineClient,
    PipelineVersionCreated,
    arrow_file,
    infer_path,
    steps_of,
)
from conformance.model import Exchange, Headers, Request, Response

MODEL = ModelReference("m", "bdfc8c60-b5bc-4c0e-aa87-157cd52895b6", "ab" * 32)
VERSION = PipelineVersionCreated(28, 29, "5d0326fa-6753-4252-bb56-3b2106a8c671")


class Wire:
    """Answers every request alike, and keeps what it was sent."""

    def __init__(self, answer: Any = None, status: int = 200) -> None:
        self.sent: list[Request] = []
        self.intents: list[tuple[str, frozenset[str]]] = []
        self._answer, self._status = answer, status

    def __call__(self, request: Request, *, intent: str = "", labels: frozenset[str] = frozenset()) -> Exchange:
        self.sent.append(request)
        self.intents.append((intent, labels))
        return Exchange(request, Response(self._status, Headers(), json.dumps(self._answer).encode()), "x")

    @property
    def body(self) -> Any:
        return json.loads(self.sent[-1].body)


def test_a_create_is_sent_as_the_tutorial_does() -> None:
    wire = Wire({"pipeline_pk_id": 28, "pipeline_variant_pk_id": 29, "pipeline_variant_version": VERSION.version})
    assert PipelineClient(wire).create_pipeline("p", 10, steps_of(MODEL)).value == VERSION
    assert wire.sent[0].url == "/v1/api/pipelines/create"
    assert wire.body == {
        "pipeline_id": "p",
        "workspace_id": 10,
        "definition": {"steps": [{"ModelInference": {"models": [MODEL.as_json()]}}]},
    }


def test_a_deploy_is_sent_as_the_tutorial_does() -> None:
    wire = Wire({"id": 14})
    assert PipelineClient(wire).deploy("p", VERSION, models=[MODEL]).value == 14
    assert wire.body == {
        "deploy_id": "p",
        "pipeline_version_pk_id": 29,
        "pipeline_id": 28,
        "models": [MODEL.as_json()],
    }


def test_a_deploy_without_models_sends_none() -> None:
    wire = Wire({"id": 14})
    PipelineClient(wire).deploy("p", VERSION, engine_config={"engine": {"cpu": 1}})
    assert "models" not in wire.body
    assert wire.body["engine_config"] == {"engine": {"cpu": 1}}


def test_an_undeploy_sends_the_ids_it_is_given() -> None:
    wire = Wire()
    assert PipelineClient(wire).undeploy(deployment_id=14).value is None
    assert wire.body == {"deployment_id": 14}


def test_an_upload_is_a_form_of_metadata_and_file() -> None:
    wire = Wire({"insert_models": {"returning": [{"models": [{"id": 7}]}]}}, 202)
    assert PipelineClient(wire).upload_model("m", 10, b"\x08\x04onnx").value == 7
    parts = multipart.decode(wire.sent[0].headers["content-type"], wire.sent[0].body)
    assert parts["file"].content == b"\x08\x04onnx"
    assert json.loads(parts["metadata"].content)["conversion"]["framework"] == "onnx"


def test_a_copy_reads_its_deployment() -> None:
    answer = {"pipeline_pk_id": 32, "pipeline_variant_pk_id": 33, "pipeline_version": None, "deployment": {"id": 5}}
    wire = Wire(answer)
    reply = PipelineClient(wire).copy_pipeline("c", 10, 28, deploy="c")
    assert reply.value == PipelineVersionCreated(32, 33, None, 5)


def test_arrow_rows_are_float32_in_a_fixed_size_list() -> None:
    table = pa.ipc.open_file(arrow_file("dense_input", [[1.5, 2.5], [3.5, 4.5]])).read_all()
    assert table.schema.field("dense_input").type == pa.list_(pa.float32(), 2)
    assert table.column(0).to_pylist() == [[1.5, 2.5], [3.5, 4.5]]


def test_an_infer_path_escapes_what_names_may_hold() -> None:
    assert infer_path("a/b-1", "é") == "/v1/api/pipelines/infer/a%2Fb-1/%C3%A9"


def test_intent_and_labels_travel_with_each_request() -> None:
    wire = Wire({"workspaces": []})
    client = PipelineClient(wire, intent="valid")
    client.list_workspaces()
    client.meaning("invalid", "probe").list_workspaces()
    assert wire.intents == [("valid", frozenset()), ("invalid", frozenset({"probe"}))]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ({"msg": "no", "code": 400}, 400, "status 400"),
        ({}, 200, "lacks 'id'"),
        ({"id": "14"}, 200, "an integer at 'id'"),
        ({"id": True}, 200, "an integer at 'id'"),
        (None, 200, "cannot be used"),
        ([], 200, "cannot be used"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why(answer: Any, status: int, said: str) -> None:
    with pytest.raises(ApiError, match=said) as caught:
        _ = PipelineClient(Wire(answer, status)).deploy("p", VERSION).value
    assert caught.value.exchange.status == status
