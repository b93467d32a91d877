"""Rows in and out of inference bodies, JSON or Arrow, and what the model itself makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pyarrow as pa
from onnx.reference import ReferenceEvaluator

from conformance.model import Exchange, Request, Response

ARROW_TYPES = frozenset({"application/vnd.apache.arrow.file", "application/vnd.apache.arrow.stream"})
Rows = npt.NDArray[np.float64]


def rows_sent(request: Request, column: str = "") -> Rows | None:
    """The rows of a request as [N, width]; None where the body is not rows of one column of numbers.

    Of several columns it is the one called `column`, the model's input.
    """
    if request.media_type in ARROW_TYPES:
        table = _table(request.body)
        if table is None or (table.num_columns != 1 and column not in table.column_names):
            return None
        return _numbers(table.column(0 if table.num_columns == 1 else column))
    try:
        records = request.json
    except (ValueError, RecursionError):
        return None
    if column and isinstance(records, list) and any(isinstance(one, dict) and len(one) > 1 for one in records):
        records = [{column: one[column]} if isinstance(one, dict) and column in one else None for one in records]
    return _column_of(records)


def column_sent(request: Request) -> str:
    """The name of the one column of a request's rows; empty where there are several, or none."""
    if request.media_type in ARROW_TYPES:
        table = _table(request.body)
        return str(table.column_names[0]) if table is not None and table.num_columns == 1 else ""
    records = request.json if request.is_json else None
    names = {name for one in records for name in one} if isinstance(records, list) and records else set()
    return str(names.pop()) if len(names) == 1 else ""


def names_of(content: bytes) -> tuple[str, str] | None:
    """The names of an ONNX file's one input and one output; None where it has more, or cannot be read."""
    plain = _plain_reference(content)
    return None if plain is None else (plain[1], str(plain[0].output_names[0]))


def rows_answered(response: Response) -> tuple[Rows | None, Rows | None]:
    """(echoed inputs, outputs) of an answer as [N, width] each; None where it holds none of the kind."""
    if response.media_type in ARROW_TYPES:
        table = _table(response.body)
        return (None, None) if table is None else (_arrow_side(table, "in"), _arrow_side(table, "out"))
    if not response.is_json or not isinstance(response.json, list):
        return None, None
    records = [record for record in response.json if isinstance(record, dict)]
    sides = tuple(_column_of([record.get(side) for record in records]) for side in ("in", "out"))
    return sides[0], sides[1]


def records_answered(exchange: Exchange) -> list[dict[str, Any]]:
    """The records of an answer. Those of an Arrow file hold what stands beside the rows: neither `in` nor `out`."""
    if exchange.response is not None and exchange.response.media_type in ARROW_TYPES:
        return list(_records_beside(exchange.response.body))
    answer = exchange.answer
    return [record for record in answer if isinstance(record, dict)] if isinstance(answer, list) else []


@lru_cache(maxsize=8)
def _records_beside(body: bytes) -> tuple[dict[str, Any], ...]:
    table = _table(body)
    if table is None:
        return ()
    columns: dict[tuple[str, ...], list[Any]] = {}
    for name, column in columns_beside(table).items():
        columns[tuple(name.split("."))] = column.to_pylist()
    records: list[dict[str, Any]] = [{} for _ in range(table.num_rows)]
    for (top, *inner), values in columns.items():
        for record, value in zip(records, values, strict=True):
            if inner:
                record.setdefault(top, {})[".".join(inner)] = value
            else:
                record[top] = value
    return tuple(records)


def columns_beside(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """The columns of an answer but `in` and `out`, members of structs by `metadata.elapsed`, times as milliseconds."""
    found: dict[str, pa.ChunkedArray] = {}
    for top, column in zip(table.column_names, table.columns, strict=True):
        if top.partition(".")[0] in ("in", "out"):
            continue
        if pa.types.is_struct(column.type) and not column.null_count:
            members = column.combine_chunks()
            members = members if isinstance(members, pa.StructArray) else pa.concat_arrays(column.chunks)
            for field, values in zip(column.type, members.flatten(), strict=True):
                found[f"{top}.{field.name}"] = pa.chunked_array([values])
        elif pa.types.is_timestamp(column.type):
            found[top] = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
        else:
            found[top] = column
    return found


def arrow_table(response: Response) -> pa.Table | None:
    """The table of an Arrow answer; None where there is none, or it cannot be read."""
    return _table(response.body) if response.media_type in ARROW_TYPES else None


def names_answered(response: Response, side: str) -> list[list[str]]:
    """The names that stand under `in` or `out`: of each record of a JSON answer, or once of an Arrow file."""
    table = arrow_table(response)
    if table is not None:
        return [[name for name, _ in members_of(table, side)]] if members_of(table, side) else []
    answer = response.json if response.is_json else None
    records = [one.get(side) for one in answer if isinstance(one, dict)] if isinstance(answer, list) else []
    return [list(one) for one in records if isinstance(one, dict)]


def members_of(table: pa.Table, side: str) -> list[tuple[str, pa.ChunkedArray]]:
    """The columns under `in` or `out`, whether they are members of one struct or have names such as `out.dense_1`."""
    found: list[tuple[str, pa.ChunkedArray]] = []
    for top, column in zip(table.column_names, table.columns, strict=True):
        if top == side and pa.types.is_struct(column.type) and not column.null_count and column.num_chunks:
            members = pa.concat_arrays(column.chunks).flatten()
            found += [(field.name, pa.chunked_array([part])) for field, part in zip(column.type, members, strict=True)]
        elif top.startswith(f"{side}."):
            found.append((top.removeprefix(f"{side}."), column))
    return found


@dataclass(frozen=True)
class Tensor:
    """An input or output as an ONNX file declares it: `type` as in `onnx.TensorProto`, `shape` with None for any size.

    `shape` is None where the file declares none.
    """

    name: str
    type: int
    shape: tuple[int | None, ...] | None


def declared_outputs(content: bytes) -> tuple[Tensor, ...]:
    """The outputs that an ONNX file declares, in its order; empty where it cannot be read."""
    evaluator = _reference(content)
    return () if evaluator is None else tensors_of(evaluator.proto_.graph.output)


def tensors_of(values: Sequence[Any]) -> tuple[Tensor, ...]:
    """The tensors among a graph's inputs or outputs; what is none (a map, a sequence) has type 0."""
    return tuple(Tensor(one.name, one.type.tensor_type.elem_type, _shape(one.type.tensor_type)) for one in values)


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    if not tensor.HasField("shape"):
        return None
    return tuple(one.dim_value if one.HasField("dim_value") and one.dim_value > 0 else None for one in tensor.shape.dim)


@lru_cache(maxsize=32)
def _reference(content: bytes) -> ReferenceEvaluator | None:
    try:
        return ReferenceEvaluator(onnx.load_from_string(content))
    except Exception:  # onnx raises many kinds; a model it cannot read gives no ground truth, and that is all
        return None


def _plain_reference(content: bytes) -> tuple[ReferenceEvaluator, str] | None:
    """The evaluator of a file with one input and one output, and the input's name; None for any other."""
    evaluator = _reference(content)
    if evaluator is None:
        return None
    weights = {weight.name for weight in evaluator.proto_.graph.initializer}
    names = [name for name in evaluator.input_names if name not in weights]
    return (evaluator, names[0]) if len(names) == 1 and len(evaluator.output_names) == 1 else None


def expected_outputs(content: bytes, rows: Rows) -> Rows | None:
    """What an ONNX file (its bytes) computes for [N, width] rows, by onnx.reference; None where it cannot say."""
    plain = _plain_reference(content)
    if plain is None or rows.size == 0:
        return None
    evaluator, name = plain
    try:
        with np.errstate(all="ignore"):
            outputs: Any = evaluator.run(None, {name: rows.astype(np.float32)})
    except Exception:
        return None
    return np.asarray(outputs[0], dtype=np.float64).reshape(len(rows), -1)


def _column_of(records: Any) -> Rows | None:
    if not isinstance(records, list) or not records:
        return None
    if not all(isinstance(record, dict) and len(record) == 1 for record in records):
        return None
    return _matrix([next(iter(record.values())) for record in records])


def _matrix(values: list[Any]) -> Rows | None:
    rows = [value if isinstance(value, list) else [value] for value in values]
    if not rows or not set(map(type, chain.from_iterable(rows))) <= {int, float}:
        return None
    if len(set(map(len, rows))) != 1:
        return None
    return np.asarray(rows, dtype=np.float64)


@lru_cache(maxsize=8)
def _table(body: bytes) -> pa.Table | None:
    for opener in (pa.ipc.open_file, pa.ipc.open_stream):
        try:
            return opener(pa.BufferReader(body)).read_all()
        except (pa.ArrowInvalid, pa.ArrowException, OSError):
            continue
    return None


def _arrow_side(table: pa.Table, side: str) -> Rows | None:
    """`in` and `out` come as one struct column, or flattened to `in.NAME` with a separator."""
    for name in table.column_names:
        if name == side:
            struct = table.column(name).combine_chunks()
            fields = struct.flatten() if pa.types.is_struct(struct.type) and not struct.null_count else []
            return _numbers(pa.chunked_array([fields[0]])) if len(fields) == 1 else None
        if name.startswith(side + "."):
            return _numbers(table.column(name))
    return None


def _numbers(column: pa.ChunkedArray) -> Rows | None:
    """A column of numbers, or of lists of numbers of one length, as [N, width]."""
    values, count = column.combine_chunks(), len(column)
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks else pa.array([], column.type)
    nested = any(test(values.type) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))
    lengths = set(values.value_lengths().to_pylist()) if nested else {1}
    inner = values.flatten() if nested else values
    number = pa.types.is_floating(inner.type) or pa.types.is_integer(inner.type)
    if not count or not number or inner.null_count or values.null_count or len(lengths) != 1:
        return None
    return np.asarray(inner.to_numpy(zero_copy_only=False), dtype=np.float64).reshape(count, -1)
