"""The form of an inference's answer: outputs as the model's file declares them, and the columns of an Arrow file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import onnx
import pyarrow as pa

from conformance.api.tensors import (
    Tensor,
    arrow_table,
    columns_beside,
    declared_outputs,
    members_of,
    names_answered,
    records_answered,
)
from conformance.checks.inference import is_judgeable, serving_content
from conformance.checks.rules import Findings, Rules, seen, text_of
from conformance.ledger import Ledger
from conformance.model import Exchange

_JSON_TYPES: dict[int, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(
        (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16),
        ("numbers", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    ),
    **dict.fromkeys(
        (
            onnx.TensorProto.INT8, onnx.TensorProto.INT16, onnx.TensorProto.INT32, onnx.TensorProto.INT64,
            onnx.TensorProto.UINT8, onnx.TensorProto.UINT16, onnx.TensorProto.UINT32, onnx.TensorProto.UINT64,
        ),
        ("integers", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    ),
    onnx.TensorProto.BOOL: ("booleans", lambda value: isinstance(value, bool)),
    onnx.TensorProto.STRING: ("texts", lambda value: isinstance(value, str)),
}  # fmt: skip
"""For a tensor's type, what its values are in JSON."""

_ARROW_TYPES: dict[int, tuple[pa.DataType, ...]] = {
    onnx.TensorProto.FLOAT: (pa.float32(),),
    onnx.TensorProto.DOUBLE: (pa.float64(),),
    onnx.TensorProto.FLOAT16: (pa.float16(), pa.float32()),
    onnx.TensorProto.INT8: (pa.int8(),),
    onnx.TensorProto.INT16: (pa.int16(),),
    onnx.TensorProto.INT32: (pa.int32(),),
    onnx.TensorProto.INT64: (pa.int64(),),
    onnx.TensorProto.UINT8: (pa.uint8(),),
    onnx.TensorProto.UINT16: (pa.uint16(),),
    onnx.TensorProto.UINT32: (pa.uint32(),),
    onnx.TensorProto.UINT64: (pa.uint64(),),
    onnx.TensorProto.BOOL: (pa.bool_(),),
    onnx.TensorProto.STRING: (pa.string(), pa.large_string()),
}
"""For a tensor's type, the element types of an Arrow column of it. Half floats are written as either width."""

_MOST_JUDGED = 100
"""Records of one answer whose form is judged: its first ones."""


def outputs_formed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Each output has the list depth, the length and the element type that the model's file declares.

    Recorded: an output of [N, 1] floats is a list of one number a row in JSON, a column of lists of float32 in Arrow.
    """
    content = serving_content(exchange, ledger)
    response = exchange.response
    if content is None or response is None or not is_judgeable(exchange):
        return
    declared = {tensor.name: tensor for tensor in declared_outputs(content)}
    table = arrow_table(response)
    if table is not None:
        members = [(declared[name], column) for name, column in members_of(table, "out") if name in declared]
        if members:
            wrong = next((text for tensor, column in members if (text := _wrong_column(tensor, column))), "")
            expected = f"columns of {_declared([tensor for tensor, _ in members])}"
            yield seen(exchange, "gives-arrow-outputs-their-declared-type", not wrong, expected, wrong)
        return
    outs = [one.get("out") for one in records_answered(exchange)[:_MOST_JUDGED]]
    pairs = [(declared[name], value) for out in outs if isinstance(out, dict) for name, value in out.items()
             if name in declared and value is not None]  # fmt: skip
    if pairs:
        wrong = next((text for tensor, value in pairs if (text := _wrong_value(tensor, value))), "")
        expected = f"in each record {_declared(list(dict.fromkeys(tensor for tensor, _ in pairs)))}"
        yield seen(exchange, "gives-outputs-their-declared-form", not wrong, expected, wrong)


def outputs_ordered(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Of several outputs the columns of an Arrow file stand in the order of the model's file."""
    content = serving_content(exchange, ledger)
    table = arrow_table(exchange.response) if exchange.response and content and is_judgeable(exchange) else None
    if content is None or table is None:
        return
    declared = [tensor.name for tensor in declared_outputs(content)]
    named = [name for name, _ in members_of(table, "out")]
    if len(declared) > 1 and sorted(named) == sorted(declared):
        yield seen(exchange, "gives-arrow-outputs-in-the-models-order", named == declared, f"{declared}", named)


def _declared(tensors: list[Tensor]) -> str:
    return ", ".join(f"'{one.name}' of {_form(one)}" for one in tensors)


def _form(tensor: Tensor) -> str:
    kind = str(onnx.TensorProto.DataType.Name(tensor.type)).lower()
    if tensor.shape is None:
        return kind
    return f"{kind} {[size or 'any' for size in tensor.shape[1:]]}".replace("'", "")


def _wrong_value(tensor: Tensor, value: Any) -> str:
    """What is wrong with one row of an output in JSON; empty where nothing is."""
    what, is_one = _JSON_TYPES.get(tensor.type, ("", lambda value: True))
    wrong = next((one for one in _leaves(value) if not is_one(one)), None)
    if wrong is not None:
        return f"{text_of(wrong)} under '{tensor.name}', where {what} are due"
    sizes, due = _sizes(value), _due(tensor)
    if sizes is None or (due is not None and not any(_fits(sizes, one) for one in due)):
        return f"'{tensor.name}': {text_of(value)}"
    return ""


def _due(tensor: Tensor) -> list[tuple[int | None, ...]] | None:
    """The list lengths that a row may have, outermost first; None where the file says nothing.

    Whether an output of one dimension is a number or a list of one, and whether one of three is nested or flat, was
    recorded of no release.
    """
    if tensor.shape is None:
        return None
    row = tensor.shape[1:]
    if len(row) == 0:
        return [(), (1,)]
    return [row] if len(row) == 1 else [row, (_product(row),)]


def _product(sizes: tuple[int | None, ...]) -> int | None:
    whole = 1
    for size in sizes:
        if size is None:
            return None
        whole *= size
    return whole


def _fits(sizes: tuple[int, ...], due: tuple[int | None, ...]) -> bool:
    return len(sizes) == len(due) and all(want in (None, size) for size, want in zip(sizes, due, strict=True))


def _sizes(value: Any) -> tuple[int, ...] | None:
    """The lengths of lists within lists; None where lists of one depth have different lengths."""
    if not isinstance(value, list):
        return ()
    inner = {_sizes(item) for item in value}
    if len(inner) > 1 or None in inner:
        return None
    return (len(value), *(inner.pop() or () if inner else ()))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _wrong_column(tensor: Tensor, column: pa.ChunkedArray) -> str:
    """What is wrong with an output's column in Arrow; empty where nothing is."""
    depth, inner = 0, column.type
    while pa.types.is_list(inner) or pa.types.is_large_list(inner) or pa.types.is_fixed_size_list(inner):
        depth, inner = depth + 1, inner.value_type
    if pa.types.is_dictionary(inner):
        inner = inner.value_type
    types, due = _ARROW_TYPES.get(tensor.type), _due(tensor)
    if (types and inner not in types) or (due is not None and depth not in {len(one) for one in due}):
        return f"'{tensor.name}' of {column.type}"
    if column.null_count:
        return f"'{tensor.name}' with {column.null_count} nulls"
    first = column.slice(0, 1).to_pylist()
    sizes = _sizes(first[0]) if first else None
    if due is not None and sizes is not None and not any(_fits(sizes, one) for one in due):
        return f"'{tensor.name}' with {text_of(first[0])} in a row"
    return ""


def arrow_columns(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """An Arrow answer holds, for each row, what a record of a JSON answer holds, each under the same name."""
    table = arrow_table(exchange.response) if exchange.response and is_judgeable(exchange) else None
    if table is None or not table.num_columns:
        return
    beside = columns_beside(table)
    for side, slug in (("in", "input"), ("out", "output")):
        named = names_answered(exchange.response, side) if exchange.response else []
        expected = f"columns under `{side}`"
        yield seen(exchange, f"tells-each-arrow-rows-{slug}", bool(named), expected, table.column_names)
    for name, slug, what, fits in _COLUMNS:
        column = beside.get(name)
        held = column is not None and fits(column.type) and not column.null_count
        expected = f"a column {name} of {what}"
        yield seen(exchange, slug, held, expected, table.column_names if column is None else f"{name} of {column.type}")


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_integers(kind: pa.DataType) -> bool:
    return _is_list(kind) and bool(pa.types.is_integer(kind.value_type))


_COLUMNS: tuple[tuple[str, str, str, Callable[[pa.DataType], bool]], ...] = (
    ("time", "tells-each-arrow-rows-time", "timestamps, or of integers", pa.types.is_integer),
    ("check_failures", "tells-each-arrow-rows-check-failures", "lists, or of their lengths",
     lambda kind: _is_list(kind) or pa.types.is_integer(kind)),
    ("anomaly.count", "tells-each-arrow-rows-anomaly", "integers", pa.types.is_integer),
    ("metadata.last_model", "tells-each-arrow-rows-last-model", "texts", _is_text),
    ("metadata.pipeline_version", "tells-each-arrow-rows-pipeline-version", "texts", _is_text),
    ("metadata.elapsed", "tells-each-arrow-rows-elapsed-time", "lists of integers", _is_integers),
    ("metadata.dropped", "tells-each-arrow-rows-dropped", "lists", _is_list),
    ("metadata.partition", "tells-each-arrow-rows-partition", "texts", _is_text),
)  # fmt: skip
"""A column of an Arrow answer, the row that has it, and what it may be (the vendor's client reads these forms)."""
