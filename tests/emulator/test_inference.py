from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conformance.data import FIXTURES

ARROW = "application/vnd.apache.arrow.file"
ARROW_STREAM = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def served(instance: Any) -> tuple[str, str]:
    model = instance.model(name="served")
    pipeline = instance.pipeline(model, name="served-pipeline")
    return instance.deployed(pipeline), pipeline["name"]


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(7).normal(0, 1, (count, 29)).astype(np.float32)


def records(values: np.ndarray) -> list[dict[str, Any]]:
    return [{"dense_input": [float(value) for value in row]} for row in values]


def expected(values: np.ndarray) -> np.ndarray:
    import onnx
    from onnx.reference import ReferenceEvaluator

    network = ReferenceEvaluator(onnx.load(FIXTURES / "models" / "fraud.onnx"))
    found: np.ndarray = network.run(None, {"dense_input": values})[0]
    return found


def arrow(table: pa.Table, new: Any = pa.ipc.new_file) -> bytes:
    sink = pa.BufferOutputStream()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    result: bytes = sink.getvalue().to_pybytes()
    return result


def tensor(values: np.ndarray, name: str = "dense_input") -> pa.Table:
    return pa.table({name: pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])})


@pytest.mark.parametrize("count", [0, 1, 51, 1000])
def test_each_row_is_answered_in_order_with_what_the_model_computes(instance: Any, served: Any, count: int) -> None:
    values = rows(count)
    response = instance.infer(*served, records(values))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    found = [record["out"]["dense_1"][0] for record in response.json()]
    assert np.allclose(found, expected(values)[:, 0] if count else [], rtol=0, atol=1e-6)
    assert [record["in"] for record in response.json()] == records(values)


def test_ten_thousand_rows_by_arrow_equal_those_by_json(instance: Any, served: Any) -> None:
    values = rows(10_000)
    by_json = [record["out"]["dense_1"][0] for record in instance.infer(*served, records(values)).json()]
    headers = {"content-type": ARROW, "accept": ARROW}
    table = pa.ipc.open_file(instance.infer(*served, arrow(tensor(values)), headers=headers).content).read_all()
    assert np.array_equal(np.float32(by_json), [row["dense_1"][0] for row in table.column("out").to_pylist()])
    assert table.column("in").to_pylist()[9_999] == {"dense_input": [float(value) for value in values[9_999]]}


def test_floats_are_written_as_the_shortest_decimal_of_float32(instance: Any, served: Any) -> None:
    from pathlib import Path
    from runpy import run_path

    row = run_path(str(Path(FIXTURES) / "models" / "make_fraud_model.py"))["TUTORIAL_ROW"]
    response = instance.infer(*served, [{"dense_input": row}])
    assert '"out":{"dense_1":[0.0014974177]}' in response.text


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("media_type", [ARROW, ARROW_STREAM])
def test_arrow_files_and_streams_are_read(instance: Any, served: Any, new: Any, media_type: str) -> None:
    values = rows(3)
    response = instance.infer(*served, arrow(tensor(values, "tensor"), new), headers={"content-type": media_type})
    assert response.status_code == 200
    found = [record["out"]["dense_1"][0] for record in response.json()]
    assert np.allclose(found, expected(values)[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.large_list(pa.float32())])
def test_arrow_lists_of_any_float_are_read(instance: Any, served: Any, kind: pa.DataType) -> None:
    values = rows(2)
    table = pa.table({"dense_input": pa.array(values.tolist(), kind)})
    response = instance.infer(*served, arrow(table), headers={"content-type": ARROW})
    assert np.allclose(response.json()[1]["out"]["dense_1"], expected(values)[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; format=pandas-records",
        "application/json;format=pandas-records",
        "application/json; format=pandas-records; charset=utf-8",
        'Application/JSON; Format="pandas-records"',
        "application/json",
    ],
)
def test_the_media_type_is_read_as_rfc_9110_has_it(instance: Any, served: Any, media_type: str) -> None:
    assert instance.infer(*served, records(rows(1)), headers={"content-type": media_type}).status_code == 200


@pytest.mark.parametrize("media_type", ["text/csv", "application/json; format=pandas-split", ""])
def test_another_media_type_is_415(instance: Any, served: Any, media_type: str) -> None:
    response = instance.infer(*served, records(rows(1)), headers={"content-type": media_type})
    assert (response.status_code, response.json()["code"]) == (415, 415)


def test_the_record_has_what_was_recorded(instance: Any, served: Any) -> None:
    import time

    (record,) = instance.infer(*served, records(rows(1))).json()
    assert list(record) == ["time", "in", "out", "check_failures", "metadata"]
    assert record["check_failures"] == []
    assert abs(record["time"] / 1000 - time.time()) < 5
    metadata = record["metadata"]
    assert metadata["pipeline_version"] == ""
    assert metadata["dropped"] == []
    assert len(metadata["elapsed"]) == 2
    assert all(isinstance(each, int) and each > 0 for each in metadata["elapsed"])
    engines = instance.ok("status/get_deployment", {"name": served[0]})["engines"]
    assert metadata["partition"] in [engine["name"] for engine in engines]
    model = engines[0]["model_statuses"]["models"][0]
    assert metadata["last_model"] == f'{{"model_name":"{model["name"]}","model_sha":"{model["sha"]}"}}'


def test_columns_are_chosen_left_out_and_flattened_as_the_query_says(instance: Any, served: Any) -> None:
    flat = {"dataset[]": "*", "dataset.exclude[]": "metadata", "dataset.separator": "."}
    (record,) = instance.infer(*served, records(rows(1)), params=flat).json()
    assert list(record) == ["time", "in.dense_input", "out.dense_1", "check_failures"]
    (record,) = instance.infer(*served, records(rows(1)), params={"dataset[]": ["out", "metadata.partition"]}).json()
    assert list(record) == ["out", "metadata"]
    assert list(record["metadata"]) == ["partition"]
    headers = {"content-type": ARROW, "accept": ARROW}
    response = instance.infer(*served, arrow(tensor(rows(2))), headers=headers, params=flat)
    assert pa.ipc.open_file(response.content).schema.names == list(flat_names())


def flat_names() -> tuple[str, ...]:
    return ("time", "in.dense_input", "out.dense_1", "check_failures")


def test_json_is_answered_by_arrow_to_who_accepts_that(instance: Any, served: Any) -> None:
    values = rows(2)
    response = instance.infer(*served, records(values), headers={"accept": ARROW})
    assert response.headers["content-type"] == ARROW
    (first, _) = pa.ipc.open_file(io.BytesIO(response.content)).read_all().to_pylist()
    assert first["in"] == {"dense_input": [float(value) for value in values[0]]}
    assert first["metadata"]["pipeline_version"] == ""


WIDE = [0.5] * 29


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b'[{"dense_input": [NaN]}]',
        b'[{"dense_input": [1e999]}]',
        b"{}",
        b"[1]",
        b"[{}]",
        b'[{"dense_input": null}]',
        b"[" * 100_000,
        [{"dense_input": WIDE[:28]}],
        [{"dense_input": [*WIDE, 0.5]}],
        [{"dense_input": [[0.5]] * 29}],
        [{"dense_input": ["0.5"] * 29}],
        [{"dense_input": [*WIDE[:28], True]}],
        [{"dense_input": [*WIDE[:28], None]}],
        [{"dense_input": [*WIDE[:28], 1e39]}],
        [{"dense_input": WIDE}, {"dense_input": WIDE[:28]}],
        [{"dense_input": WIDE}, {"other": WIDE}],
        [{"some": WIDE, "others": WIDE}],
        [{"dense_input": []}],
    ],
    ids=repr,
)
def test_bad_rows_are_a_500_with_an_array_of_errors_and_serving_goes_on(instance: Any, served: Any, body: Any) -> None:
    response = instance.infer(*served, body)
    assert response.status_code == 500
    (error,) = response.json()
    assert set(error) == {"error", "error_type"}
    assert "/" not in error["error"]
    assert instance.infer(*served, records(rows(1))).status_code == 200


def poisoned(value: float) -> bytes:
    values = rows(2)
    values[1, 3] = value
    return arrow(tensor(values))


@pytest.mark.parametrize(
    "body",
    [
        b"ARROW1\0\0nonsense",
        b"\xff" * 100,
        arrow(tensor(rows(3)))[:-40],
        arrow(tensor(rows(3)[:, :28])),
        arrow(pa.table({"dense_input": pa.array([["a"] * 29])})),
        arrow(pa.table({"dense_input": pa.array([[0.5] * 29, None])})),
        arrow(pa.table({"dense_input": pa.array([[0.5] * 28 + [None]])})),
        arrow(pa.table({"dense_input": pa.array([[0.5] * 29, [0.5] * 28])})),
        arrow(pa.table({"a": pa.array([WIDE]), "b": pa.array([WIDE])})),
        poisoned(math.nan),
        poisoned(math.inf),
    ],
    ids=range(11),
)
def test_bad_arrow_is_refused_as_bad_rows_are(instance: Any, served: Any, body: bytes) -> None:
    response = instance.infer(*served, body, headers={"content-type": ARROW, "accept": ARROW})
    assert response.status_code == 500
    assert set(response.json()[0]) == {"error", "error_type"}
    assert instance.infer(*served, records(rows(1))).status_code == 200


def test_an_unknown_column_beside_the_models_own_is_left_alone_and_echoed(instance: Any, served: Any) -> None:
    row = {"note": "hello", "dense_input": WIDE}
    (record,) = instance.infer(*served, [row]).json()
    assert record["in"] == row


def test_a_single_column_of_another_name_feeds_a_single_input(instance: Any, served: Any) -> None:
    (record,) = instance.infer(*served, [{"tensor": WIDE}]).json()
    (same,) = instance.infer(*served, [{"dense_input": WIDE}]).json()
    assert record["out"] == same["out"]


def test_nothing_is_routed_under_another_name_and_the_404_is_empty(instance: Any, served: Any) -> None:
    deployment, pipeline = served
    for wrong in ((deployment, "other"), ("other-99", pipeline), (deployment + "0", pipeline), ("x", pipeline)):
        response = instance.infer(*wrong, records(rows(1)))
        assert (response.status_code, response.content, response.headers["content-length"]) == (404, b"", "0")


def test_too_many_rows_are_413(start: Any) -> None:
    from conformance.emulator.settings import Limits

    instance = start(limits=Limits(rows=5))
    pipeline = instance.pipeline(instance.model())
    name = instance.deployed(pipeline)
    assert instance.infer(name, pipeline["name"], records(rows(5))).status_code == 200
    assert instance.infer(name, pipeline["name"], records(rows(6))).status_code == 413
