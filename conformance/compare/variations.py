"""Requests that the suites send no live instance, made of those that they do send: the last steps of a plan.

They are who may call with a token of another time or grant, the same read asked in other ways, and a deployment whose
name is not ASCII, asked for less than everything. What they should be answered, the old side says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from conformance.api.client import infer_path
from conformance.api.operations import CREATE, DEPLOY, INFER, STATUS, UNDEPLOY, VERSIONS, fields_of, row_of, split_name
from conformance.model import Exchange, Headers, Purpose, Request, Response

ANY_CASE = Purpose.GRANT.of("scheme-in-lower-case")
"""Label of a request whose good token stands behind `bearer` in place of `Bearer` (RFC 9110 11.1)."""

_LATE = (Purpose.IDENTITY.of("early"), Purpose.IDENTITY.of("expired"))
_CLIENT = Purpose.GRANT.of("client-credentials")
_GARBAGE = Purpose.IDENTITY.of("garbage")
_READS = ("workspaces.list", VERSIONS, "admin.get-pipeline-external-url")
_JSON = "application/json"
_PIPELINE, _VARIANT, _DEPLOYMENT = 900_000_001, 900_000_002, 900_000_003
_VERSION = "00000000-0000-4000-8000-000900000004"
_NAME = "Prüfstück-模型"
_LESS = ("dataset[]=out", "dataset.exclude[]=metadata", "dataset[]=*&dataset.separator=.", "unknown=1")
"""Queries of an inference; the vendor's client sends the like."""


def variations(exchanges: Sequence[Exchange], run: str) -> list[Exchange]:
    """The variations on the exchanges of a run, in the order to be sent in. Their answers are what ids they give."""
    return [*_read_otherwise(exchanges), *_beyond_ascii(exchanges, run), *_strangers(exchanges)]


def _read_otherwise(exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    reads = [one for name in _READS if (one := _first(exchanges, name))]
    for change in _CHANGES:
        for read in reads:
            yield replace(read, request=change(read.request), labels=frozenset())
    for read in reads[:1]:
        yield replace(read, labels=frozenset({ANY_CASE}))


def _first(
    exchanges: Sequence[Exchange], operation: str, wanted: Callable[[Exchange], bool] = lambda one: True
) -> Exchange | None:
    """The first valid request of an operation that succeeded and is wanted."""
    found = (one for one in exchanges if one.operation == operation and one.ok and one.intent != "invalid")
    return next(filter(wanted, found), None)


def _url(more: str) -> Callable[[Request], Request]:
    return lambda request: replace(request, url=request.url + more)


def _field(name: str, value: str) -> Callable[[Request], Request]:
    def changed(request: Request) -> Request:
        fields = [pair for pair in request.headers.fields if pair[0].lower() != name.lower()]
        return replace(request, headers=Headers([*fields, (name, value)] if value else fields))

    return changed


def _body(change: Callable[[bytes], bytes]) -> Callable[[Request], Request]:
    return lambda request: replace(request, body=change(request.body))


_CHANGES: tuple[Callable[[Request], Request], ...] = (
    _url("?unknown=1"),
    _url("/"),
    _field("Accept", "text/plain"),
    _field("Accept", "application/xml, */*;q=0.1"),
    _field("Accept-Language", "de, en;q=0.5"),
    _field("Content-Type", ""),
    _field("Content-Type", f"{_JSON}; charset=iso-8859-1"),
    _field("Origin", "https://elsewhere.example.com"),
    _field("If-None-Match", "*"),
    _body(lambda body: b"\r\n\t " + body + b" \n"),
    _body(lambda body: body[:-1] + (b"," if len(body) > 2 else b"") + b'"unknown": {"deep": [null]}}'),
    _body(lambda body: body + b"{}"),
)


def _beyond_ascii(exchanges: Sequence[Exchange], run: str) -> Iterator[Exchange]:
    """A pipeline made, deployed, asked and undeployed, all under a name that is not ASCII."""
    rows = _first(exchanges, INFER, lambda one: "pandas-records" in one.request.headers.get("content-type", ""))
    parts = split_name(rows.parameters.get("deployment")) if rows else None
    deploy_id = parts[0] if parts else ""
    deploy = _first(exchanges, DEPLOY, lambda one: _deploys(one, deploy_id))
    create = _first(exchanges, CREATE)
    if not rows or not deploy or not create:
        return
    yield from _room(exchanges)
    name = f"conformance-{run}-{_NAME}"
    full = f"{name}-{_DEPLOYMENT}"
    made = {"pipeline_pk_id": _PIPELINE, "pipeline_variant_pk_id": _VARIANT, "pipeline_variant_version": _VERSION}
    workspace = fields_of(CREATE, create.request).get("workspace_id")
    yield _exchange(CREATE, {"pipeline_id": name, "workspace_id": workspace, "definition": {}}, made)
    deployed = fields_of(DEPLOY, deploy.request)
    asked = {"deploy_id": name, "pipeline_id": _PIPELINE, "pipeline_version_pk_id": _VARIANT}
    yield _exchange(DEPLOY, {**asked, "models": deployed["models"]}, {"id": _DEPLOYMENT})
    yield _exchange(STATUS, {"name": full}, {"status": "Running"})
    yield _exchange("admin.get-pipeline-external-url", {"workspace_id": workspace, "pipeline_name": name}, {"url": ""})
    path = infer_path(full, name)
    parameters = {"deployment": full, "pipeline_name": name}
    for query in ("", *_LESS):
        request = replace(rows.request, url=f"{path}?{query}" if query else path)
        yield replace(rows, request=request, labels=frozenset(), parameters=parameters)
    for accepted in ("application/vnd.apache.arrow.file", "text/plain"):
        request = _field("Accept", accepted)(replace(rows.request, url=path))
        yield replace(rows, request=request, labels=frozenset(), parameters=parameters)
    yield _exchange(UNDEPLOY, {"deployment_id": _DEPLOYMENT}, None)
    yield _exchange(STATUS, {"name": full}, {"msg": "not found", "code": 404}, status=404)


def _deploys(one: Exchange, deploy_id: str) -> bool:
    """Whether it deploys models under that name."""
    fields = fields_of(DEPLOY, one.request)
    return fields.get("deploy_id") == deploy_id and bool(fields.get("models"))


def _room(exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    """The last deployment that the run left to its clean-up, undeployed: there may be no more of them at once."""
    standing: dict[Any, tuple[Any, Any]] = {}
    for one in exchanges:
        fields = fields_of(one.operation, one.request)
        if one.operation == DEPLOY and one.ok and isinstance(one.answer, dict):
            standing[one.answer.get("id")] = fields.get("pipeline_id"), fields.get("deploy_id")
        elif one.operation == UNDEPLOY and one.ok:
            ended = (fields.get("deployment_id"), fields.get("pipeline_id"))
            standing = {number: ids for number, ids in standing.items() if number != ended[0] and ids[0] != ended[1]}
    for number, (_, deploy_id) in list(standing.items())[-1:]:
        yield _exchange(UNDEPLOY, {"deployment_id": number}, None)
        yield _exchange(STATUS, {"name": f"{deploy_id}-{number}"}, {"msg": "not found", "code": 404}, status=404)


def _exchange(operation: str, question: Any, answer: Any, status: int = 200) -> Exchange:
    headers = Headers({"Content-Type": _JSON})
    request = Request("POST", row_of(operation).path, headers, json.dumps(question, ensure_ascii=False).encode())
    return Exchange(request, Response(status, headers, json.dumps(answer).encode()), operation)


def _strangers(exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    """The probes with tokens that nobody but the issuer can make, or that are late: where no run has sent them yet."""
    sent = frozenset[Any]().union(*(one.labels for one in exchanges))
    plain = {one.operation: one for one in reversed(exchanges) if _GARBAGE in one.labels}
    for label in (_CLIENT, *_LATE):
        for operation, one in plain.items() if label not in sent else ():
            if label != _CLIENT or operation == INFER:
                yield replace(one, labels=frozenset({label}))
