"""Invalid requests: drawn, and with one keyword broken at a time; each must be refused, and change nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from json import dumps
from typing import Any

from conformance.api.client import ARROW_FILE, JSON, PANDAS_RECORDS, PipelineClient, infer_path, steps_of
from conformance.api.operations import COPY, INFER
from conformance.model import Headers, Intent, Mark, Operation, Request
from conformance.run.session import Session
from conformance.suites.generation.budget import Budget
from conformance.suites.generation.drawing import draw
from conformance.suites.generation.edges import bad_rows, broken
from conformance.suites.generation.requests import Builder
from conformance.suites.generation.serving import number
from conformance.suites.generation.stage import Stage
from conformance.targets.safety.guard import RefusedError

UNKNOWN = 2_147_480_000
"""An id that no instance has given yet."""

_LISTING = frozenset({"models.upload-and-convert"})


def invalid(session: Session, stage: Stage, budget: Budget, seed: int, operation_id: str) -> None:
    """Send invalid requests of one operation, and after each refusal read what it might have changed."""
    operation = session.rules.document.operation(operation_id)
    builder = Builder(session.rules.document, stage)
    reader = _Reader(session, stage, operation)
    if operation_id == INFER:
        stage.until_served(PipelineClient(session.send, intent="valid"), session.patience)
    reader.read()
    edges = list(_edges(builder, operation))
    chosen = random.Random(number(seed, operation_id, "edges"))  # noqa: S311  test data
    for request in edges if len(edges) <= budget.edges else _sample(edges, budget.edges, chosen):
        reader.send(request)

    def use(body: Any, media_type: str, index: int) -> None:
        request = builder.invalid(operation, body, index)
        if not builder.is_unclear(operation, request):
            reader.send(request, "invalid" if builder.is_invalid(operation, request) else "")

    draw(session.rules.document, operation_id, "invalid", budget.drawn, number(seed, operation_id, "invalid"), use)
    reader.answers()


_REFUSALS_A_READ = 3
"""Refusals of one operation between two reads: what one of them has changed, the next read shows all the same."""


class _Reader:
    """Sends, and reads afterwards: a refusal is clean if the target still answers, and answers what it did before."""

    def __init__(self, session: Session, stage: Stage, operation: Operation) -> None:
        self._session, self._stage, self._operation = session, stage, operation
        self._client = PipelineClient(session.send, intent="valid")
        self._sent = 0

    def send(self, request: Request, intent: Intent = "invalid") -> None:
        if self._session.is_slow(self._operation.id):
            return
        try:
            self._session.send(request, intent=intent, labels=frozenset({Mark.GENERATED}))
        except RefusedError:
            return
        self._sent += 1
        if self._operation.effect not in ("read", "compute") and self._sent % _REFUSALS_A_READ == 0:
            self.read()

    def read(self) -> None:
        if any(map(self._session.is_slow, ("models.list-versions", "status.get-deployment", "workspaces.list"))):
            return
        if self._operation.id in _LISTING:
            self._client.list_model_versions(model_id=self._stage.models[0].name)
        elif self._operation.effect in ("mutate", "destroy"):
            self._client.deployment_status(self._stage.deployment[0])
        elif self._operation.effect == "create":
            self._client.list_workspaces()

    def answers(self) -> None:
        """The deployment that runs throughout still does, and still computes; and a last read."""
        if self._operation.effect not in ("read", "compute"):
            self.read()
        self._client.deployment_status(self._stage.deployment[0])
        if not self._stage.served:
            return
        self._client.infer(self._stage.url, self._stage.model.column, self._stage.model.rows(1))


def _edges(builder: Builder, operation: Operation) -> Iterator[Request]:
    """What cannot be done comes first: it is few."""
    stage = builder.stage
    for body in _impossible(operation.id, stage):
        yield builder.json(operation, body)
    if operation.id == "models.upload-and-convert":
        yield builder.form({"metadata": _metadata(stage) | {"workspace_id": UNKNOWN}, "file": stage.model.content})
        yield builder.form({"metadata": _metadata(stage), "file": b"this is no model"})
    if operation.id == "pipelines.infer":
        for _, content, kind in bad_rows(stage):
            yield Request("POST", stage.url, Headers({"Content-Type": kind, "Accept": _accepted(kind)}), content)
        yield from _nowhere(stage)
        return
    for _, body in broken(builder.document, operation.id, stage):
        request = builder.invalid(operation, body, 0)
        if builder.is_invalid(operation, request):
            yield request


def _impossible(operation_id: str, stage: Stage) -> list[dict[str, Any]]:
    """Bodies as described that name what does not exist, where a service cannot but refuse."""
    _, created = stage.pipelines[0]
    impossible: dict[str, list[dict[str, Any]]] = {
        "pipelines.create": [
            {"pipeline_id": stage.names.fresh(), "workspace_id": UNKNOWN, "definition": steps_of(stage.models[0])}
        ],
        COPY: [
            {"name": stage.names.fresh(), "workspace_id": stage.workspace_id, "source_pipeline": UNKNOWN},
            {"name": stage.names.fresh(), "workspace_id": UNKNOWN, "source_pipeline": created.pipeline_pk_id},
        ],
        "pipelines.deploy": [
            {"deploy_id": stage.names.fresh(), "pipeline_version_pk_id": UNKNOWN, "pipeline_id": UNKNOWN},
            {
                "deploy_id": stage.pipeline_name,
                "pipeline_version_pk_id": UNKNOWN,
                "pipeline_id": created.pipeline_pk_id,
            },
        ],
        "status.get-deployment": [{"name": f"{stage.pipeline_name}-{UNKNOWN}"}],
        "admin.get-pipeline-external-url": [
            {"workspace_id": stage.workspace_id, "pipeline_name": stage.names.fresh("none")},
            {"workspace_id": UNKNOWN, "pipeline_name": stage.pipeline_name},
        ],
    }
    return impossible.get(operation_id, [])


def _nowhere(stage: Stage) -> Iterator[Request]:
    """Inferences on what is not deployed, or under another pipeline's name."""
    content = dumps([{stage.model.column: stage.model.rows(1)[0]}]).encode()
    for deployment, pipeline in (
        (f"{stage.pipeline_name}-{UNKNOWN}", stage.pipeline_name),
        (stage.deployment[0], stage.pipelines[1][0]),
        (stage.names.fresh("none") + "-1", stage.pipeline_name),
        (f"{stage.names.fresh('none')}-{stage.deployment[1]}", stage.pipeline_name),
    ):
        yield Request("POST", infer_path(deployment, pipeline), Headers({"Content-Type": PANDAS_RECORDS}), content)


def _metadata(stage: Stage) -> dict[str, Any]:
    conversion = {"framework": "onnx", "requirements": []}
    return {"name": stage.models[0].name, "visibility": "public", "workspace_id": stage.workspace_id,
            "conversion": conversion}  # fmt: skip


def _accepted(kind: str) -> str:
    return ARROW_FILE if kind == ARROW_FILE else JSON


def _sample(edges: list[Request], count: int, dice: random.Random) -> list[Request]:
    """The first half as they stand, and a drawn part of the rest, in their order."""
    first = count // 2
    rest = sorted(dice.sample(range(first, len(edges)), count - first))
    return edges[:first] + [edges[index] for index in rest]
