"""Requests made from the description: drawn by schemathesis, or at a limit, and naming resources that exist."""

from __future__ import annotations

import copy
import json
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from json import dumps
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, configuration, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from conformance.api import multipart
from conformance.api.client import JSON, PANDAS_RECORDS, arrow_file, steps_of
from conformance.api.operations import COPY, CREATE, DEPLOY, INFER, UPLOAD, Kind, row_of
from conformance.model import Exchange, Headers, Operation, Request
from conformance.spec.document import Document
from conformance.spec.problems import Problem
from conformance.spec.validation import FastValidator
from conformance.suites.generation.resources import Resources

# ---- bodies drawn by schemathesis ------------------------------------------------------------------------------------


MODES = {"valid": GenerationMode.POSITIVE, "invalid": GenerationMode.NEGATIVE}
Draw = Callable[[Any, str, int], None]
"""What is done with a drawn (body, media type, index)."""


@cache
def _schema(profile: str) -> Any:
    """The description without `security`: negating a header that our client sets anyway would make valid requests."""
    raw = copy.deepcopy(dict(Document.load(profile).raw))
    raw.pop("security", None)
    raw.get("components", {}).pop("securitySchemes", None)
    for path in raw["paths"].values():
        for definition in path.values():
            # Of a body's media types the first is the one that the description gives a shape.
            content = definition.get("requestBody", {}).get("content", {})
            for media_type in list(content)[1:]:
                del content[media_type]
    schema = schemathesis.openapi.from_dict(raw)
    # NUL and surrogates are for the boundary values; drawn names are for people's alphabets.
    schema.config.generation.update(codec="utf-8", allow_x00=False)
    return schema


def draw(document: Document, operation_id: str, intent: str, count: int, number: int, use: Draw) -> None:
    """Draw `count` bodies of that intent, the same for the same `number`, and hand each to `use`.

    A body is what schemathesis makes of it: JSON as Python values, bytes for what is no JSON, NOT_SET for none. Drawing
    costs more than all that is done with a body, so that of many one in six is drawn, and the others are put together
    from the fields of those.
    """
    keep_out_of_the_way()
    drawn: list[tuple[Any, str, int]] = []
    _draw(document, operation_id, intent, min(count, max(_FEWEST, count // 6)), number, drawn)
    for body, media_type, index in drawn:
        use(body, media_type, index)
    objects = [one for one in drawn if isinstance(one[0], dict)]
    dice = random.Random(number)  # noqa: S311  test data
    for _ in range(count - len(drawn) if len(objects) > 1 else 0):
        (first, media_type, _), (second, _, _) = dice.sample(objects, 2)
        use(_crossed(first, second, dice), media_type, dice.randrange(2**16))


_FEWEST = 10
"""Bodies that are drawn whole, however few are asked for."""


def _crossed(first: dict[str, Any], second: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """An object with each field of one or the other, or of neither where one lacks it."""
    chosen = ((name, dice.choice((first, second))) for name in dict.fromkeys((*first, *second)))
    return {name: copy.deepcopy(body[name]) for name, body in chosen if name in body}


def _draw(
    document: Document, operation_id: str, intent: str, count: int, number: int, drawn: list[tuple[Any, str, int]]
) -> None:
    operation = document.operation(operation_id)
    strategy = _schema(document.profile)[operation.path][operation.method].as_strategy(generation_mode=MODES[intent])

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy, st.integers(0, 2**16))
    def each(case: Any, index: int) -> None:
        drawn.append((case.body, case.media_type or "", index))

    each()


def keep_out_of_the_way() -> None:
    """Let Hypothesis keep what it computes about characters and our constants in the user's cache, not in the folder
    that a run was started in."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    configuration.set_hypothesis_home_dir(Path(cache_home) / "wallaroo-conformance" / "hypothesis")


# ---- requests that name existing resources ---------------------------------------------------------------------------


Fill = Callable[[Resources, int, Any], Any]
_UNUSUAL = re.compile(r"[^A-Za-z0-9-]+")


def _name(resources: Resources, index: int, drawn: Any) -> str:
    """A new name of ours that ends in what is usual of the drawn one."""
    return resources.names.fresh(_UNUSUAL.sub("", str(drawn)).strip("-")[:20])


def _definition(resources: Resources, index: int, drawn: Any) -> Any:
    choices: tuple[dict[str, Any], ...] = (
        {},
        {"steps": []},
        steps_of(resources.models[0]),
        steps_of(resources.models[1]),
    )
    return choices[index % len(choices)]


_FILLS: dict[tuple[str, str], Fill] = {
    (CREATE, "definition"): _definition,
    (DEPLOY, "model_ids"): lambda resources, index, drawn: [resources.ids[0]] if index % 3 else [],
    (UPLOAD, "visibility"): lambda resources, index, drawn: ("public", "private")[index % 2],
}
"""Fields whose value is another each time; any other has the value that it has in a whole body."""

_DRAWN = frozenset({"conversion"})
"""Fields that stay as drawn."""


def _fills(operation_id: str, resources: Resources, index: int) -> dict[str, Callable[[Any], Any]]:
    """What stands for a drawn value, by field. Deploying again what is deployed makes nothing new: it costs nothing."""
    row = row_of(operation_id)
    known = resources.known(index=index if operation_id == COPY else 0)
    whole = (row.whole or row.valid)(known)
    versions = {at.field: known.version for at in row.takes if at.kind is Kind.VERSION}
    fields: dict[str, Callable[[Any], Any]] = {}
    for name, value in (versions | whole).items():
        if name == row.new_name:
            fields[name] = lambda drawn: _name(resources, index, drawn)
        elif name not in _DRAWN:
            fill = _FILLS.get((operation_id, name))
            fields[name] = partial(fill, resources, index) if fill else partial(_same, value)
    return fields


def _same(value: Any, drawn: Any) -> Any:
    return value


_ONNX = {"framework": "onnx", "requirements": []}


class Builder:
    """Builds requests of one document that name these resources."""

    def __init__(self, document: Document, resources: Resources) -> None:
        self.document, self.resources = document, resources
        self._validator = FastValidator(document)

    def valid(self, operation: Operation, body: Any, index: int) -> Request:
        """A request that is as described and names what exists; fields that are not described are dropped."""
        if operation.id == UPLOAD:
            drawn = body.get("metadata", {}) if isinstance(body, dict) else {}
            metadata = self._filled(UPLOAD, drawn, index, drop=True)
            metadata["conversion"] = _ONNX | _conversion(drawn.get("conversion"), index)
            return self.form({"metadata": metadata, "file": self.resources.model.content})
        return self.json(operation, self._filled(operation.id, body, index, drop=True))

    def invalid(self, operation: Operation, body: Any, index: int) -> Request:
        """A request in which what is right of a drawn body leads to something real, and what is wrong stays wrong."""
        if operation.id == UPLOAD:
            return self._invalid_form(body, index)
        if isinstance(body, dict):
            body = self._filled(operation.id, body, index, drop=False)
        return self.json(operation, body)

    def is_invalid(self, operation: Operation, request: Request) -> bool:
        """Whether a request really is not as described, by what all sources say; a token is not looked for."""
        problems = self._validator.request_problems(Exchange(request, None, operation.id))
        return any(problem.kind != "security" and not _open_to_doubt(problem) for problem in problems)

    def is_unclear(self, operation: Operation, request: Request) -> bool:
        """Whether a request is as described, and yet nobody could say what it does: it is not sent."""
        return _deploys_no_version(operation, request) and not self.is_invalid(operation, request)

    def json(self, operation: Operation, body: Any, kind: str = "") -> Request:
        """A request of that JSON body; bytes are sent as they are, and a missing value sends an empty body."""
        kind = kind or (PANDAS_RECORDS if operation.id == INFER else JSON)
        path = self.resources.url if operation.id == INFER else operation.path
        content = body if isinstance(body, bytes) else b"" if type(body).__name__ == "NotSet" else _text(body)
        return Request(operation.method, path, Headers({"Content-Type": kind}), content)

    def form(self, parts: Mapping[str, Any]) -> Request:
        """An upload of these parts; `metadata` as JSON unless it is bytes."""
        encoded = []
        for name, value in parts.items():
            content = value if isinstance(value, bytes) else _text(value)
            kind, filename = ("application/octet-stream", "model.onnx") if name == "file" else (JSON, None)
            encoded.append(multipart.Part(name, content, kind, filename))
        kind, content = multipart.encode(encoded)
        return Request("POST", self.document.operation(UPLOAD).path, Headers({"Content-Type": kind}), content)

    def _invalid_form(self, body: Any, index: int) -> Request:
        if not isinstance(body, dict):
            kind = "multipart/form-data; boundary=conformance-5f1c7e0d"
            content = body if isinstance(body, bytes) else _text(None if type(body).__name__ == "NotSet" else body)
            return Request("POST", self.document.operation(UPLOAD).path, Headers({"Content-Type": kind}), content)
        parts: dict[str, Any] = {}
        if "metadata" in body:
            metadata = body["metadata"]
            filled = self._filled(UPLOAD, metadata, index, drop=False) if isinstance(metadata, dict) else metadata
            parts["metadata"] = filled
        if "file" in body:
            parts["file"] = self.resources.model.content
        return self.form(parts)

    def _filled(self, operation_id: str, body: Any, index: int, *, drop: bool) -> dict[str, Any]:
        fills = _fills(operation_id, self.resources, index)
        schemas = self._properties(operation_id)
        filled: dict[str, Any] = {}
        for key, value in (body if isinstance(body, dict) else {}).items():
            if key in fills and (drop or _fits(value, schemas.get(key, {}))):
                filled[key] = None if value is None else fills[key](value)
            elif not drop:
                filled[key] = value
        return filled

    def _properties(self, operation_id: str) -> Mapping[str, Any]:
        schema = body_schema(self.document, operation_id)
        if operation_id == UPLOAD:
            schema = self.document.resolved(schema["properties"]["metadata"])
        properties: Mapping[str, Any] = schema.get("properties", {})
        return properties


def _open_to_doubt(problem: Problem) -> bool:
    """The tutorial calls a definition and an engine's configuration strings, and the vendor's client leaves what is in
    them open: a service that takes either form keeps to what one of them says."""
    return problem.where.startswith(("$.definition", "$.engine_config"))


def _deploys_no_version(operation: Operation, request: Request) -> bool:
    """A later release lets a deploy leave out each of the fields that name a version, and no source says what it then
    deploys: were it served, nothing more could be said of that deployment's answers."""
    body = request.json if operation.id == DEPLOY and request.is_json else None
    naming = ("pipeline_version_pk_id", "pipeline_version")
    return isinstance(body, dict) and all(body.get(name) is None for name in naming)


def body_schema(document: Document, operation_id: str) -> Mapping[str, Any]:
    """The schema of an operation's body, in the first media type that is described; `$ref`s at its top resolved."""
    content = document.resolved(document.definition(operation_id)["requestBody"])["content"]
    return document.resolved(next(iter(content.values())).get("schema", {}))


def _conversion(drawn: Any, index: int) -> dict[str, Any]:
    """Of a drawn conversion what any ONNX model may have."""
    drawn = drawn if isinstance(drawn, dict) else {}
    kept = {"python_version": ("3.8", "3.9")[index % 2]} if "python_version" in drawn else {}
    return kept | ({"arch": "x86"} if drawn.get("arch") else {})


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "object": (dict,), "array": (list,),
    "null": (type(None),), "boolean": (bool,),
}  # fmt: skip


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value has the type that its field's schema asks for, the items of a list looked at too."""
    named = schema.get("type")
    types = [named] if isinstance(named, str) else named or list(_TYPES)
    if isinstance(value, bool):
        return "boolean" in types
    if not any(isinstance(value, _TYPES[one]) for one in types) or (named and value not in schema.get("enum", [value])):
        return False
    items = schema.get("items", {})
    return not isinstance(value, list) or all(_fits(item, items) for item in value if "$ref" not in items)


def _text(value: Any) -> bytes:
    return json.dumps(value, default=str).encode()


# ---- boundary values -------------------------------------------------------------------------------------------------


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


def whole(operation_id: str, resources: Resources) -> dict[str, Any]:
    """A body with every field that the operation describes, each naming something real."""
    row = row_of(operation_id)
    fields = (row.whole or row.valid)(resources.known(resources.names.fresh("whole") if row.new_name else ""))
    return {row.part: fields} if row.part else fields


def broken(document: Document, operation_id: str, resources: Resources) -> Iterator[tuple[str, Any]]:
    """(what is wrong, body) of one body after another, each with one keyword broken. Bytes are no JSON."""
    schema = body_schema(document, operation_id)
    body = whole(operation_id, resources)
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


def bad_rows(resources: Resources) -> Iterator[tuple[str, bytes, str]]:
    """(what is wrong, body, media type) of inferences that no model of this signature can run."""
    column, width = resources.model.column, resources.model.width
    row = resources.model.rows(1)[0]
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
