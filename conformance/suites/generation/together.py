"""Requests at the same moment: no id is lost or given twice, and nobody gets another's answer."""

from __future__ import annotations

import json

from conformance.api.client import JSON, PANDAS_RECORDS, PipelineClient, steps_of
from conformance.model import Headers, Mark, Request
from conformance.run.session import Session
from conformance.suites.generation.budget import Budget
from conformance.suites.generation.requests import Builder
from conformance.suites.generation.stage import Stage

_AT_ONCE = 6
_ROWS_EACH = 400
"""Rows of each inference sent at once: enough that the answers overlap."""

_STAGGER = 0.004
"""Seconds between requests that differ, so that they leave in their order and still overlap."""


def run(session: Session, stage: Stage, budget: Budget) -> None:
    """Creates of one name and of many, deploys, uploads and inferences, each kind at once, several times over."""
    stage.until_served(PipelineClient(session.send, intent="valid"), session.patience)
    for _ in range(1 if budget.drawn < 20 else 3):
        _creates(session, stage)
        _uploads(session, stage)
        _deploys(session, stage)
        _inferences(session, stage)
    PipelineClient(session.send, intent="valid", labels=frozenset({Mark.GENERATED})).list_workspaces()


def _creates(session: Session, stage: Stage) -> None:
    name = stage.names.fresh("at-once")
    body = {"pipeline_id": name, "workspace_id": stage.workspace_id, "definition": steps_of(stage.models[0])}
    session.send_together([_json("pipelines/create", body)] * _AT_ONCE, intent="valid")
    others = [body | {"pipeline_id": stage.names.fresh("at-once")} for _ in range(_AT_ONCE)]
    session.send_together([_json("pipelines/create", other) for other in others], intent="valid", stagger=_STAGGER / 8)


def _uploads(session: Session, stage: Stage) -> None:
    builder = Builder(session.rules.document, stage)
    conversion = {"framework": "onnx", "requirements": []}
    metadata = {
        "name": stage.names.fresh("at-once"),
        "visibility": "public",
        "workspace_id": stage.workspace_id,
        "conversion": conversion,
    }
    form = builder.form({"metadata": metadata, "file": stage.model.content})
    session.send_together([form] * 3, intent="valid")
    PipelineClient(session.send, intent="valid").list_model_versions(model_id=str(metadata["name"]))


def _deploys(session: Session, stage: Stage) -> None:
    """The same deploy of what is deployed: it makes nothing, and costs nothing."""
    _, _, created = stage.deployment
    body = {
        "deploy_id": stage.pipeline_name,
        "pipeline_version_pk_id": created.pipeline_variant_pk_id,
        "pipeline_id": created.pipeline_pk_id,
        "models": [stage.models[0].as_json()],
    }
    session.send_together([_json("pipelines/deploy", body)] * 3, intent="valid")


def _inferences(session: Session, stage: Stage) -> None:
    requests = []
    for index in range(4):
        rows = stage.model.rows(_ROWS_EACH, 1000 + index)
        content = json.dumps([{stage.model.column: row} for row in rows]).encode()
        requests.append(Request("POST", stage.url, Headers({"Content-Type": PANDAS_RECORDS}), content))
    session.send_together(requests, intent="valid", stagger=_STAGGER)


def _json(path: str, body: dict[str, object]) -> Request:
    return Request("POST", f"/v1/api/{path}", Headers({"Content-Type": JSON}), json.dumps(body).encode())
