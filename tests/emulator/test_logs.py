from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.emulator.conftest import ARROW

ROWS = [[0.5] * 29, [1.5] * 29, [-2.5] * 29]


class Logged:
    """One pipeline that has answered inferences, and its topic."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self.pipeline = instance.pipeline(instance.model(name="logged"))
        self.name = instance.deployed(self.pipeline)
        key = {"pipeline_pk_id": self.pipeline["pipeline_pk_id"]}
        self.topic = instance.ok("plateau/get_topic_name", key)["topic_name"]

    def infer(self, *rows: list[float]) -> list[float]:
        records = [{"dense_input": row} for row in rows]
        answer = self.instance.infer(self.name, self.pipeline["name"], records).json()
        return [record["out"]["dense_1"][0] for record in answer]

    def read(self, body: Any = None, topic: str = "", **params: Any) -> tuple[pa.Table, dict[str, Any]]:
        response = self.instance.http.post(
            f"/v1/logs/topic/{topic or self.topic}/records",
            params={"dataset[]": "*", "dataset.separator": ".", **params},
            json=body or {},
            headers=self.instance.headers,
        )
        assert (response.status_code, response.headers["content-type"]) == (200, ARROW)
        table = pa.ipc.open_file(io.BytesIO(response.content)).read_all()
        return table, json.loads(table.schema.metadata[b"status"])


@pytest.fixture
def logged(start: Any) -> Logged:
    return Logged(start())


def outputs(table: pa.Table) -> list[float]:
    return [value[0] for value in table.column("out.dense_1").to_pylist()]


def test_each_inference_is_logged_the_newest_first(logged: Logged) -> None:
    given = [*logged.infer(*ROWS[:2]), *logged.infer(ROWS[2])]
    table, status = logged.read(order="desc", page_size=10)
    assert outputs(table) == pytest.approx(given[::-1], abs=1e-7)
    assert status["status"] == "All"
    assert {"time", "in.dense_input", "out.dense_1", "check_failures", "metadata.last_model"} <= set(table.column_names)
    told = logged.instance.http.get(f"/v1/logs/topic/{logged.topic}", headers=logged.instance.headers).json()
    assert told == {"partitions": {"0": {"start": 0, "end": 3}}}


def test_pages_follow_one_another(logged: Logged) -> None:
    given = logged.infer(*ROWS)
    first, status = logged.read(page_size=2)
    assert (outputs(first), status["status"]) == (pytest.approx(given[:2], abs=1e-7), "RecordLimited")
    second, status = logged.read(status["next"], page_size=2)
    assert (outputs(second), status["status"]) == (pytest.approx(given[2:], abs=1e-7), "All")
    last, status = logged.read(status["next"])
    assert (last.num_rows, status["next"]) == (0, None)


def test_a_time_leaves_out_what_was_before_or_after(logged: Logged) -> None:
    logged.infer(*ROWS)
    now = datetime.now(UTC)
    window = {
        "time.start": (now - timedelta(minutes=5)).isoformat(),
        "time.end": (now + timedelta(minutes=5)).isoformat(),
    }
    assert logged.read(**window)[0].num_rows == 3
    assert logged.read(**(window | {"time.start": (now + timedelta(minutes=1)).isoformat()}))[0].num_rows == 0


def test_columns_that_changed_end_the_page(logged: Logged) -> None:
    logged.infer(ROWS[0])
    table = pa.table({"tensor": pa.array(ROWS[:1], pa.list_(pa.float32()))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    headers = {"content-type": ARROW}
    logged.instance.infer(logged.name, logged.pipeline["name"], sink.getvalue().to_pybytes(), headers=headers)
    found, status = logged.read(order="desc")
    assert (found.num_rows, status["status"]) == (1, "SchemaChange")
    assert "in.tensor" in found.column_names


def test_nothing_failed_a_check_and_an_unknown_topic_is_not_found(logged: Logged) -> None:
    logged.infer(ROWS[0])
    assert logged.read(topic=f"{logged.topic}-failures")[0].num_rows == 0
    path = "/v1/logs/topic/none/records"
    assert logged.instance.http.post(path, json={}, headers=logged.instance.headers).status_code == 404
    assert logged.instance.http.post(f"/v1/logs/topic/{logged.topic}/records", json={}).status_code == 401
    bad = {"time.start": "yesterday"}
    asked = logged.instance.http.post(
        f"/v1/logs/topic/{logged.topic}/records", json={}, params=bad, headers=logged.instance.headers
    )
    assert asked.status_code == 400
