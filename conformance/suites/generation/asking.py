"""The same rows asked in other ways, and elsewhere: what may not change the answers."""

from __future__ import annotations

from dataclasses import replace

from conformance.client import PipelineClient, PipelineVersionCreated, infer_path, steps_of
from conformance.session import Session
from conformance.settings import Settings
from conformance.suites.generation.stage import Stage
from conformance.suites.model import Model
from conformance.suites.waiting import until_gone, until_running

_ROWS = 12


def in_other_ways(session: Session, stage: Stage, settings: Settings) -> None:
    """One by one, together, in another order, by Arrow, again; after a redeploy, and of a copy if there are any."""
    client = PipelineClient(session.send, intent="valid")
    rows = stage.model.rows(_ROWS, settings.seed)
    ask(client, stage.url, stage.model, rows)
    if stage.deploys:
        copies = session.rules.document.has("pipelines.copy")
        _elsewhere(client, stage, settings, stage.model.rows(_ROWS, settings.seed + 1), copies=copies)


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
    client: PipelineClient, stage: Stage, settings: Settings, rows: list[list[float]], *, copies: bool
) -> None:
    names, reference = stage.names, stage.models[0]
    name = names.fresh("source")
    created = client.create_pipeline(name, stage.workspace_id, steps_of(reference)).value
    _served(client, stage, settings, name, created, rows)
    # A second life of the same pipeline, then a copy of it, and a copy of the copy.
    _served(client, stage, settings, name, created, rows)
    if not copies:
        return
    source = created
    for step in ("copy", "copy-of-copy"):
        copy = names.fresh(step)
        copied = client.copy_pipeline(copy, stage.workspace_id, source.pipeline_pk_id).value
        _served(client, stage, settings, copy, copied, rows)
        source = copied


def _served(
    client: PipelineClient,
    stage: Stage,
    settings: Settings,
    name: str,
    created: PipelineVersionCreated,
    rows: list[list[float]],
) -> None:
    deployment_id = client.deploy(name, created, models=[stage.models[0]]).value
    deployment = f"{name}-{deployment_id}"
    until_running(client, deployment, settings.wait)
    client.infer(infer_path(deployment, name), stage.model.column, rows)
    client.undeploy(deployment_id=deployment_id)
    until_gone(client, deployment, settings.wait)
    silent = replace(client, intent="")
    silent.infer(infer_path(deployment, name), stage.model.column, rows[:1])
