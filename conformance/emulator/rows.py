"""Rows in and out: the body of an inference to the arrays a model takes, and what it gave as JSON records or Arrow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

_KINDS: dict[str, tuple[Any, set[type]]] = {
    "tensor(float)": (np.float32, {float, int}),
    "tensor(double)": (np.float64, {float, int}),
    "tensor(float16)": (np.float16, {float, int}),
    "tensor(int64)": (np.int64, {int}),
    "tensor(int32)": (np.int32, {int}),
    "tensor(bool)": (np.bool_, {bool}),
    "tensor(string)": (np.object_, {str}),
}
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_UNTHREADED = pa.ipc.IpcReadOptions(use_threads=False)
_PATH = re.compile(r"\S*/\S*")


class BadInputError(Exception):
    """A body that cannot be run; `kind` is the `error_type` of the answer."""

    def __init__(self, sentence: str, kind: str = "BadInput") -> None:
        super().__init__(sentence)
        self.kind = kind


def sentence(error: Exception) -> str:
    """What a library says is wrong: its first line, without paths."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _PATH.sub("", first)[:300].strip()


@dataclass(frozen=True)
class Column:
    """One input of a model. `shape` has the batch first; None where the model leaves a size open."""

    name: str
    kind: str
    shape: tuple[int | None, ...]

    @classmethod
    def of(cls, node: Any) -> Column:
        """From what onnxruntime says of an input."""
        return cls(node.name, node.type, tuple(size if isinstance(size, int) else None for size in node.shape))

    @property
    def dtype(self) -> Any:
        """The numpy type of its values."""
        return self._known()[0]

    @property
    def types(self) -> set[type]:
        """The Python types a JSON value may have."""
        return self._known()[1]

    def _known(self) -> tuple[Any, set[type]]:
        if self.kind not in _KINDS:
            raise BadInputError(
                f"the model's input {self.name} has type {self.kind}, which cannot be sent", "ModelInput"
            )
        return _KINDS[self.kind]

    def checked(self, array: Array) -> Array:
        """The array, once its shape is the model's and every number is finite."""
        if len(self.shape) == array.ndim + 1 and self.shape[-1] == 1:
            array = array.reshape(*array.shape, 1)
        fits = len(self.shape) == array.ndim and all(
            want is None or want == size for want, size in zip(self.shape[1:], array.shape[1:], strict=True)
        )
        if not fits:
            got, want = list(array.shape[1:]), ["any" if size is None else size for size in self.shape[1:]]
            raise BadInputError(f"the input {self.name} takes {want} values a row, got {got}", "InvalidArgument")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BadInputError(
                f"the input {self.name} holds a number that is not finite as {self.kind}", "InvalidArgument"
            )
        return array


@dataclass(frozen=True)
class Batch:
    """The rows of one request: the arrays that the model takes, and the rows as they were given.

    `sources` says for each input of the model which column given feeds it; `records` are the JSON records given,
    `table` the Arrow table, and the other is None.
    """

    count: int
    arrays: Arrays
    sources: dict[str, str]
    records: list[dict[str, Any]] | None = None
    table: pa.Table | None = None

    def given(self) -> list[dict[str, Any]]:
        """The rows as records, ready for JSON."""
        if self.table is None:
            return self.records or []
        by_source = {source: list(self.arrays[name]) for name, source in self.sources.items()}
        names = self.table.column_names
        columns = [by_source.get(name) or self.table.column(name).to_pylist() for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def json_batch(body: bytes | memoryview, wanted: Sequence[Column]) -> Batch:
    """Rows from pandas-records JSON: a list of objects, a column a key."""
    try:
        records = orjson.loads(body)
    except ValueError:
        raise BadInputError("the body is not valid JSON", "InvalidJson") from None
    if isinstance(records, dict):
        records = _records(records)
    if not isinstance(records, list) or not all(type(record) is dict for record in records):
        raise BadInputError("the body is not a list of records", "InvalidRecords")
    if not records:
        return Batch(0, {column.name: _nothing(column) for column in wanted}, {}, records)
    names = _sources(wanted, list(records[0]))
    arrays = {}
    for column in wanted:
        try:
            values = [record[names[column.name]] for record in records]
        except KeyError:
            raise BadInputError(f"a record has no column {names[column.name]}", "MissingColumn") from None
        arrays[column.name] = column.checked(_from_lists(values, column))
    return Batch(len(records), arrays, names, records)


def _records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Records from an object of columns, each a list with one value a row, as the vendor's SDK sends a dict."""
    if not columns or not all(type(values) is list and values for values in columns.values()):
        raise BadInputError("the body is neither a list of records nor an object of columns", "InvalidRecords")
    if len({len(values) for values in columns.values()}) != 1:
        raise BadInputError("the columns differ in their number of rows", "InvalidRecords")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _sources(wanted: Sequence[Column], given: list[str]) -> dict[str, str]:
    """Which column given feeds which input. A single column feeds a single input whatever its name (recorded)."""
    if len(wanted) == 1 and len(given) == 1:
        return {wanted[0].name: given[0]}
    missing = [column.name for column in wanted if column.name not in given]
    if missing:
        raise BadInputError(f"the rows have no column {missing[0]}", "MissingColumn")
    return {column.name: column.name for column in wanted}


def _nothing(column: Column) -> Array:
    return np.empty((0, *(size or 0 for size in column.shape[1:])), column.dtype)


def _from_lists(values: list[Any], column: Column) -> Array:
    """Nested lists of one shape, with no type among them but the column's own."""
    sizes = [len(values)]
    while type(values[0]) is list:
        if set(map(type, values)) != {list} or len(set(map(len, values))) != 1 or not values[0]:
            raise BadInputError(f"the rows of {column.name} differ in shape, or are empty", "InvalidArgument")
        sizes.append(len(values[0]))
        values = list(chain.from_iterable(values))
    if not set(map(type, values)) <= column.types:
        raise BadInputError(f"a value of {column.name} is not of type {column.kind}", "InvalidArgument")
    try:
        with np.errstate(over="ignore"):
            return np.array(values, column.dtype).reshape(sizes)
    except (OverflowError, ValueError):
        raise BadInputError(f"a value of {column.name} is out of range", "InvalidArgument") from None


def arrow_batch(body: bytes | memoryview, wanted: Sequence[Column]) -> Batch:
    """Rows from an Arrow IPC file or stream."""
    source = pa.BufferReader(pa.py_buffer(body))
    try:
        opener = pa.ipc.open_file if bytes(body[:6]) == b"ARROW1" else pa.ipc.open_stream
        reader = opener(source, options=_UNTHREADED)
        table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        raise BadInputError("the body is not a valid Arrow file", "InvalidArrow") from None
    names = _sources(wanted, table.column_names)
    if len(set(table.column_names)) != len(table.column_names):
        raise BadInputError("two columns have the same name", "InvalidArrow")
    arrays = {column.name: _from_arrow(table.column(names[column.name]), column) for column in wanted}
    return Batch(table.num_rows, arrays, names, None, table)


def _from_arrow(chunks: pa.ChunkedArray, column: Column) -> Array:
    values = single(chunks)
    if len(values) == 0:
        return _nothing(column)
    sizes = [len(values)]
    while any(is_kind(values.type) for is_kind in _LISTS):
        if values.null_count:
            raise BadInputError(f"a row of {column.name} is null", "InvalidArgument")
        inner = values.flatten()
        width, rest = divmod(len(inner), len(values))
        if rest or not width or not _uniform(values, width):
            raise BadInputError(f"the rows of {column.name} differ in length, or are empty", "InvalidArgument")
        sizes.append(width)
        values = inner
    return column.checked(_leaves(values, column).reshape(sizes))


def single(chunks: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    whole = chunks.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        return whole.chunk(0) if whole.num_chunks else pa.array([], chunks.type)
    return whole


def _uniform(values: pa.Array, width: int) -> bool:
    if pa.types.is_fixed_size_list(values.type):
        return True
    offsets = values.offsets.to_numpy()
    return bool((np.diff(offsets) == width).all())


def _leaves(values: pa.Array, column: Column) -> Array:
    if values.null_count:
        raise BadInputError(f"a value of {column.name} is null", "InvalidArgument")
    known = {
        float: pa.types.is_floating(values.type) or pa.types.is_integer(values.type),
        int: pa.types.is_integer(values.type),
        bool: pa.types.is_boolean(values.type),
        str: pa.types.is_string(values.type),
    }
    if not any(known[each] for each in column.types):
        raise BadInputError(f"the column {column.name} has type {values.type}, not {column.kind}", "InvalidArgument")
    with np.errstate(over="ignore"):
        array: Array = values.to_numpy(zero_copy_only=False).astype(column.dtype, copy=False)
    return array


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
