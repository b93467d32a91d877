"""The application: which call goes where."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from conformance.emulator import (
    beyond,
    deployments,
    documents,
    inference,
    inventory,
    logs,
    models,
    openid,
    pipelines,
    status,
    workspaces,
)
from conformance.emulator.endpoint import Endpoint
from conformance.emulator.engine import Engine, ForkServer
from conformance.emulator.openid import TokenIssuer
from conformance.emulator.settings import PROFILES, Settings
from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.store import Store, timestamp
from conformance.emulator.wire import Answer, Call, RefusalError

Handler = Callable[[Call, State], Awaitable[Answer]]
API = "/v1/api"


async def _graphql(call: Call, state: State) -> Answer:
    """The schema and its library load only where something asks for them."""
    from conformance.emulator import graphql

    return await graphql.answer(call, state)


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("status.get-deployment", f"{API}/status/get_deployment", status.get_deployment),
    ("pipelines.infer", f"{API}/pipelines/infer/{{rest:path}}", inference.infer),
    ("pipelines.create", f"{API}/pipelines/create", pipelines.create),
    ("pipelines.deploy", f"{API}/pipelines/deploy", deployments.deploy),
    ("pipelines.undeploy", f"{API}/pipelines/undeploy", deployments.undeploy),
    ("pipelines.copy", f"{API}/pipelines/copy", pipelines.copy),
    ("admin.get-pipeline-external-url", f"{API}/admin/get_pipeline_external_url", status.external_url),
    ("admin.get-pipeline-internal-url", f"{API}/admin/get_pipeline_internal_url", status.internal_url),
    ("models.upload-and-convert", f"{API}/models/upload_and_convert", models.upload_and_convert),
    ("models.list-versions", f"{API}/models/list_versions", models.list_versions),
    ("workspaces.create", f"{API}/workspaces/create", workspaces.create),
    ("workspaces.list", f"{API}/workspaces/list", workspaces.list_all),
)
"""Every operation that is described: its id, its path and what answers it."""

BESIDE: tuple[tuple[str, str, Handler], ...] = (
    ("models.upload", f"{API}/models/upload", models.upload),
    ("models.list", f"{API}/models/list", inventory.models),
    ("models.get", f"{API}/models/get", inventory.model),
    ("models.get-by-id", f"{API}/models/get_by_id", inventory.model_by_id),
    ("models.get-version-by-id", f"{API}/models/get_version_by_id", inventory.model_version),
    ("models.get-config-by-id", f"{API}/models/get_config_by_id", inventory.model_config),
    ("models.insert-model-config", f"{API}/models/insert_model_config", inventory.add_model_config),
    ("pipelines.list-pipelines", f"{API}/pipelines/list_pipelines", inventory.pipelines),
    ("pipelines.get-pipeline-by-name", f"{API}/pipelines/get_pipeline_by_name", inventory.pipeline_by_name),
    ("pipelines.get-version", f"{API}/pipelines/get_version", inventory.pipeline_version),
    ("plateau.get-topic-name", f"{API}/plateau/get_topic_name", inventory.topic),
    ("users.query", f"{API}/users/query", inventory.users),
    ("workspaces.list-users", f"{API}/workspaces/list_users", inventory.workspace_users),
    ("graphql", "/v1/graphql", _graphql),
    ("logs.records", "/v1/logs/topic/{topic}/records", logs.records),
)
"""Operations beside the described ones that the vendor's SDK needs."""


def create_app(
    settings: Settings | None = None,
    *,
    document: Callable[[], Mapping[str, Any]] | None = None,
    middleware: Mapping[str, tuple[Middleware, ...]] | None = None,
    forkserver: ForkServer | None = None,
) -> Starlette:
    """One emulated instance as an ASGI application.

    What `document` gives is served at `/v1/api/openapi.json`; `middleware` are faults and variations, by step;
    instances may share a `forkserver`. The lifespan starts and ends the model runtime; where no lifespan is run, call
    `app.state.emulated.close()`.
    """
    settings = settings or Settings()
    return _application(_state(settings, middleware or {}, forkserver), document, _lifespan)


def served_as(app: Starlette, release: str) -> Starlette:
    """The same instance, with all it holds, as another release serves it; it lives as long as the first."""
    state: State = app.state.emulated
    return _application(replace(state, settings=replace(state.settings, profile=PROFILES[release])), None, None)


def _application(state: State, document: Callable[[], Mapping[str, Any]] | None, lifespan: Any) -> Starlette:
    app = Starlette(routes=list(_routes(state, document)), lifespan=lifespan)
    app.router.redirect_slashes = False
    app.router.default = Endpoint(state, "", ("*",), _unknown, secured=False)
    app.state.emulated = state
    return app


def _state(
    settings: Settings, middleware: Mapping[str, tuple[Middleware, ...]], forkserver: ForkServer | None
) -> State:
    tokens = TokenIssuer(
        settings.base_url, settings.token_seconds, settings.data_dir, settings.signing_key, settings.username
    )
    store = Store(settings.data_dir, tokens.subject, timestamp())
    return State(settings, store, Engine(store.model_path, settings.limits, forkserver), tokens, middleware)


def _routes(state: State, document: Callable[[], Mapping[str, Any]] | None) -> Iterator[Route]:
    limits, release = state.settings.limits, state.settings.profile.name
    sizes = {"pipelines.infer": limits.inference_bytes, "models.upload-and-convert": limits.upload_bytes}
    for operation, path, handler in OPERATIONS:
        if not beyond.offered(path, release):
            continue
        step = _step(handler, state)
        yield Route(path, Endpoint(state, operation, ("POST",), step, limit=sizes.get(operation, limits.json_bytes)))
    for operation, path, handler in BESIDE:
        if not beyond.offered(path, release):
            continue
        limit = sizes.get("models.upload-and-convert" if operation == "models.upload" else "", limits.json_bytes)
        yield Route(path, Endpoint(state, operation, ("POST",), _step(handler, state), limit=limit))
    partitions = Endpoint(state, "logs.partitions", ("GET",), _step(logs.partitions, state))
    yield Route("/v1/logs/topic/{topic}", partitions)
    tokens = openid.OpenID(state.settings, state.tokens)
    pages = documents.Documents(document)
    for path, step in ((openid.USERS_PATH, tokens.users), (f"{openid.USERS_PATH}/{{user}}", tokens.user)):
        yield Route(path, Endpoint(state, "users", ("GET",), step))
    for path, method, step in (
        (openid.TOKEN_PATH, "POST", tokens.token),
        (openid.DEVICE_PATH, "POST", tokens.device),
        (f"{API}/config", "GET", inventory.config),
        (openid.CERTS_PATH, "GET", tokens.certs),
        (openid.DISCOVERY_PATH, "GET", tokens.discovery),
        (f"{API}/openapi.json", "GET", pages.openapi),
        (f"{API}/docs", "GET", pages.page),
        (f"{API}/docs/{{file}}", "GET", pages.file),
    ):
        yield Route(path, Endpoint(state, "", (method,), step, secured=False, limit=limits.json_bytes))
    for path in (path for path in beyond.PATHS if beyond.offered(path, release)):
        yield Route(path, Endpoint(state, "", ("POST",), beyond.refuse))


def _step(handler: Handler, state: State) -> Step:
    async def step(call: Call) -> Answer:
        return await handler(call, state)

    return step


async def _unknown(call: Call) -> Answer:
    raise RefusalError(404, "Not found")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    state: State = app.state.emulated
    state.engine.open()
    try:
        yield
    finally:
        state.close()
