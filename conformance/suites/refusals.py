"""Requests that cannot be served, written out: each with the promise that it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.api.client import ARROW_FILE, PANDAS_RECORDS, PipelineVersionCreated, arrow_file, infer_path
from conformance.model import Headers, Request
from conformance.suites.model import Model
from conformance.suites.plan import Running, Uploads
from conformance.suites.requests import INFER, NOT_GIVEN, PATHS, UPLOAD, json_request, upload

WRONG_TYPES: Mapping[type, tuple[Any, ...]] = {str: (7,), int: ("seven", 7.5, True), list: ("seven", {"of": 7})}
"""For the type a field has, values of other types."""


@dataclass(frozen=True)
class Yard:
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

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """For each JSON operation a body that would be served, but for what a refusal changes in it."""
        return {
            "pipelines.create": {
                "pipeline_id": self.named("refused"),
                "workspace_id": self.workspace_id,
                "definition": {},
            },
            "pipelines.deploy": {
                "deploy_id": self.pipeline_name,
                "pipeline_version_pk_id": self.pipeline.pipeline_variant_pk_id,
                "pipeline_id": self.pipeline.pipeline_pk_id,
                "models": [self.uploads.first.as_json()],
            },
            "pipelines.undeploy": {"pipeline_id": self.pipeline.pipeline_pk_id},
            "pipelines.copy": {
                "name": self.named("refused-copy"),
                "workspace_id": self.workspace_id,
                "source_pipeline": self.pipeline.pipeline_pk_id,
            },
            "status.get-deployment": {"name": self.serving.name if self.serving else self.named("refused-1")},
            "admin.get-pipeline-external-url": {
                "workspace_id": self.workspace_id,
                "pipeline_name": self.serving.pipeline_name if self.serving else self.pipeline_name,
            },
            "models.list-versions": {"model_id": self.uploads.first.name},
            "workspaces.create": {"workspace_name": self.named("refused-workspace")},
            "workspaces.list": {},
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of an upload that would be served."""
        conversion = {"framework": "onnx", "python_version": "3.8", "requirements": []}
        name = self.named("refused-model")
        return {"name": name, "visibility": "public", "workspace_id": self.workspace_id, "conversion": conversion}


@dataclass(frozen=True)
class Refusal:
    """A promise that something is refused: its row, and the requests that must be."""

    operation: str
    slug: str
    requests: Callable[[Yard], Iterator[Request]]

    def __str__(self) -> str:
        return f"{self.operation}.{self.slug}"


def _without(operation: str, field: str) -> Refusal:
    def requests(yard: Yard) -> Iterator[Request]:
        body = dict(yard.bodies[operation])
        del body[field]
        yield json_request(operation, body)

    return Refusal(operation, f"requires-{_kebab(field)}", requests)


def _mistyped(operation: str, field: str, kind: type) -> Refusal:
    def requests(yard: Yard) -> Iterator[Request]:
        for wrong in WRONG_TYPES[kind]:
            yield json_request(operation, yard.bodies[operation] | {field: wrong})

    what = {str: "a-text", int: "an-integer", list: "a-list"}[kind]
    return Refusal(operation, f"takes-{_kebab(field)}-as-{what}-only", requests)


def _changed(operation: str, slug: str, change: Callable[[Yard], dict[str, Any]]) -> Refusal:
    return Refusal(operation, slug, lambda yard: iter([json_request(operation, yard.bodies[operation] | change(yard))]))


def _model_without(field: str) -> Refusal:
    def requests(yard: Yard) -> Iterator[Request]:
        model = {key: value for key, value in yard.uploads.first.as_json().items() if key != field}
        yield json_request("pipelines.deploy", yard.bodies["pipelines.deploy"] | {"models": [model]})

    return Refusal("pipelines.deploy", f"requires-models-{field}", requests)


def _upload_without(field: str) -> Refusal:
    def requests(yard: Yard) -> Iterator[Request]:
        metadata = {key: value for key, value in yard.metadata.items() if key != field}
        yield upload(metadata, yard.model.content)

    return Refusal(UPLOAD, f"requires-metadata-{_kebab(field)}", requests)


def _kebab(field: str) -> str:
    return field.replace("_", "-")


def _undeploys_by_no_integer(yard: Yard) -> Iterator[Request]:
    yield json_request("pipelines.undeploy", {"deployment_id": "seven"})
    yield json_request("pipelines.undeploy", {"pipeline_id": "seven"})


def _unreadable(operation: str) -> Refusal:
    def requests(yard: Yard) -> Iterator[Request]:
        if operation == UPLOAD:
            yield Request(
                "POST", upload({}, b"").url, Headers({"Content-Type": "multipart/form-data; boundary=x"}), b"--y"
            )
        elif operation == INFER:
            yield _inference(yard, b'[{"' + yard.model.column.encode() + b'": [1.0, ')
        else:
            whole = json.dumps(yard.bodies[operation] or {"user_id": None}).encode()
            yield json_request(operation, whole[:-1])
            yield json_request(operation, b"\xff\xfe" + whole)

    return Refusal(operation, "refuses-what-is-no-request", requests)


_SEVENS = {"pipelines.create": "definition", "pipelines.deploy": "engine_config", "pipelines.copy": "pipeline_version"}
"""Operations that make something, and a field of theirs that is no number, beside names and ids that are good."""


def _undescribed(operation: str) -> Refusal:
    """A text where an object or a form belongs; and a number where none may be."""

    def requests(yard: Yard) -> Iterator[Request]:
        if operation == UPLOAD:
            yield upload("a text", yard.model.content)
        elif operation == INFER:
            yield _inference(yard, b'"a text"')
        else:
            yield json_request(operation, "a text")
        if operation in _SEVENS:
            yield json_request(operation, yard.bodies[operation] | {_SEVENS[operation]: 7})

    return Refusal(operation, "refuses-invalid-requests", requests)


def _inference(yard: Yard, body: bytes, kind: str = PANDAS_RECORDS) -> Request:
    """An inference; the suite puts the running deployment's URL in place of this one."""
    return Request(
        "POST", infer_path(f"{yard.named('x')}-{NOT_GIVEN}", yard.named("x")), Headers({"Content-Type": kind}), body
    )


def _wide(yard: Yard) -> Iterator[Request]:
    row = yard.model.tutorial_row()
    for wrong in (row[:-1], [*row, 1.0]):
        yield _inference(yard, json.dumps([{yard.model.column: wrong}]).encode())


def _texts(yard: Yard) -> Iterator[Request]:
    row = [str(value) for value in yard.model.tutorial_row()]
    yield _inference(yard, json.dumps([{yard.model.column: row}]).encode())


def _truncated(yard: Yard) -> Iterator[Request]:
    whole = arrow_file(yard.model.column, yard.model.rows(51))
    yield _inference(yard, whole[: len(whole) // 2], ARROW_FILE)


REFUSALS: tuple[Refusal, ...] = (
    _without("pipelines.create", "pipeline_id"),
    _mistyped("pipelines.create", "pipeline_id", str),
    _without("pipelines.create", "workspace_id"),
    _mistyped("pipelines.create", "workspace_id", int),
    _changed("pipelines.create", "refuses-an-unknown-workspace", lambda yard: {"workspace_id": NOT_GIVEN}),
    _without("pipelines.deploy", "deploy_id"),
    _mistyped("pipelines.deploy", "deploy_id", str),
    _without("pipelines.deploy", "pipeline_version_pk_id"),
    _mistyped("pipelines.deploy", "pipeline_version_pk_id", int),
    _without("pipelines.deploy", "pipeline_id"),
    _mistyped("pipelines.deploy", "pipeline_id", int),
    _mistyped("pipelines.deploy", "model_configs", list),
    _mistyped("pipelines.deploy", "model_ids", list),
    _mistyped("pipelines.deploy", "models", list),
    _model_without("name"),
    _model_without("version"),
    _model_without("sha"),
    _changed("pipelines.deploy", "refuses-an-unknown-pipeline", lambda yard: {"pipeline_id": NOT_GIVEN}),
    _changed("pipelines.deploy", "refuses-an-unknown-version", lambda yard: {"pipeline_version_pk_id": NOT_GIVEN}),
    _changed("pipelines.deploy", "refuses-a-version-of-another-pipeline",
             lambda yard: {"pipeline_version_pk_id": yard.other.pipeline_variant_pk_id}),
    _changed("pipelines.deploy", "refuses-a-model-that-never-was",
             lambda yard: {"models": [yard.uploads.first.as_json() | {"sha": "0" * 64}]}),
    Refusal("pipelines.undeploy", "requires-an-id", lambda yard: iter([json_request("pipelines.undeploy", {})])),
    Refusal("pipelines.undeploy", "takes-ids-as-integers-only", _undeploys_by_no_integer),
    _without("pipelines.copy", "name"),
    _mistyped("pipelines.copy", "name", str),
    _without("pipelines.copy", "workspace_id"),
    _mistyped("pipelines.copy", "workspace_id", int),
    _without("pipelines.copy", "source_pipeline"),
    _mistyped("pipelines.copy", "source_pipeline", int),
    _changed("pipelines.copy", "refuses-an-unknown-source", lambda yard: {"source_pipeline": NOT_GIVEN}),
    _changed("pipelines.copy", "refuses-a-source-of-another-workspace",
             lambda yard: {"workspace_id": yard.elsewhere}),
    _without("status.get-deployment", "name"),
    _mistyped("status.get-deployment", "name", str),
    _without("admin.get-pipeline-external-url", "workspace_id"),
    _mistyped("admin.get-pipeline-external-url", "workspace_id", int),
    _without("admin.get-pipeline-external-url", "pipeline_name"),
    _mistyped("admin.get-pipeline-external-url", "pipeline_name", str),
    Refusal(UPLOAD, "requires-file", lambda yard: iter([upload(yard.metadata, None)])),
    Refusal(UPLOAD, "requires-metadata", lambda yard: iter([upload(None, yard.model.content)])),
    _upload_without("name"),
    _upload_without("workspace_id"),
    _upload_without("conversion"),
    Refusal(UPLOAD, "refuses-an-unknown-workspace",
            lambda yard: iter([upload(yard.metadata | {"workspace_id": NOT_GIVEN}, yard.model.content)])),
    _without("workspaces.create", "workspace_name"),
    _mistyped("workspaces.create", "workspace_name", str),
    _mistyped("models.list-versions", "model_id", str),
    _mistyped("models.list-versions", "models_pk_id", int),
    Refusal(INFER, "refuses-rows-of-another-width", _wide),
    Refusal(INFER, "refuses-texts-for-numbers", _texts),
    Refusal(INFER, "refuses-a-truncated-arrow-file", _truncated),
    *(_unreadable(operation) for operation in (*PATHS, INFER)),
    *(_undescribed(operation) for operation in (*PATHS, INFER)),
)  # fmt: skip
