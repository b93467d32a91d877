"""Requests that cannot be served, written out: each with the promise that it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.api.client import ARROW_FILE, PANDAS_RECORDS, PipelineVersionCreated, arrow_file, infer_path
from conformance.api.operations import COPY, CREATE, DEPLOY, INFER, STATUS, UNDEPLOY, UPLOAD, VERSIONS, Known, row_of
from conformance.model import Headers, Request
from conformance.suites.model import Model
from conformance.suites.plan import Running, Uploads
from conformance.suites.requests import NOT_GIVEN, OPERATIONS, json_request, upload

WRONG_TYPES: Mapping[type, tuple[Any, ...]] = {str: (7,), int: ("seven", 7.5, True), list: ("seven", {"of": 7})}
"""For the type a field has, values of other types."""


@dataclass(frozen=True)
class FixtureBodies:
    """What refused requests are about: a workspace, an idle pipeline of it and another, uploads, names, the model.

    `serving` is a deployment that runs, for requests that only such a one could serve.
    """

    workspace_id: int
    elsewhere: int
    pipeline: PipelineVersionCreated
    pipeline_name: str
    other: PipelineVersionCreated
    uploads: Uploads
    model: Model
    named: Callable[[str], str]
    serving: Running | None = None

    def body(self, operation: str) -> dict[str, Any]:
        """The fields of a request that would be served, but for what a refusal changes in them."""
        row = row_of(operation)
        known = Known(
            self.named(f"refused-{operation.rpartition('.')[2]}"),
            self.workspace_id,
            pipeline=self.pipeline.pipeline_pk_id,
            variant=self.pipeline.pipeline_variant_pk_id,
            pipeline_name=self.pipeline_name,
            deployment_name=self.named("refused-1"),
            model_name=self.uploads.first.name,
            models=(self.uploads.first.as_json(),),
        )
        if self.serving and not row.changes:
            known = replace(known, pipeline_name=self.serving.pipeline_name, deployment_name=self.serving.name)
        return row.valid(known)


@dataclass(frozen=True)
class Refusal:
    """A promise that something is refused: its row, and the requests that must be."""

    operation: str
    slug: str
    requests: Callable[[FixtureBodies], Iterator[Request]]

    def __str__(self) -> str:
        return f"{self.operation}.{self.slug}"


def _without(operation: str, field: str) -> Refusal:
    def requests(bodies: FixtureBodies) -> Iterator[Request]:
        body = bodies.body(operation)
        del body[field]
        yield json_request(operation, body)

    return Refusal(operation, f"requires-{_kebab(field)}", requests)


def _mistyped(operation: str, field: str, kind: type) -> Refusal:
    def requests(bodies: FixtureBodies) -> Iterator[Request]:
        for wrong in WRONG_TYPES[kind]:
            yield json_request(operation, bodies.body(operation) | {field: wrong})

    what = {str: "a-text", int: "an-integer", list: "a-list"}[kind]
    return Refusal(operation, f"takes-{_kebab(field)}-as-{what}-only", requests)


def _changed(operation: str, slug: str, change: Callable[[FixtureBodies], dict[str, Any]]) -> Refusal:
    return Refusal(
        operation, slug, lambda bodies: iter([json_request(operation, bodies.body(operation) | change(bodies))])
    )


def _model_without(field: str) -> Refusal:
    def requests(bodies: FixtureBodies) -> Iterator[Request]:
        model = {key: value for key, value in bodies.uploads.first.as_json().items() if key != field}
        yield json_request(DEPLOY, bodies.body(DEPLOY) | {"models": [model]})

    return Refusal(DEPLOY, f"requires-models-{field}", requests)


def _upload_without(field: str) -> Refusal:
    def requests(bodies: FixtureBodies) -> Iterator[Request]:
        metadata = {key: value for key, value in bodies.body(UPLOAD).items() if key != field}
        yield upload(metadata, bodies.model.content)

    return Refusal(UPLOAD, f"requires-metadata-{_kebab(field)}", requests)


def _kebab(field: str) -> str:
    return field.replace("_", "-")


def _undeploys_by_no_integer(bodies: FixtureBodies) -> Iterator[Request]:
    yield json_request(UNDEPLOY, {"deployment_id": "seven"})
    yield json_request(UNDEPLOY, {"pipeline_id": "seven"})


def _unreadable(operation: str) -> Refusal:
    def requests(bodies: FixtureBodies) -> Iterator[Request]:
        if operation == UPLOAD:
            yield Request(
                "POST", upload({}, b"").url, Headers({"Content-Type": "multipart/form-data; boundary=x"}), b"--y"
            )
        elif operation == INFER:
            yield _inference(bodies, b'[{"' + bodies.model.column.encode() + b'": [1.0, ')
        else:
            whole = json.dumps(bodies.body(operation) or {"user_id": None}).encode()
            yield json_request(operation, whole[:-1])
            yield json_request(operation, b"\xff\xfe" + whole)

    return Refusal(operation, "refuses-what-is-no-request", requests)


_SEVENS = {CREATE: "definition", DEPLOY: "engine_config", COPY: "pipeline_version"}
"""Operations that make something, and a field of theirs that is no number, beside names and ids that are good."""


def _undescribed(operation: str) -> Refusal:
    """A text where an object or a form belongs; and a number where none may be."""

    def requests(bodies: FixtureBodies) -> Iterator[Request]:
        if operation == UPLOAD:
            yield upload("a text", bodies.model.content)
        elif operation == INFER:
            yield _inference(bodies, b'"a text"')
        else:
            yield json_request(operation, "a text")
        if operation in _SEVENS:
            yield json_request(operation, bodies.body(operation) | {_SEVENS[operation]: 7})

    return Refusal(operation, "refuses-invalid-requests", requests)


def _inference(bodies: FixtureBodies, body: bytes, kind: str = PANDAS_RECORDS) -> Request:
    """An inference; the suite puts the running deployment's URL in place of this one."""
    return Request(
        "POST", infer_path(f"{bodies.named('x')}-{NOT_GIVEN}", bodies.named("x")), Headers({"Content-Type": kind}), body
    )


def _wide(bodies: FixtureBodies) -> Iterator[Request]:
    row = bodies.model.tutorial_row()
    for wrong in (row[:-1], [*row, 1.0]):
        yield _inference(bodies, json.dumps([{bodies.model.column: wrong}]).encode())


def _texts(bodies: FixtureBodies) -> Iterator[Request]:
    row = [str(value) for value in bodies.model.tutorial_row()]
    yield _inference(bodies, json.dumps([{bodies.model.column: row}]).encode())


def _truncated(bodies: FixtureBodies) -> Iterator[Request]:
    whole = arrow_file(bodies.model.column, bodies.model.rows(51))
    yield _inference(bodies, whole[: len(whole) // 2], ARROW_FILE)


REFUSALS: tuple[Refusal, ...] = (
    _without(CREATE, "pipeline_id"),
    _mistyped(CREATE, "pipeline_id", str),
    _without(CREATE, "workspace_id"),
    _mistyped(CREATE, "workspace_id", int),
    _changed(CREATE, "refuses-an-unknown-workspace", lambda bodies: {"workspace_id": NOT_GIVEN}),
    _without(DEPLOY, "deploy_id"),
    _mistyped(DEPLOY, "deploy_id", str),
    _without(DEPLOY, "pipeline_version_pk_id"),
    _mistyped(DEPLOY, "pipeline_version_pk_id", int),
    _without(DEPLOY, "pipeline_id"),
    _mistyped(DEPLOY, "pipeline_id", int),
    _mistyped(DEPLOY, "model_configs", list),
    _mistyped(DEPLOY, "model_ids", list),
    _mistyped(DEPLOY, "models", list),
    _model_without("name"),
    _model_without("version"),
    _model_without("sha"),
    _changed(DEPLOY, "refuses-an-unknown-pipeline", lambda bodies: {"pipeline_id": NOT_GIVEN}),
    _changed(DEPLOY, "refuses-an-unknown-version", lambda bodies: {"pipeline_version_pk_id": NOT_GIVEN}),
    _changed(DEPLOY, "refuses-a-version-of-another-pipeline",
             lambda bodies: {"pipeline_version_pk_id": bodies.other.pipeline_variant_pk_id}),
    _changed(DEPLOY, "refuses-a-model-that-never-was",
             lambda bodies: {"models": [bodies.uploads.first.as_json() | {"sha": "0" * 64}]}),
    Refusal(UNDEPLOY, "requires-an-id", lambda bodies: iter([json_request(UNDEPLOY, {})])),
    Refusal(UNDEPLOY, "takes-ids-as-integers-only", _undeploys_by_no_integer),
    _without(COPY, "name"),
    _mistyped(COPY, "name", str),
    _without(COPY, "workspace_id"),
    _mistyped(COPY, "workspace_id", int),
    _without(COPY, "source_pipeline"),
    _mistyped(COPY, "source_pipeline", int),
    _changed(COPY, "refuses-an-unknown-source", lambda bodies: {"source_pipeline": NOT_GIVEN}),
    _changed(COPY, "refuses-a-source-of-another-workspace",
             lambda bodies: {"workspace_id": bodies.elsewhere}),
    _without(STATUS, "name"),
    _mistyped(STATUS, "name", str),
    _without("admin.get-pipeline-external-url", "workspace_id"),
    _mistyped("admin.get-pipeline-external-url", "workspace_id", int),
    _without("admin.get-pipeline-external-url", "pipeline_name"),
    _mistyped("admin.get-pipeline-external-url", "pipeline_name", str),
    Refusal(UPLOAD, "requires-file", lambda bodies: iter([upload(bodies.body(UPLOAD), None)])),
    Refusal(UPLOAD, "requires-metadata", lambda bodies: iter([upload(None, bodies.model.content)])),
    _upload_without("name"),
    _upload_without("workspace_id"),
    _upload_without("conversion"),
    Refusal(UPLOAD, "refuses-an-unknown-workspace",
            lambda bodies: iter([upload(bodies.body(UPLOAD) | {"workspace_id": NOT_GIVEN}, bodies.model.content)])),
    _without("workspaces.create", "workspace_name"),
    _mistyped("workspaces.create", "workspace_name", str),
    _mistyped(VERSIONS, "model_id", str),
    _mistyped(VERSIONS, "models_pk_id", int),
    Refusal(INFER, "refuses-rows-of-another-width", _wide),
    Refusal(INFER, "refuses-texts-for-numbers", _texts),
    Refusal(INFER, "refuses-a-truncated-arrow-file", _truncated),
    *(_unreadable(operation) for operation in OPERATIONS),
    *(_undescribed(operation) for operation in OPERATIONS),
)  # fmt: skip
