"""The API's operations as typed methods over httpx: a library in its own right, and the suites' way to send."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

import httpx
import pyarrow as pa

from conformance.api import multipart
from conformance.errors import CredentialsRefusedError, TargetUnreachableError
from conformance.model import Exchange, Headers, Intent, Label, Request, Response

PANDAS_RECORDS = "application/json; format=pandas-records"
ARROW_FILE = "application/vnd.apache.arrow.file"
JSON = "application/json"

T = TypeVar("T")


class ApiError(Exception):
    """The target's answer is not what the caller can go on with; `exchange` is the evidence."""

    def __init__(self, sentence: str, exchange: Exchange) -> None:
        super().__init__(sentence)
        self.exchange = exchange


@dataclass(frozen=True)
class Reply(Generic[T]):
    """An exchange, and on demand what its answer means."""

    exchange: Exchange
    _read: Callable[[Any], T]

    @property
    def ok(self) -> bool:
        """Whether a 2xx came."""
        return self.exchange.ok

    @property
    def status(self) -> int | None:
        """The status, None where no answer came."""
        return self.exchange.status

    @property
    def value(self) -> T:
        """The answer as a value; raises ApiError where it is no success, or lacks what it should hold."""
        exchange = self.exchange
        called = exchange.operation or exchange.request.path
        if not exchange.ok:
            came = exchange.failure or f"status {exchange.status}"
            raise ApiError(f"{called} did not succeed: {came}.", exchange)
        try:
            return self._read(exchange.answer)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
            raise ApiError(f"The answer of {called} cannot be used: it lacks {error}.", exchange) from None


@dataclass(frozen=True)
class PipelineVersionCreated:
    """Ids of a created or copied pipeline and its version; `version` is its UUID, None where it was not told."""

    pipeline_pk_id: int
    pipeline_variant_pk_id: int
    version: str | None
    deployment_id: int | None = None


@dataclass(frozen=True)
class ModelReference:
    """How definitions and deploys name a model: name, version (a UUID) and sha (SHA-256, hexadecimal)."""

    name: str
    version: str
    sha: str

    def as_json(self) -> dict[str, str]:
        """The object on the wire."""
        return {"name": self.name, "version": self.version, "sha": self.sha}


class Send(Protocol):
    """What a client needs of a target or a session."""

    def __call__(
        self, request: Request, *, intent: Intent = "", labels: frozenset[Label] = frozenset()
    ) -> Exchange: ...


def steps_of(*models: ModelReference) -> dict[str, Any]:
    """A definition with one inference step per model (the tutorial's "Model Inference Pipeline Step")."""
    return {"steps": [{"ModelInference": {"models": [model.as_json()]}} for model in models]}


@dataclass(frozen=True)
class PipelineClient:
    """Each operation as a method returning a Reply; `connect` makes one. `send` is a target's or a session's.

    `intent` and `labels` hold for every request of this client.
    """

    send: Send
    intent: Intent = ""
    labels: frozenset[Label] = frozenset()

    @classmethod
    def connect(cls, url: str, username: str, password: str, token_url: str = "", **options: Any) -> PipelineClient:
        """A client of the instance at `url` (with or without `/v1/api`) that gets and renews its own tokens.

        `token_url` is needed where tokens are not given at the instance's own address; `options` go to httpx.Client
        (`verify`, `timeout` in seconds, `proxy`). Used as a context manager it ends its connections.
        """
        return cls(Connection(url, username, password, token_url, **options))

    def __enter__(self) -> PipelineClient:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.send, Connection):
            self.send.close()

    def meaning(self, intent: Intent, *labels: Label) -> PipelineClient:
        """The same client with another intent and labels on what it sends."""
        return replace(self, intent=intent, labels=frozenset(labels))

    def list_workspaces(self) -> Reply[list[dict[str, Any]]]:
        """Every workspace the caller may see."""
        return Reply(self._post("workspaces/list", {}), lambda answer: list(answer["workspaces"]))

    def create_workspace(self, name: str) -> Reply[int]:
        """A new workspace's id."""
        return Reply(
            self._post("workspaces/create", {"workspace_name": name}), lambda answer: _int(answer, "workspace_id")
        )

    def upload_model(
        self,
        name: str,
        workspace_id: int,
        content: bytes,
        file_name: str = "model.onnx",
        visibility: str = "public",
    ) -> Reply[int]:
        """The id of the uploaded version; the model's file goes as it is, framework onnx."""
        metadata = {
            "name": name,
            "visibility": visibility,
            "workspace_id": workspace_id,
            "conversion": {"framework": "onnx", "python_version": "3.8", "requirements": []},
        }
        kind, body = multipart.encode(
            [
                multipart.Part("metadata", json.dumps(metadata).encode(), JSON),
                multipart.Part("file", content, "application/octet-stream", file_name),
            ]
        )
        exchange = self._send("/v1/api/models/upload_and_convert", body, {"Content-Type": kind})
        return Reply(exchange, lambda answer: _int(answer["insert_models"]["returning"][0]["models"][0], "id"))

    def list_model_versions(self, model_id: str | None = None, models_pk_id: int | None = None) -> Reply[list[Any]]:
        """Versions whose model has that name OR that primary key (recorded: the two filters are alternatives)."""
        asked = {"model_id": model_id, "models_pk_id": models_pk_id}
        return Reply(self._post("models/list_versions", _given(asked)), list)

    def create_pipeline(
        self, name: str, workspace_id: int, definition: Mapping[str, Any] | None = None
    ) -> Reply[PipelineVersionCreated]:
        """A new pipeline, or a new version of the one of that name in that workspace."""
        body = _given({"pipeline_id": name, "workspace_id": workspace_id, "definition": definition})
        return Reply(self._post("pipelines/create", body), _created("pipeline_variant_version"))

    def deploy(
        self,
        name: str,
        pipeline: PipelineVersionCreated,
        *,
        models: Sequence[ModelReference] | None = None,
        **options: Any,
    ) -> Reply[int]:
        """The deployment's id. `options` are further fields: model_ids, model_configs, engine_config."""
        body = {
            "deploy_id": name,
            "pipeline_version_pk_id": pipeline.pipeline_variant_pk_id,
            "pipeline_id": pipeline.pipeline_pk_id,
            "models": None if models is None else [model.as_json() for model in models],
            **options,
        }
        return Reply(self._post("pipelines/deploy", _given(body)), lambda answer: _int(answer, "id"))

    def deployment_status(self, name: str) -> Reply[dict[str, Any]]:
        """The deployment called `{deploy_id}-{deployment id}`."""
        return Reply(self._post("status/get_deployment", {"name": name}), dict)

    def external_url(self, workspace_id: int, pipeline_name: str) -> Reply[str]:
        """The URL that inference goes to, by the pipeline's name."""
        body = {"workspace_id": workspace_id, "pipeline_name": pipeline_name}
        return Reply(self._post("admin/get_pipeline_external_url", body), lambda answer: _str(answer, "url"))

    def undeploy(self, *, pipeline_id: int | None = None, deployment_id: int | None = None) -> Reply[None]:
        """Stops a deployment; either id is enough."""
        body = _given({"pipeline_id": pipeline_id, "deployment_id": deployment_id})
        return Reply(self._post("pipelines/undeploy", body), lambda answer: None)

    def copy_pipeline(
        self, name: str, workspace_id: int, source_pipeline: int, **options: Any
    ) -> Reply[PipelineVersionCreated]:
        """A new pipeline with the source's definition. `options`: deploy, engine_config, pipeline_version."""
        body = {"name": name, "workspace_id": workspace_id, "source_pipeline": source_pipeline, **options}
        return Reply(self._post("pipelines/copy", _given(body)), _created("pipeline_version"))

    def infer(
        self, url: str, column: str, rows: Sequence[Sequence[float]], *, accept: str = "*/*", kind: str = PANDAS_RECORDS
    ) -> Reply[list[dict[str, Any]]]:
        """One record per row. `rows` are [N, width] floats, sent as pandas records under `column`."""
        body = json.dumps([{column: list(row)} for row in rows]).encode()
        return Reply(self._send(url, body, {"Content-Type": kind, "Accept": accept}), list)

    def infer_arrow(
        self, url: str, column: str, rows: Sequence[Sequence[float]], *, accept: str = ARROW_FILE
    ) -> Reply[Any]:
        """The same by an Arrow file: `rows` are [N, width] float32 in a fixed-size list column."""
        body = arrow_file(column, rows)
        return Reply(self._send(url, body, {"Content-Type": ARROW_FILE, "Accept": accept}), lambda answer: answer)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Exchange:
        """Any body to any URL, for what the methods above would never send."""
        return self._send(url, body, headers)

    def _post(self, path: str, body: Mapping[str, Any]) -> Exchange:
        return self._send(f"/v1/api/{path}", json.dumps(body).encode(), {"Content-Type": JSON})

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Exchange:
        request = Request("POST", url, Headers(headers), body)
        return self.send(request, intent=self.intent, labels=self.labels)


def infer_path(deployment: str, pipeline: str) -> str:
    """The path inference goes to for a deployment's name and a pipeline's name (18 recordings have this form)."""
    return f"/v1/api/pipelines/infer/{quote(deployment, safe='')}/{quote(pipeline, safe='')}"


def arrow_file(column: str, rows: Sequence[Sequence[float]]) -> bytes:
    """An Arrow IPC file with one fixed-size-list<float32> column of [N, width] rows."""
    return _arrow(column, rows, pa.ipc.new_file)


def arrow_stream(column: str, rows: Sequence[Sequence[float]]) -> bytes:
    """The same rows as an Arrow IPC stream, which has no footer."""
    return _arrow(column, rows, pa.ipc.new_stream)


def _arrow(column: str, rows: Sequence[Sequence[float]], opened: Callable[..., Any]) -> bytes:
    width = len(rows[0]) if rows else 1
    values = pa.array([value for row in rows for value in row], type=pa.float32())
    table = pa.table({column: pa.FixedSizeListArray.from_arrays(values, width)})
    sink = BytesIO()
    with opened(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def is_finite(rows: Sequence[Sequence[float]]) -> bool:
    """Whether JSON can carry the rows: it has neither NaN nor infinities (RFC 8259)."""
    return all(math.isfinite(value) for row in rows for value in row)


def _created(version_field: str) -> Callable[[Any], PipelineVersionCreated]:
    def read(answer: Any) -> PipelineVersionCreated:
        deployment = answer.get("deployment")
        return PipelineVersionCreated(
            _int(answer, "pipeline_pk_id"),
            _int(answer, "pipeline_variant_pk_id"),
            answer.get(version_field),
            _int(deployment, "id") if isinstance(deployment, dict) else None,
        )

    return read


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def _int(answer: Any, name: str) -> int:
    value = answer[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"an integer at '{name}'")
    return value


def _str(answer: Any, name: str) -> str:
    value = answer[name]
    if not isinstance(value, str):
        raise TypeError(f"a string at '{name}'")
    return value


_TOKEN_PATH = "/auth/realms/master/protocol/openid-connect/token"  # noqa: S105 - a path
_EARLY = 10
"""Seconds before its end that a token is renewed, as the vendor's SDK does."""


class Connection:
    """Sends requests to `url` as one user. It is what a `PipelineClient` sends by; nothing is tried twice."""

    def __init__(
        self, url: str, username: str, password: str, token_url: str = "", timeout: float = 30.0, **options: Any
    ) -> None:
        self._url = url.rstrip("/").removesuffix("/v1/api")
        self._form = {
            "client_id": "sdk-client",
            "grant_type": "password",
            "username": username,
            "password": password,
        }
        self._token_url = token_url or self._url + _TOKEN_PATH
        self._client = httpx.Client(timeout=timeout, **options)
        self._token, self._good_until = "", 0.0

    def __call__(self, request: Request, *, intent: Intent = "", labels: frozenset[Label] = frozenset()) -> Exchange:
        """The request and what came; no answer is a `failure`. Raises CredentialsRefusedError without a token."""
        request = replace(request, url=self._url + request.url)
        headers = [*request.headers.fields, ("Authorization", f"Bearer {self._bearer()}")]
        started = time.time()
        try:
            answer = self._client.request(request.method, request.url, headers=headers, content=request.body)
        except httpx.TransportError as error:
            lost = Exchange(request, None, started=started, ended=time.time(), intent=intent, labels=labels)
            return replace(lost, failure=str(error) or type(error).__name__)
        elapsed = answer.elapsed.total_seconds()
        response = Response(answer.status_code, Headers(answer.headers.multi_items()), answer.content, elapsed)
        return Exchange(request, response, started=started, ended=time.time(), intent=intent, labels=labels)

    def close(self) -> None:
        """End the connections that are kept."""
        self._client.close()

    def _bearer(self) -> str:
        if time.monotonic() >= self._good_until:
            try:
                answer = self._client.post(self._token_url, data=self._form)
            except httpx.TransportError as error:
                raise TargetUnreachableError(f"No token: {self._token_url} did not answer ({error}).") from None
            if answer.status_code != 200:
                raise CredentialsRefusedError(f"No token: {self._token_url} answered {answer.status_code}.")
            given = answer.json()
            self._token = str(given["access_token"])
            self._good_until = time.monotonic() + float(given.get("expires_in", 60)) - _EARLY
        return self._token
