"""Rows in and out of inference bodies, JSON or Arrow, and what the model itself makes of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pyarrow as pa
from onnx.reference import ReferenceEvaluator

from conformance.model import Exchange, Request, Response

ARROW_TYPES = frozenset({"application/vnd.apache.arrow.file", "application/vnd.apache.arrow.stream"})
Rows = npt.NDArray[np.float64]


def rows_sent(request: Request) -> Rows | None:
    """The rows of a request as [N, width]; None where the body is not rows of one column of numbers."""
    if request.media_type in ARROW_TYPES:
        table = _table(request.body)
        return _matrix(table.column(0).to_pylist()) if table is not None and table.num_columns == 1 else None
    try:
        records = request.json
    except (ValueError, RecursionError):
        return None
    return _column_of(records)


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
            output = evaluator.run(None, {name: rows.astype(np.float32)})[0]
    except Exception:
        return None
    return np.asarray(output, dtype=np.float64).reshape(len(rows), -1)


def _column_of(records: Any) -> Rows | None:
    if not isinstance(records, list) or not records:
        return None
    if not all(isinstance(record, dict) and len(record) == 1 for record in records):
        return None
    return _matrix([next(iter(record.values())) for record in records])


def _matrix(values: list[Any]) -> Rows | None:
    rows = [value if isinstance(value, list) else [value] for value in values]
    if not rows or not all(type(cell) in (int, float) for row in rows for cell in row):
        return None
    if len({len(row) for row in rows}) != 1:
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
            return _column_of(table.column(name).to_pylist())
        if name.startswith(side + "."):
            return _matrix(table.column(name).to_pylist())
    return None
