"""Models that are none, or that lie, or want everything: the server outlives them."""

from __future__ import annotations

import io
import pickle
import time
import zipfile
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conformance.data import FIXTURES
from conformance.emulator.settings import Limits

MODEL = (FIXTURES / "models" / "fraud.onnx").read_bytes()
ROW = [{"dense_input": [0.5] * 29}]


def made(nodes: list[Any], initializers: dict[str, np.ndarray], **options: Any) -> bytes:
    """A model of the tutorial's signature with these nodes."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("dense_input", TensorProto.FLOAT, ["rows", 29])],
        [helper.make_tensor_value_info("dense_1", TensorProto.FLOAT, options.get("shape", ["rows", 1]))],
        [numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    content: bytes = model.SerializeToString()
    return content


def greedy() -> bytes:
    """It takes four terabytes before it looks at a row."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["mean"], keepdims=0),
        helper.make_node("ReduceMean", ["dense_input"], ["rows_mean"], axes=[1], keepdims=1),
        helper.make_node("Add", ["rows_mean", "mean"], ["dense_1"]),
    ]
    return made(nodes, {"size": np.array([10**12], np.int64)})


def greedy_by_row() -> bytes:
    """Each row is tiled to eight gigabytes."""
    nodes = [
        helper.make_node("Tile", ["dense_input", "times"], ["tiled"]),
        helper.make_node("ReduceMean", ["tiled"], ["dense_1"], axes=[1], keepdims=1),
    ]
    return made(nodes, {"times": np.array([1, 70_000_000], np.int64)})


def endless() -> bytes:
    """Counts to nine quintillion before it answers."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["condition_in"], ["condition_out"]), helper.make_node("Sin", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("condition_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("Loop", ["turns", "go", "dense_input"], ["looped"], body=body),
        helper.make_node("ReduceMean", ["looped"], ["dense_1"], axes=[1], keepdims=1),
    ]
    return made(nodes, {"turns": np.array(2**62, np.int64), "go": np.array(True)})


def external_data() -> bytes:
    """Its weights are said to lie in a file of the server's."""
    model = onnx.load_from_string(MODEL)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../../../../../../etc/passwd"), ("offset", "0"), ("length", "1392")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    content: bytes = model.SerializeToString()
    return content


def zip_bomb() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.onnx", bytes(30_000_000))
    return sink.getvalue()


class Explosive:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('a pickle was executed')",))


REFUSED = {
    "empty": b"",
    "text": b"this is no model",
    "random": np.random.default_rng(1).bytes(5000),
    "pickle": pickle.dumps(Explosive()),
    "zip bomb": zip_bomb(),
    "cut off": MODEL[: len(MODEL) // 2],
    "an operator there is none of": made([helper.make_node("Explode", ["dense_input"], ["dense_1"])], {}),
    "a declared shape that is not the real one": made(
        [helper.make_node("MatMul", ["dense_input", "w"], ["dense_1"])], {"w": np.zeros((3, 1), np.float32)}
    ),
    "external data": external_data(),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_what_is_no_loadable_onnx_model_is_refused_and_leaves_nothing(instance: Any, content: bytes) -> None:
    name = instance.name()
    response = instance.upload(content, name)
    assert (response.status_code, response.json()["code"]) == (400, 400)
    assert "/" not in response.json()["msg"].replace("Bad request", "")
    assert instance.ok("models/list_versions", {"model_id": name}) == []
    assert instance.upload(MODEL, name).status_code == 202


@pytest.mark.parametrize("framework", ["keras", "python", "hugging-face-text-generation"])
def test_another_framework_is_taken_in_but_never_executed(instance: Any, framework: str) -> None:
    name = instance.name()
    assert instance.upload(pickle.dumps(Explosive()), name, framework=framework).status_code == 202
    (version,) = instance.ok("models/list_versions", {"model_id": name})
    assert version["status"] == "error"
    model = {"name": name, "version": version["model_version"], "sha": version["sha"]}
    pipeline = instance.pipeline(model)
    ids = {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}
    made_id = instance.ok("pipelines/deploy", {"deploy_id": name, **ids})["id"]
    instance.until(f"{name}-{made_id}", "Error")
    assert instance.infer(f"{name}-{made_id}", pipeline["name"], ROW).status_code == 503


@pytest.mark.parametrize("model", [greedy(), greedy_by_row(), endless()], ids=["greedy", "greedy by row", "endless"])
def test_a_model_that_takes_too_much_is_stopped_and_others_are_served(start: Any, model: bytes) -> None:
    instance = start(limits=Limits(worker_seconds=0.5, worker_bytes=512 * 1024 * 1024))
    bad, good = instance.pipeline(instance.model(model, "bad")), instance.pipeline(instance.model(MODEL, "good"))
    bad_name, good_name = instance.deployed(bad), instance.deployed(good)
    for _ in range(2):
        started = time.monotonic()
        response = instance.infer(bad_name, bad["name"], ROW)
        assert time.monotonic() - started < 5
        assert response.status_code == 500
        assert set(response.json()[0]) == {"error", "error_type"}
        assert instance.infer(good_name, good["name"], ROW).status_code == 200


def test_an_output_without_a_row_for_each_row_is_the_models_error(instance: Any) -> None:
    nodes = [helper.make_node("ReduceMean", ["dense_input"], ["dense_1"], keepdims=1)]
    pipeline = instance.pipeline(instance.model(made(nodes, {}, shape=[1, 1]), "lying"))
    name = instance.deployed(pipeline)
    assert instance.infer(name, pipeline["name"], ROW * 3).json()[0]["error_type"] == "ModelOutput"


def test_steps_are_run_one_after_the_other(instance: Any) -> None:
    square = made(
        [
            helper.make_node("ReduceSum", ["dense_input", "axis"], ["sum"], keepdims=1),
            helper.make_node("Mul", ["sum", "sum"], ["dense_1"]),
        ],
        {"axis": np.array([1], np.int64)},
    )
    double = helper.make_model(
        helper.make_graph(
            [helper.make_node("Add", ["x", "x"], ["y"])],
            "double",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 1])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1])],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=7,
    ).SerializeToString()
    pipeline = instance.pipeline(instance.model(square, "square"), instance.model(double, "double"))
    (record,) = instance.infer(instance.deployed(pipeline), pipeline["name"], [{"dense_input": [1.0] * 29}]).json()
    assert record["out"] == {"y": [2 * 29.0**2]}
    assert '"double"' in record["metadata"]["last_model"]


def test_more_models_than_workers_are_all_served(start: Any) -> None:
    instance = start(limits=Limits(workers=2))
    deployments = []
    for index in range(4):
        node = helper.make_node("ReduceSum", ["dense_input", "axis"], ["sum"], keepdims=1)
        factor = helper.make_node("Mul", ["sum", "factor"], ["dense_1"])
        values = {"axis": np.array([1], np.int64), "factor": np.array([float(index)], np.float32)}
        pipeline = instance.pipeline(instance.model(made([node, factor], values), f"times-{index}"))
        deployments.append((instance.deployed(pipeline), pipeline["name"]))
    for _ in range(2):
        outputs = [instance.infer(*each, [{"dense_input": [1.0] * 29}]).json()[0]["out"] for each in deployments]
        assert [output["dense_1"] for output in outputs] == [[0.0], [29.0], [58.0], [87.0]]
