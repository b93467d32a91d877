"""What stands where in each operation: one row an operation, and everybody who needs to know reads it here.

Method, path, media types and effect are the description's own (`Document`); a row adds what no description says: which
kind of id or name stands at which place, what names the thing that is made or asked for, and a body that is valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Any
from urllib.parse import quote, unquote

from conformance.api import multipart
from conformance.model import Effect, Exchange, Request
from conformance.spec.document import Document

COPY = "pipelines.copy"
CREATE = "pipelines.create"
DEPLOY = "pipelines.deploy"
INFER = "pipelines.infer"
STATUS = "status.get-deployment"
UNDEPLOY = "pipelines.undeploy"
UPLOAD = "models.upload-and-convert"
VERSIONS = "models.list-versions"

Path = tuple[str | int, ...]
"""Keys and indices down into a JSON value."""


class Kind(StrEnum):
    """What kind of thing a value stands for. An id is one instance's own; a name is whatever its giver called it."""

    DEPLOYMENT = "deployment"
    DEPLOYMENT_NAME = "deployment name"
    DEPLOY_ID = "deploy id"
    MODEL = "model"
    MODEL_NAME = "model name"
    MODEL_PK = "models_pk"
    MODEL_VERSION = "model_version"
    OWNER = "owner"
    PIPELINE = "pipeline"
    PIPELINE_NAME = "pipeline name"
    POD = "pod"
    SHA = "sha"
    URL = "url"
    VARIANT = "variant"
    VERSION = "version"
    WORKSPACE = "workspace"
    WORKSPACE_NAME = "workspace name"

    @property
    def is_name(self) -> bool:
        """Whether the caller gives such values, not the instance."""
        return self in (Kind.DEPLOY_ID, Kind.MODEL_NAME, Kind.PIPELINE_NAME, Kind.WORKSPACE_NAME)


@dataclass(frozen=True)
class At:
    """A place in a JSON body and the kind of value there: `models[].version`; `[]` is each item of a list.

    `of` is the field beside it that says which thing the value is of, where a list tells of many things.
    """

    place: str
    kind: Kind
    of: At | None = None

    @property
    def field(self) -> str:
        """The name of the field that holds the value."""
        return next((key for key in reversed(self._keys) if key != EACH), "")

    def found(self, body: Any) -> Iterator[tuple[Path, Any]]:
        """Each value at the place, with the way to it; nothing where the body has another shape."""
        return _found(body, self._keys, ())

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(re.findall(r"\[\]|[^.\[]+", self.place))


EACH = "[]"
"""In a place: each item of a list."""


def _found(value: Any, keys: tuple[str, ...], way: Path) -> Iterator[tuple[Path, Any]]:
    if not keys:
        yield way, value
    elif keys[0] == EACH:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _found(item, keys[1:], (*way, index))
    elif isinstance(value, dict) and keys[0] in value:
        yield from _found(value[keys[0]], keys[1:], (*way, keys[0]))


@dataclass(frozen=True)
class Known:
    """What a body may name. `name` is for what the request makes; ids that are None are left out of it."""

    name: str
    workspace: int
    pipeline: int | None = None
    variant: int | None = None
    version: str | None = None
    pipeline_name: str = ""
    definition: Mapping[str, Any] | None = None
    deployment: int | None = None
    deployment_name: str = ""
    model: int | None = None
    model_name: str = ""
    models: tuple[Mapping[str, str], ...] = ()


Fields = Callable[[Known], dict[str, Any]]


@dataclass(frozen=True)
class OperationRow:
    """One operation. Places of requests are of the body, or of the form's part that is called `part`.

    `takes` are the ids and names a request holds and `parameters` those of its path; `gives` are the ids that a success
    makes or tells first, `shows` those it repeats, and `times` the places that hold moments and durations. `named_by`
    is the field that names what is made or asked for, and `starts` the one that names a deployment to make. `valid` has
    the fields that a request needs, `whole` every field there is, in the description's order or near it. Exchanges that
    were collected from notebooks call the operation `collected_as`.
    """

    id: str
    valid: Fields
    collected_as: str = ""
    whole: Fields | None = None
    takes: tuple[At, ...] = ()
    parameters: tuple[At, ...] = ()
    gives: tuple[At, ...] = ()
    shows: tuple[At, ...] = ()
    times: tuple[str, ...] = ()
    named_by: str = ""
    starts: str = ""
    part: str = ""

    @property
    def path(self) -> str:
        """The path's template in the description."""
        return Document.load().operation(self.id).path

    @property
    def effect(self) -> Effect:
        """What the operation does to the target, by the description."""
        return Document.load().operation(self.id).effect

    @property
    def media_types(self) -> tuple[str, ...]:
        """The media types of its requests, by the description."""
        document = Document.load()
        return tuple(document.resolved(document.definition(self.id)["requestBody"])["content"])

    @property
    def changes(self) -> bool:
        """Whether a success changes what later reads show."""
        return bool(self.id) and self.effect not in (Effect.READ, Effect.COMPUTE)

    @property
    def makes(self) -> bool:
        """Whether a success makes something that has a name."""
        return self.changes and self.named_by != ""

    @property
    def new_name(self) -> str:
        """The field of a JSON body that names what is created; empty where nothing is."""
        return self.named_by if self.id and self.effect is Effect.CREATE and not self.part else ""

    @property
    def deploys_always(self) -> bool:
        """Whether a deployment is what it makes, asked or not."""
        return self.starts != "" and self.starts == self.named_by

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of value by the name of the request's field, at whatever depth it stands."""
        return {at.field: at.kind for at in self.takes}

    def gives_a(self, kind: Kind) -> bool:
        """Whether a success gives an id of that kind."""
        return any(at.kind is kind for at in self.gives)


def _conversion(**more: str) -> dict[str, Any]:
    return {"framework": "onnx", "requirements": [], **more}


_MODELS = (
    At("models[].name", Kind.MODEL_NAME),
    At("models[].version", Kind.MODEL_VERSION),
    At("models[].sha", Kind.SHA),
)
_ROW = At("id", Kind.MODEL)
_STEPS = tuple(At(f"definition.steps[].ModelInference.{at.place}", at.kind) for at in _MODELS)

OPERATIONS: tuple[OperationRow, ...] = (
    OperationRow(
        "workspaces.list",
        collected_as="listWorkspaces",
        valid=lambda known: {},
        whole=lambda known: {"user_id": None},
        shows=(
            At("workspaces[].id", Kind.WORKSPACE),
            At("workspaces[].created_by", Kind.OWNER),
            At("workspaces[].models[]", Kind.MODEL_PK),
            At("workspaces[].pipelines[]", Kind.PIPELINE),
        ),
        times=("workspaces[].created_at",),
    ),
    OperationRow(
        "workspaces.create",
        collected_as="createWorkspace",
        valid=lambda known: {"workspace_name": known.name},
        takes=(At("workspace_name", Kind.WORKSPACE_NAME),),
        gives=(At("workspace_id", Kind.WORKSPACE),),
        named_by="workspace_name",
    ),
    OperationRow(
        UPLOAD,
        collected_as="uploadAndConvertModel",
        part="metadata",
        valid=lambda known: {
            "name": known.name,
            "visibility": "private",
            "workspace_id": known.workspace,
            "conversion": _conversion(),
        },
        whole=lambda known: {
            "name": known.model_name,
            "visibility": "public",
            "workspace_id": known.workspace,
            "conversion": _conversion(python_version="3.8", arch="x86"),
            "image_path": None,
            "input_schema": None,
            "output_schema": None,
            "registry_id": None,
        },
        takes=(At("name", Kind.MODEL_NAME), At("workspace_id", Kind.WORKSPACE)),
        gives=(At("insert_models.returning[].models[].id", Kind.MODEL),),
        named_by="name",
    ),
    OperationRow(
        VERSIONS,
        collected_as="listModelVersions",
        valid=lambda known: {"model_id": known.model_name or known.name},
        whole=lambda known: {"model_id": known.model_name, "models_pk_id": None},
        takes=(At("model_id", Kind.MODEL_NAME), At("models_pk_id", Kind.MODEL_PK)),
        gives=(At("[].model_version", Kind.MODEL_VERSION, _ROW), At("[].models_pk_id", Kind.MODEL_PK, _ROW)),
        shows=(At("[].id", Kind.MODEL), At("[].sha", Kind.SHA), At("[].owner_id", Kind.OWNER)),
        named_by="model_id",
    ),
    OperationRow(
        CREATE,
        collected_as="createPipeline",
        valid=lambda known: {"pipeline_id": known.name, "workspace_id": known.workspace, "definition": {}},
        whole=lambda known: {
            "pipeline_id": known.name,
            "workspace_id": known.workspace,
            "definition": known.definition,
        },
        takes=(At("pipeline_id", Kind.PIPELINE_NAME), At("workspace_id", Kind.WORKSPACE), *_STEPS),
        gives=(
            At("pipeline_pk_id", Kind.PIPELINE),
            At("pipeline_variant_pk_id", Kind.VARIANT),
            At("pipeline_variant_version", Kind.VERSION),
        ),
        named_by="pipeline_id",
    ),
    OperationRow(
        COPY,
        collected_as="copyPipeline",
        valid=lambda known: {
            "name": known.name,
            "workspace_id": known.workspace,
            "source_pipeline": known.pipeline,
        },
        whole=lambda known: {
            "name": known.name,
            "workspace_id": known.workspace,
            "source_pipeline": known.pipeline,
            "deploy": None,
            "engine_config": {},
            "pipeline_version": known.version,
        },
        takes=(
            At("name", Kind.PIPELINE_NAME),
            At("workspace_id", Kind.WORKSPACE),
            At("source_pipeline", Kind.PIPELINE),
            At("deploy", Kind.DEPLOY_ID),
            At("pipeline_version", Kind.VERSION),
        ),
        gives=(
            At("pipeline_pk_id", Kind.PIPELINE),
            At("pipeline_variant_pk_id", Kind.VARIANT),
            At("deployment.id", Kind.DEPLOYMENT),
        ),
        # Recorded with a version asked for: the one that was copied, which the source has.
        shows=(At("pipeline_version", Kind.VERSION),),
        named_by="name",
        starts="deploy",
    ),
    OperationRow(
        DEPLOY,
        collected_as="deployPipeline",
        valid=lambda known: {
            "deploy_id": known.pipeline_name or known.name,
            "pipeline_version_pk_id": known.variant,
            "pipeline_id": known.pipeline,
            **({"models": list(known.models[:1])} if known.models else {}),
        },
        whole=lambda known: {
            "deploy_id": known.pipeline_name,
            "pipeline_version_pk_id": known.variant,
            "pipeline_id": known.pipeline,
            "engine_config": {},
            "model_configs": [],
            "model_ids": [known.model],
            "models": list(known.models[:1]),
        },
        takes=(
            At("deploy_id", Kind.DEPLOY_ID),
            At("pipeline_id", Kind.PIPELINE),
            At("pipeline_version_pk_id", Kind.VARIANT),
            At("pipeline_version", Kind.VERSION),  # of later releases
            At("model_ids[]", Kind.MODEL),
            *_MODELS,
        ),
        gives=(At("id", Kind.DEPLOYMENT),),
        named_by="deploy_id",
        starts="deploy_id",
    ),
    OperationRow(
        STATUS,
        collected_as="getDeployment",
        valid=lambda known: {"name": known.deployment_name},
        takes=(At("name", Kind.DEPLOYMENT_NAME),),
        shows=(
            *(
                At(f"{pods}[].{name}", Kind.POD)
                for pods in ("engines", "engine_lbs", "sidekicks")
                for name in ("name", "ip")
            ),
            At("engines[].pipeline_statuses.pipelines[].version", Kind.VERSION),
            At("engines[].model_statuses.models[].version", Kind.MODEL_VERSION),
            At("engines[].model_statuses.models[].model_version_id", Kind.MODEL),
            At("engines[].model_statuses.models[].sha", Kind.SHA),
        ),
        named_by="name",
    ),
    OperationRow(
        "admin.get-pipeline-external-url",
        collected_as="getPipelineExternalUrl",
        valid=lambda known: {"workspace_id": known.workspace, "pipeline_name": known.pipeline_name or known.name},
        takes=(At("workspace_id", Kind.WORKSPACE), At("pipeline_name", Kind.PIPELINE_NAME)),
        shows=(At("url", Kind.URL),),
        named_by="pipeline_name",
    ),
    OperationRow(
        INFER,
        collected_as="infer",
        valid=lambda known: {},
        parameters=(At("deployment", Kind.DEPLOYMENT_NAME), At("pipeline_name", Kind.PIPELINE_NAME)),
        shows=(
            At("[].metadata.partition", Kind.POD),
            At("[].metadata.last_model.model_sha", Kind.SHA),
            At("[].metadata.pipeline_version", Kind.VERSION),
        ),
        times=("[].time", "[].metadata.elapsed[]"),
    ),
    OperationRow(
        UNDEPLOY,
        collected_as="undeployPipeline",
        valid=lambda known: (
            {"pipeline_id": known.pipeline} if known.deployment is None else {"deployment_id": known.deployment}
        ),
        whole=lambda known: {"deployment_id": known.deployment, "pipeline_id": known.pipeline},
        takes=(At("pipeline_id", Kind.PIPELINE), At("deployment_id", Kind.DEPLOYMENT)),
    ),
)
"""Every operation, in the order in which one needs what another gives; what ends things comes last."""

IDS = tuple(row.id for row in OPERATIONS)
_ROWS = {row.id: row for row in OPERATIONS}
_NONE = OperationRow("", valid=lambda known: {})


def row_of(operation: str | None) -> OperationRow:
    """The row of an operation; of any other, and of none, a row in which nothing stands."""
    return _ROWS.get(operation or "", _NONE)


@cache
def changing() -> frozenset[str]:
    """Operations whose success changes what later reads show."""
    return frozenset(row.id for row in OPERATIONS if row.changes)


@cache
def deploying() -> frozenset[str]:
    """Operations that may start or end a deployment, which is what costs money."""
    return frozenset(row.id for row in OPERATIONS if row.starts or row.effect is Effect.DESTROY)


@cache
def asking_of_deployments() -> frozenset[str]:
    """Operations that change nothing and ask about a pipeline or a deployment: a 404 of theirs says it is not there."""
    kinds = {Kind.DEPLOYMENT_NAME, Kind.PIPELINE_NAME}
    return frozenset(
        row.id for row in OPERATIONS if not row.changes and kinds & {at.kind for at in (*row.takes, *row.parameters)}
    )


def given(exchange: Exchange) -> Iterator[tuple[At, Path, Any]]:
    """Each id that a success gives: where it is said to stand, the way to it, and the id, a number or a text."""
    if exchange.ok:
        for at in row_of(exchange.operation).gives:
            for way, value in at.found(exchange.answer):
                if isinstance(value, int | str) and not isinstance(value, bool):
                    yield at, way, value


def mentioned(exchange: Exchange) -> Iterator[tuple[Kind, Any]]:
    """Each id and name that a request speaks of, and each id that its answer gives, whatever its status.

    A deployment's name stands for the deployment's id.
    """
    row = row_of(exchange.operation)
    fields = fields_of(exchange.operation, exchange.request)
    found = [(at.kind, value) for at in row.takes for _, value in at.found(fields)]
    found += [(at.kind, exchange.parameters.get(at.field)) for at in row.parameters]
    found += [(at.kind, value) for at in row.gives for _, value in at.found(exchange.answer)]
    for kind, value in found:
        if kind is Kind.DEPLOYMENT_NAME:
            parts = split_name(value)
            kind, value = Kind.DEPLOYMENT, parts[1] if parts else None
        if isinstance(value, str if kind.is_name else int | str) and not isinstance(value, bool):
            yield kind, value


def owner(exchange: Exchange, at: At, way: Path) -> tuple[Kind, Any] | None:
    """The thing that a given value is of, where the answer tells of many; None where it tells of one."""
    if at.of is None:
        return None
    row = exchange.answer
    for key in way[:-1]:
        row = row[key]
    value = row.get(at.of.place)
    return at.of.kind, value if isinstance(value, int | str) else None


def asked(operation: str | None, request: Request) -> Any:
    """What a request says as JSON, of a form what its part of fields says; None where it is no JSON."""
    part = row_of(operation).part
    content: bytes = request.body
    if part:
        found = multipart.decode(request.headers.get("content-type", ""), request.body).get(part)
        content = found.content if found else b""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def fields_of(operation: str | None, request: Request) -> dict[str, Any]:
    """The fields of a request; none where it has none."""
    body = asked(operation, request)
    return body if isinstance(body, dict) else {}


_DEPLOYMENT = re.compile(r"(?P<deploy_id>.*)-(?P<id>\d{1,18})", re.DOTALL)


def split_name(name: object) -> tuple[str, int] | None:
    """Deploy id and deployment id of a deployment's name, `{deploy_id}-{id}`; None where it is no such name."""
    match = _DEPLOYMENT.fullmatch(name) if isinstance(name, str) else None
    return (match["deploy_id"], int(match["id"])) if match else None


Change = Callable[[Kind, Any], Any]
"""The value that takes the place of a value of that kind."""


def with_path_changed(operation: str | None, url: str, change: Change, *, quoted: bool = True) -> str:
    """A URL in which each parameter of the operation's path is replaced, percent-encoded where `quoted`."""
    row = row_of(operation)
    match = _path_pattern(row.id).search(url) if row.parameters else None
    if match is None:
        return url
    for at in reversed(row.parameters):
        start, end = match.span(at.field)
        old = unquote(match[at.field])
        new = change(at.kind, old)
        if new != old:
            url = url[:start] + (quote(str(new), safe="") if quoted else str(new)) + url[end:]
    return url


@cache
def _path_pattern(operation: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", row_of(operation).path)
    return re.compile(
        "".join(f"(?P<{part}>[^/?]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    )


def with_fields_changed(row: OperationRow, value: Any, change: Change, field: str = "") -> Any:
    """A body in which the value of each field of a known kind is replaced, at whatever depth it stands."""
    if isinstance(value, dict):
        return {name: with_fields_changed(row, item, change, name) for name, item in value.items()}
    if isinstance(value, list):
        return [with_fields_changed(row, item, change, field) for item in value]
    kind = row.kinds.get(field)
    by_text = kind is not None and (kind.is_name or kind is Kind.DEPLOYMENT_NAME)
    return value if kind is None or (by_text and not isinstance(value, str)) else change(kind, value)
