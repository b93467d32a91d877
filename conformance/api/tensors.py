"""Rows in and out of inference bodies, JSON or Arrow, and what the model itself makes of them."""

from __future__ import annotations

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
    evaluator = _reference(content)
    if evaluator is None:
        return None
    initializers = {weight.name for weight in evaluator.proto_.graph.initializer}
    return next(name for name in evaluator.input_names if name not in initializers), str(evaluator.output_names[0])


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
    """The records of a JSON answer; empty for anything else."""
    answer = exchange.answer
    return [record for record in answer if isinstance(record, dict)] if isinstance(answer, list) else []


@lru_cache(maxsize=32)
def _reference(content: bytes) -> ReferenceEvaluator | None:
    try:
        model = onnx.load_from_string(content)
        inputs = [item for item in model.graph.input if item.name not in {w.name for w in model.graph.initializer}]
        return ReferenceEvaluator(model) if len(inputs) == 1 and len(model.graph.output) == 1 else None
    except Exception:  # onnx raises many kinds; a model it cannot read gives no ground truth, and that is all
        return None


def expected_outputs(content: bytes, rows: Rows) -> Rows | None:
    """What an ONNX file (its bytes) computes for [N, width] rows, by onnx.reference; None where it cannot say."""
    evaluator = _reference(content)
    if evaluator is None or rows.size == 0:
        return None
    try:
        initializers = {weight.name for weight in evaluator.proto_.graph.initializer}
        name = next(name for name in evaluator.input_names if name not in initializers)
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
