"""Boundary values: every keyword of a body's schema broken in turn, and rows and names at their limits."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any

from conformance.api.client import arrow_file
from conformance.api.operations import row_of
from conformance.spec.document import Document
from conformance.suites.generation.requests import body_schema
from conformance.suites.generation.stage import Stage

_WRONG: tuple[tuple[str, Any], ...] = (
    ("null", None),
    ("string", "10"),
    ("number", 1.5),
    ("boolean", True),
    ("array", []),
    ("object", {}),
)
_BODIES: tuple[tuple[str, bytes], ...] = (
    ("empty", b""),
    ("truncated", b'{"pipeline_id": "x'),
    ("null", b"null"),
    ("array", b"[]"),
    ("string", b'"x"'),
    ("number", b"7"),
    ("not-utf-8", b'{"name": "\xff\xfe"}'),
    ("constant", b'{"name": NaN}'),
)
NAME_LENGTHS = (1, 62, 63, 64, 65, 100, 128)
"""Lengths around the 63 characters that the vendor's client allows; names of ours are never shorter than its prefix."""


def whole(operation_id: str, stage: Stage) -> dict[str, Any]:
    """A body with every field that the operation describes, each naming something real."""
    row = row_of(operation_id)
    fields = (row.whole or row.valid)(stage.known(stage.names.fresh("whole") if row.new_name else ""))
    return {row.part: fields} if row.part else fields


def broken(document: Document, operation_id: str, stage: Stage) -> Iterator[tuple[str, Any]]:
    """(what is wrong, body) of one body after another, each with one keyword broken. Bytes are no JSON."""
    schema = body_schema(document, operation_id)
    body = whole(operation_id, stage)
    metadata = operation_id == "models.upload-and-convert"
    if metadata:
        schema = document.resolved(schema["properties"]["metadata"])
        for name in schema["required"]:
            yield f"without {name}", {"metadata": _without(body["metadata"], (name,)), "file": b""}
    else:
        yield from ((f"without {name}", _without(body, (name,))) for name in schema.get("required", ()))
    yield from _BODIES
    if metadata:
        for what, changed in _variants(document, schema, body["metadata"]):
            yield what, {"metadata": changed, "file": b""}
        yield "no metadata", {"file": b""}
        yield "no file", body
    else:
        yield from _variants(document, schema, body)


def _variants(document: Document, schema: Mapping[str, Any], body: Any) -> Iterator[tuple[str, Any]]:
    yield from ((f"without {name}", _without(body, (name,))) for name in schema.get("required", ()))
    for path in list(_paths(body))[1:]:
        for kind, wrong in _WRONG:
            yield f"{kind} at {_shown(path)}", _with(body, path, wrong)
        if isinstance(path[-1], str) and len(path) > 1:
            yield f"without {_shown(path)}", _without(body, path)
        if isinstance(_at(body, path), str):
            yield f"another word at {_shown(path)}", _with(body, path, "no-such-word")


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        yield (*path, 0)
        for item in value[:1]:
            yield from list(_paths(item, (*path, 0)))[1:]


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        if isinstance(value, list) and key == len(value):
            return None
        value = value[key]
    return value


def _with(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    inner = _at(changed, path[:-1])
    if isinstance(inner, list):
        inner[:] = [value]
    else:
        inner[path[-1]] = value
    return changed


def _without(body: Any, path: tuple[str | int, ...]) -> Any:
    changed = copy.deepcopy(body)
    inner = _at(changed, path[:-1])
    if isinstance(inner, dict):
        inner.pop(path[-1], None)
    return changed


def _shown(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def bad_rows(stage: Stage) -> Iterator[tuple[str, bytes, str]]:
    """(what is wrong, body, media type) of inferences that no model of this signature can run."""
    column, width = stage.model.column, stage.model.width
    row = stage.model.rows(1)[0]
    records: tuple[tuple[str, Any], ...] = (
        ("one value too few", [{column: row[:-1]}]),
        ("one value too many", [{column: [*row, 0.0]}]),
        ("rows of two widths", [{column: row}, {column: row[:-1]}]),
        ("a string for a number", [{column: ["x", *row[1:]]}]),
        ("a null for a number", [{column: [None, *row[1:]]}]),
        ("an object for a number", [{column: [{}, *row[1:]]}]),
        ("a number for a row", [{column: 1.0}]),
        ("an empty row", [{column: []}]),
        ("a null row", [{column: None}]),
        ("no column", [{}]),
        ("a record that is none", [row]),
        ("no list", {column: row}),
    )
    for what, body in records:
        if width > 1 or "few" not in what:
            yield what, dumps(body).encode(), "application/json; format=pandas-records"
    yield "truncated JSON", dumps([{column: row}]).encode()[:-3], "application/json; format=pandas-records"
    yield "an empty body", b"", "application/json; format=pandas-records"
    arrow = arrow_file(column, [row])
    yield "a truncated Arrow file", arrow[: len(arrow) // 2], "application/vnd.apache.arrow.file"
    yield "a wide Arrow file", arrow_file(column, [[*row, 0.0]]), "application/vnd.apache.arrow.file"
    yield "JSON called Arrow", dumps([{column: row}]).encode(), "application/vnd.apache.arrow.file"
