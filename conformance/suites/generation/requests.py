"""From a body to a request that reaches something: fields that name a resource get one of the stage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from conformance.api import multipart
from conformance.api.client import JSON, PANDAS_RECORDS, steps_of
from conformance.api.operations import COPY, CREATE, DEPLOY, INFER, UPLOAD, Kind, row_of
from conformance.model import Exchange, Headers, Operation, Request
from conformance.spec.document import Document
from conformance.spec.problems import Problem
from conformance.spec.validation import FastValidator
from conformance.suites.generation.stage import Stage

Fill = Callable[[Stage, int, Any], Any]
_UNUSUAL = re.compile(r"[^A-Za-z0-9-]+")


def _name(stage: Stage, index: int, drawn: Any) -> str:
    """A new name of ours that ends in what is usual of the drawn one."""
    return stage.names.fresh(_UNUSUAL.sub("", str(drawn)).strip("-")[:20])


def _definition(stage: Stage, index: int, drawn: Any) -> Any:
    choices: tuple[dict[str, Any], ...] = ({}, {"steps": []}, steps_of(stage.models[0]), steps_of(stage.models[1]))
    return choices[index % len(choices)]


_FILLS: dict[tuple[str, str], Fill] = {
    (CREATE, "definition"): _definition,
    (DEPLOY, "model_ids"): lambda stage, index, drawn: [stage.ids[0]] if index % 3 else [],
    (UPLOAD, "visibility"): lambda stage, index, drawn: ("public", "private")[index % 2],
}
"""Fields whose value is another each time; any other has the value that it has in a whole body."""

_DRAWN = frozenset({"conversion"})
"""Fields that stay as drawn."""


def _fills(operation_id: str, stage: Stage, index: int) -> dict[str, Callable[[Any], Any]]:
    """What stands for a drawn value, by field. Deploying again what is deployed makes nothing new: it costs nothing."""
    row = row_of(operation_id)
    known = stage.known(index=index if operation_id == COPY else 0)
    whole = (row.whole or row.valid)(known)
    versions = {at.field: known.version for at in row.takes if at.kind is Kind.VERSION}
    fields: dict[str, Callable[[Any], Any]] = {}
    for name, value in (versions | whole).items():
        if name == row.new_name:
            fields[name] = lambda drawn: _name(stage, index, drawn)
        elif name not in _DRAWN:
            fill = _FILLS.get((operation_id, name))
            fields[name] = partial(fill, stage, index) if fill else partial(_same, value)
    return fields


def _same(value: Any, drawn: Any) -> Any:
    return value


_ONNX = {"framework": "onnx", "requirements": []}


class Builder:
    """Builds requests of one document against one stage."""

    def __init__(self, document: Document, stage: Stage) -> None:
        self.document, self.stage = document, stage
        self._validator = FastValidator(document)

    def valid(self, operation: Operation, body: Any, index: int) -> Request:
        """A request that is as described and names what exists; fields that are not described are dropped."""
        if operation.id == UPLOAD:
            drawn = body.get("metadata", {}) if isinstance(body, dict) else {}
            metadata = self._filled(UPLOAD, drawn, index, drop=True)
            metadata["conversion"] = _ONNX | _conversion(drawn.get("conversion"), index)
            return self.form({"metadata": metadata, "file": self.stage.model.content})
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
        """A request of that JSON body; bytes go as they are, and what is no value at all goes as nothing."""
        kind = kind or (PANDAS_RECORDS if operation.id == INFER else JSON)
        path = self.stage.url if operation.id == INFER else operation.path
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
            parts["file"] = self.stage.model.content
        return self.form(parts)

    def _filled(self, operation_id: str, body: Any, index: int, *, drop: bool) -> dict[str, Any]:
        fills = _fills(operation_id, self.stage, index)
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
