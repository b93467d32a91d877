"""The same rows asked in other ways, and elsewhere: what may not change the answers."""

from __future__ import annotations

from dataclasses import replace

from conformance.api.client import PipelineClient, PipelineVersionCreated, infer_path, steps_of
from conformance.api.operations import COPY
from conformance.run.session import Session
from conformance.suites.generation.stage import Stage
from conformance.suites.model import Model
from conformance.suites.waiting import until_gone, until_routed, until_running
from conformance.targets.waits import Patience

_ROWS = 12


def in_other_ways(session: Session, stage: Stage, seed: int) -> None:
    """One by one, together, in another order, by Arrow, again; after a redeploy, and of a copy if there are any."""
    client = PipelineClient(session.send, intent="valid")
    stage.until_served(client, session.patience)
    rows = stage.model.rows(_ROWS, seed)
    if session.is_slow("pipelines.infer"):
        rows = rows[:2]
    ask(client, stage.url, stage.model, rows)
    if stage.deploys:
        copies = session.rules.document.has(COPY)
        _elsewhere(client, stage, session.patience, stage.model.rows(_ROWS, seed + 1), copies=copies)


def ask(client: PipelineClient, url: str, model: Model, rows: list[list[float]]) -> None:
    """The rows alone, in a batch, the batch again, in another order, half of it, and by Arrow."""
    column = model.column
    for row in rows[:3]:
        client.infer(url, column, [row])
    client.infer(url, column, rows)
    client.infer(url, column, rows)
    client.infer(url, column, rows[::-1])
    client.infer(url, column, rows[::2] + rows[1::2])
    client.infer(url, column, rows[: len(rows) // 2])
    client.infer_arrow(url, column, rows)
    client.infer_arrow(url, column, rows, accept="application/json")


def _elsewhere(
    client: PipelineClient, stage: Stage, patience: Patience, rows: list[list[float]], *, copies: bool
) -> None:
    """The rows of a pipeline, of its copy and of the copy's copy, whose waits are one; then of a second life of it."""
    names, reference = stage.names, stage.models[0]
    name = names.fresh("source")
    source = client.create_pipeline(name, stage.workspace_id, steps_of(reference)).value
    lives = [(name, source)]
    for step in ("copy", "copy-of-copy") if copies else ():
        copy = names.fresh(step)
        lives.append((copy, client.copy_pipeline(copy, stage.workspace_id, lives[-1][1].pipeline_pk_id).value))
    _served(client, stage, patience, lives, rows)
    _served(client, stage, patience, lives[:1], rows)


def _served(
    client: PipelineClient,
    stage: Stage,
    patience: Patience,
    lives: list[tuple[str, PipelineVersionCreated]],
    rows: list[list[float]],
) -> None:
    """Deploy each, ask it, undeploy it, and ask it once more when it is gone."""
    column, silent = stage.model.column, replace(client, intent="")
    deployed = []
    for name, created in lives:
        deployment_id = client.deploy(name, created, models=[stage.models[0]]).value
        deployed.append((name, deployment_id, f"{name}-{deployment_id}"))
    for name, deployment_id, deployment in deployed:
        until_running(client, deployment, patience)
        until_routed(client, infer_path(deployment, name), column, rows[0], patience)
        client.infer(infer_path(deployment, name), column, rows)
        client.undeploy(deployment_id=deployment_id)
    for name, _, deployment in deployed:
        until_gone(client, deployment, patience)
        silent.infer(infer_path(deployment, name), column, rows[:1])
