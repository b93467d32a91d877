"""What ties exchanges together: the ids and names that one gives and another uses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

from conformance.api import multipart
from conformance.model import Exchange, Headers, Request

Token = tuple[str, Any]
"""A kind of value and the value: `("pipeline", 25)`, `("name", "conformance-…")`."""

Substitute = Callable[[str, Any], Any]
"""The value that stands for a value of that kind in another life of the sequence."""

_GIVES: dict[str, tuple[tuple[str, tuple[str | int, ...]], ...]] = {
    "pipelines.create": (
        ("pipeline", ("pipeline_pk_id",)),
        ("variant", ("pipeline_variant_pk_id",)),
        ("version", ("pipeline_variant_version",)),
    ),
    "pipelines.copy": (
        ("pipeline", ("pipeline_pk_id",)),
        ("variant", ("pipeline_variant_pk_id",)),
        ("deployment", ("deployment", "id")),
    ),
    "pipelines.deploy": (("deployment", ("id",)),),
    "models.upload-and-convert": (("model", ("insert_models", "returning", 0, "models", 0, "id")),),
    "workspaces.create": (("workspace", ("workspace_id",)),),
}
_TAKES = {
    "source_pipeline": "pipeline",
    "pipeline_version_pk_id": "variant",
    "pipeline_version": "version",
    "deployment_id": "deployment",
    "model_ids": "model",
    "model_configs": "model",
    "models_pk_id": "models_pk",
    "workspace_id": "workspace",
    "version": "model_version",
}
_NAMES = frozenset({"pipeline_id", "name", "deploy_id", "deploy", "workspace_name", "pipeline_name", "model_id"})
_MAKES = {
    "pipelines.create": "pipeline_id",
    "pipelines.copy": "name",
    "workspaces.create": "workspace_name",
    "models.upload-and-convert": "name",
}
_DEPLOYMENT = re.compile(r"^(.*)-(\d+)$", re.DOTALL)
_STATUS = "/status/get_deployment"
_INFER = re.compile(r"(/pipelines/infer/)([^/]+)/([^/?]+)")


def gives(exchange: Exchange) -> Iterator[tuple[str, Any]]:
    """The values that a success gave, by kind, in a fixed order."""
    if not exchange.ok:
        return
    for kind, path in _GIVES.get(exchange.operation or "", ()):
        value = _at(exchange.answer, path)
        if value is not None:
            yield kind, value
    if exchange.operation == "models.list-versions":
        for row in _rows(exchange):
            yield "model_version", row.get("model_version")
            yield "models_pk", row.get("models_pk_id")


def made_name(exchange: Exchange) -> Token | None:
    """The name that an exchange makes, None where it makes none."""
    key = _MAKES.get(exchange.operation or "")
    question = metadata_of(exchange.request) if exchange.operation == "models.upload-and-convert" else exchange.question
    name = question.get(key) if key and isinstance(question, dict) else None
    return ("name", name) if isinstance(name, str) else None


def renewed(old: Exchange, new: Exchange, known: dict[Token, Any]) -> None:
    """Learn from the same call made again which value stands for which."""
    for (kind, before), (_, after) in zip(gives(old), gives(new), strict=False):
        if old.operation != "models.list-versions":
            known[kind, before] = after
    if old.operation == "models.list-versions":
        rows = {row.get("id"): row for row in _rows(new)}
        for row in _rows(old):
            again = rows.get(known.get(("model", row.get("id"))))
            if again is not None:
                known["model_version", row.get("model_version")] = again.get("model_version")
                known["models_pk", row.get("models_pk_id")] = again.get("models_pk_id")


def uses(request: Request) -> set[Token]:
    """Every id and name that a request speaks of."""
    found: set[Token] = set()

    def collect(kind: str, value: Any) -> Any:
        if isinstance(value, int | str) and not isinstance(value, bool):
            found.add((kind, value))
        return value

    rewritten(request, collect)
    return found


def rewritten(request: Request, substitute: Substitute) -> Request:
    """The request with every id and name passed through `substitute`."""
    url = _INFER.sub(lambda match: _inference(match, substitute), request.url)
    if request.media_type == "multipart/form-data":
        return _form(replace(request, url=url), substitute)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return replace(request, url=url)
    if not isinstance(body, dict):
        return replace(request, url=url)
    if request.url.endswith(_STATUS) and isinstance(body.get("name"), str):
        body = body | {"name": _deployment(body["name"], substitute)}
        return replace(request, url=url, body=json.dumps(body).encode())
    return replace(request, url=url, body=json.dumps(_walked("", body, substitute)).encode())


def metadata_of(request: Request) -> Any:
    """The metadata of an upload as JSON, None where there is none."""
    part = multipart.decode(request.headers.get("content-type", ""), request.body).get("metadata")
    try:
        return json.loads(part.content) if part else None
    except (ValueError, RecursionError):
        return None


def _form(request: Request, substitute: Substitute) -> Request:
    parts = multipart.decode(request.headers.get("content-type", ""), request.body)
    metadata = metadata_of(request)
    if not isinstance(metadata, dict):
        return request
    changed = json.dumps(_walked("", metadata, substitute)).encode()
    new = [replace(part, content=changed) if part.name == "metadata" else part for part in parts.values()]
    kind, body = multipart.encode(new)
    fields = [(name, kind if name.lower() == "content-type" else value) for name, value in request.headers.fields]
    return replace(request, headers=Headers(fields), body=body)


def _walked(key: str, value: Any, substitute: Substitute) -> Any:
    if isinstance(value, dict):
        return {name: _walked(name, item, substitute) for name, item in value.items()}
    if isinstance(value, list):
        return [_walked(key, item, substitute) for item in value]
    if key == "pipeline_id" and not isinstance(value, str):
        return substitute("pipeline", value)
    if key in _NAMES and isinstance(value, str):
        return substitute("name", value)
    return substitute(_TAKES[key], value) if key in _TAKES else value


def _deployment(name: str, substitute: Substitute) -> str:
    """A name as status takes it: `{deploy_id}-{id}`."""
    match = _DEPLOYMENT.match(name)
    if match is None:
        return name
    return f"{substitute('name', match[1])}-{substitute('deployment', int(match[2]))}"


def _inference(match: re.Match[str], substitute: Substitute) -> str:
    deployment = _deployment(unquote(match[2]), substitute)
    pipeline = substitute("name", unquote(match[3]))
    return f"{match[1]}{quote(deployment, safe='')}/{quote(str(pipeline), safe='')}"


def _rows(exchange: Exchange) -> list[dict[str, Any]]:
    answer = exchange.answer
    return [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value
