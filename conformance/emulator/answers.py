"""Rows out: what a model gave, as JSON records or as an Arrow file, with what the service says beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from conformance.emulator.rows import Array, Arrays, BadInputError, Batch, single

CHECKS = "check_failures"


@dataclass(frozen=True)
class Shape:
    """How an answer is to look.

    `task` says what the client and the deployment ask for; `time` is epoch milliseconds; `elapsed` nanoseconds spent
    reading the rows and running the models.
    """

    task: Mapping[str, Any]
    time: int
    elapsed: tuple[int, int]

    @property
    def separator(self) -> str:
        """What joins the names of nested columns where the client wants them flat, else empty."""
        return str(self.task["separator"])

    @property
    def metadata(self) -> dict[str, Any]:
        """What is said of every row alike. `pipeline_version` is empty in every recording of 2023.4."""
        return {
            "last_model": self.task["last_model"],
            "pipeline_version": "",
            "elapsed": list(self.elapsed),
            "dropped": [],
            "partition": self.task["partition"],
        }

    def wants(self, column: str) -> bool:
        """Whether `dataset[]` and `dataset.exclude[]` leave this column in: `in`, `in.dense_input`, `*`."""

        def named(patterns: Iterable[str]) -> bool:
            return any(column == pattern or column.startswith(f"{pattern}.") for pattern in patterns)

        columns = self.task["columns"]
        chosen = not columns or "*" in columns or named(columns)
        return chosen and "*" not in self.task["excluded"] and not named(self.task["excluded"])


def json_answer(batch: Batch, outputs: Arrays, shape: Shape) -> bytes:
    """A JSON array, one record a row; floats are written as the shortest decimal of their own width."""
    _refuse_unwritable(outputs)
    per_row = {name: list(_listed(array)) for name, array in outputs.items()}
    plain = not (shape.task["columns"] or shape.task["excluded"] or shape.separator)
    records = _whole(batch, per_row, shape) if plain else _chosen(batch, per_row, shape)
    return orjson.dumps(records, option=orjson.OPT_SERIALIZE_NUMPY)


def _whole(batch: Batch, outputs: dict[str, list[Any]], shape: Shape) -> list[dict[str, Any]]:
    """Every column, nested, as the service answers a call without `dataset` parameters."""
    checks: tuple[str, Any] = ("anomaly", {"count": 0}) if shape.task["anomaly"] else (CHECKS, [])
    metadata = orjson.Fragment(orjson.dumps(shape.metadata))
    names = list(outputs)
    return [
        {
            "time": shape.time,
            "in": given,
            "out": dict(zip(names, values, strict=True)),
            checks[0]: checks[1],
            "metadata": metadata,
        }
        for given, values in zip(batch.given(), zip(*outputs.values(), strict=True), strict=True)
    ]


def _chosen(batch: Batch, outputs: dict[str, list[Any]], shape: Shape) -> list[dict[str, Any]]:
    """The columns asked for; with a separator each has a name of its own, `out.dense_1`."""
    given = batch.given()
    names = list(given[0]) if given else []
    leaves: list[tuple[tuple[str, ...], Iterator[Any]]] = [
        (("time",), repeat(shape.time)),
        *((("in", name), iter([record.get(name) for record in given])) for name in names),
        *((("out", name), iter(values)) for name, values in outputs.items()),
        (("anomaly", "count"), repeat(0)) if shape.task["anomaly"] else ((CHECKS,), repeat([])),
        *((("metadata", name), repeat(value)) for name, value in shape.metadata.items()),
    ]
    kept = [(path, values) for path, values in leaves if shape.wants(".".join(path))]
    return [_record([(path, next(values)) for path, values in kept], shape.separator) for _ in range(batch.count)]


def _record(leaves: list[tuple[tuple[str, ...], Any]], separator: str) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for path, value in leaves:
        if separator or len(path) == 1:
            record[separator.join(path)] = value
        else:
            record.setdefault(path[0], {})[path[1]] = value
    return record


def _refuse_unwritable(outputs: Arrays) -> None:
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BadInputError(
                f"the model's output {name} is not a finite number, which JSON cannot say", "ModelOutput"
            )


def _listed(array: Array) -> Array:
    """One list a row, also for a model that gives one number a row; a width orjson can write."""
    array = array.reshape(len(array), -1) if array.ndim == 1 else array
    return np.ascontiguousarray(array.astype(np.float32) if array.dtype == np.float16 else array)


def arrow_answer(batch: Batch, outputs: Arrays, shape: Shape) -> memoryview:
    """An Arrow IPC file with the columns of the JSON answer, as structs unless a separator asks for flat ones."""
    columns = {path: column for path, column in _arrow_columns(batch, outputs, shape) if shape.wants(".".join(path))}
    if shape.separator:
        table = {shape.separator.join(path): column for path, column in columns.items()}
    else:
        table = dict(_nested(columns))
    batch_out = pa.record_batch(list(table.values()), names=list(table))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch_out.schema) as writer:
        writer.write_batch(batch_out)
    return memoryview(sink.getvalue())


def _arrow_columns(batch: Batch, outputs: Arrays, shape: Shape) -> Iterator[tuple[tuple[str, ...], pa.Array]]:
    count = batch.count
    yield ("time",), pa.array(np.full(count, shape.time, "datetime64[ms]"))
    for name, column in _arrow_given(batch):
        yield ("in", name), column
    for name, array in outputs.items():
        yield ("out", name), _lists(_listed(array))
    if shape.task["anomaly"]:
        yield ("anomaly", "count"), pa.array(np.zeros(count, np.int64))
    else:
        yield (CHECKS,), _empty_lists(count)
    for name in ("last_model", "pipeline_version", "partition"):
        yield ("metadata", name), pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), [shape.metadata[name]])
    yield ("metadata", "elapsed"), _lists(np.tile(np.array(shape.elapsed, np.int64), (count, 1)))
    yield ("metadata", "dropped"), _empty_lists(count)


def _nested(columns: dict[tuple[str, ...], pa.Array]) -> Iterator[tuple[str, pa.Array]]:
    for top in dict.fromkeys(path[0] for path in columns):
        members = {path[1]: column for path, column in columns.items() if path[0] == top and len(path) > 1}
        yield top, pa.StructArray.from_arrays(list(members.values()), list(members)) if members else columns[(top,)]


def _arrow_given(batch: Batch) -> Iterator[tuple[str, pa.Array]]:
    """The rows as given: the table's own columns, or the JSON values as the model took them."""
    if batch.table is None:
        for name, array in batch.arrays.items():
            yield batch.sources[name], _lists(_listed(array))
        return
    for name in batch.table.column_names:
        yield name, single(batch.table.column(name))


def _lists(array: Array) -> pa.Array:
    """An array of two or more dimensions as Arrow lists within lists."""
    values = pa.array(array.reshape(-1))
    for axis in range(array.ndim - 1, 0, -1):
        width = array.shape[axis]
        offsets = np.arange(0, len(values) + 1, width or 1, dtype=np.int32)
        values = pa.ListArray.from_arrays(offsets, values)
    return values


def _empty_lists(count: int) -> pa.Array:
    return pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.string()))
