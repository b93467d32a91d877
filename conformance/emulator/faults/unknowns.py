"""Faults of reference: what never was, or is not here, is taken for something that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.emulator.faults.fault import Fault, asking, is_of, question
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Around, Step, World

KIND = "robustness"
_CREATE, _DEPLOY, _COPY = "pipelines.create", "pipelines.deploy", "pipelines.copy"
_UPLOADED = """SELECT m.workspace_id = p.workspace_id AS here FROM model_version v JOIN model m ON m.id = v.model_id
    JOIN pipeline p WHERE v.version = ? AND v.sha = ? AND p.id = ?"""


async def _unknown_workspace_is_the_first(call: Call, proceed: Step, world: World) -> Answer:
    body = question(call)
    workspace = body.get("workspace_id")
    known = not is_of(workspace, int) or world.store.one("SELECT 1 FROM workspace WHERE id = ?", workspace)
    return await proceed(call if known else asking(call, body | {"workspace_id": 10}))


async def _unknown_source_is_the_newest(call: Call, proceed: Step, world: World) -> Answer:
    body = question(call)
    source = body.get("source_pipeline")
    if not is_of(source, int) or world.store.one("SELECT 1 FROM pipeline WHERE id = ?", source):
        return await proceed(call)
    newest = world.store.one("SELECT max(id) AS id FROM pipeline WHERE workspace_id = ?", body.get("workspace_id"))
    return await proceed(asking(call, body | {"source_pipeline": newest["id"] if newest else source}))


async def _source_of_any_workspace(call: Call, proceed: Step, world: World) -> Answer:
    body = question(call)
    row = None
    if is_of(body.get("source_pipeline"), int) and is_of(body.get("workspace_id"), int):
        row = world.store.one("SELECT workspace_id FROM pipeline WHERE id = ?", body["source_pipeline"])
    return await proceed(asking(call, body | {"workspace_id": row["workspace_id"]}) if row else call)


def _deploying_anyway(applies: Callable[[dict[str, Any], World], dict[str, Any] | None]) -> Around:
    """A deploy with another body where `applies` makes one."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        changed = applies(question(call), world)
        return await proceed(call if changed is None else asking(call, changed))

    return around


def _variant_exists(body: dict[str, Any], world: World) -> bool:
    number = body.get("pipeline_version_pk_id")
    return is_of(number, int) and world.store.one("SELECT 1 FROM variant WHERE id = ?", number) is not None


def _unknown_pipeline(body: dict[str, Any], world: World) -> dict[str, Any] | None:
    number = body.get("pipeline_id")
    if not is_of(number, int) or world.store.one("SELECT 1 FROM pipeline WHERE id = ?", number):
        return None
    row = world.store.one("SELECT pipeline_id, id FROM variant ORDER BY id LIMIT 1")
    models = ("models", "model_ids", "model_configs")
    kept = {name: value for name, value in body.items() if name not in models}
    return kept | {"pipeline_id": row["pipeline_id"], "pipeline_version_pk_id": row["id"]} if row else None


def _unknown_version(body: dict[str, Any], world: World) -> dict[str, Any] | None:
    if not is_of(body.get("pipeline_version_pk_id"), int) or _variant_exists(body, world):
        return None
    row = world.store.one("SELECT max(id) AS id FROM variant WHERE pipeline_id = ?", body.get("pipeline_id"))
    return body | {"pipeline_version_pk_id": row["id"]} if row and row["id"] else None


def _anothers_version(body: dict[str, Any], world: World) -> dict[str, Any] | None:
    if not _variant_exists(body, world) or not is_of(body.get("pipeline_id"), int):
        return None
    query = "SELECT max(id) AS id FROM variant WHERE pipeline_id = ? HAVING sum(id = ?) = 0"
    row = world.store.one(query, body["pipeline_id"], body["pipeline_version_pk_id"])
    models = ("models", "model_ids", "model_configs")
    kept = {name: value for name, value in body.items() if name not in models}
    return kept | {"pipeline_version_pk_id": row["id"]} if row and row["id"] else None


def _is_whole(model: Any) -> bool:
    return isinstance(model, dict) and all(isinstance(model.get(key), str) for key in ("name", "version", "sha"))


def _models_that_are(elsewhere: bool) -> Callable[[dict[str, Any], World], dict[str, Any] | None]:
    """Leave out models that nobody uploaded, or those that only another workspace has."""

    def applies(body: dict[str, Any], world: World) -> dict[str, Any] | None:
        models = body.get("models")
        if not isinstance(models, list) or not all(_is_whole(each) for each in models):
            return None
        kept = []
        for each in models:
            rows = world.store.all(_UPLOADED, str(each.get("version")), str(each.get("sha")), body.get("pipeline_id"))
            if any(row["here"] for row in rows) or bool(rows) is not elsewhere:
                kept.append(each)
        return None if len(kept) == len(models) else body | {"models": kept}

    return applies


FAULTS = (
    Fault(
        "create-in-an-unknown-workspace",
        (f"{_CREATE}.refuses-an-unknown-workspace",),
        KIND,
        "A pipeline for a workspace that never was is made in the first one.",
        {_CREATE: _unknown_workspace_is_the_first},
    ),
    Fault(
        "copy-of-an-unknown-source",
        (f"{_COPY}.refuses-an-unknown-source",),
        KIND,
        "A copy of what never was copies the newest pipeline.",
        {_COPY: _unknown_source_is_the_newest},
    ),
    Fault(
        "copy-across-workspaces",
        (f"{_COPY}.refuses-a-source-of-another-workspace",),
        KIND,
        "A pipeline is copied by way of a workspace that it is not in.",
        {_COPY: _source_of_any_workspace},
    ),
    Fault(
        "deploy-of-an-unknown-pipeline",
        (f"{_DEPLOY}.refuses-an-unknown-pipeline",),
        KIND,
        "A deploy of what never was deploys the first pipeline.",
        {_DEPLOY: _deploying_anyway(_unknown_pipeline)},
    ),
    Fault(
        "deploy-of-an-unknown-version",
        (f"{_DEPLOY}.refuses-an-unknown-version",),
        KIND,
        "A deploy of a version that never was deploys the newest.",
        {_DEPLOY: _deploying_anyway(_unknown_version)},
    ),
    Fault(
        "deploy-of-anothers-version",
        (f"{_DEPLOY}.refuses-a-version-of-another-pipeline",),
        KIND,
        "A deploy of another pipeline's version deploys the newest of its own.",
        {_DEPLOY: _deploying_anyway(_anothers_version)},
    ),
    Fault(
        "deploy-with-a-model-that-never-was",
        (f"{_DEPLOY}.refuses-a-model-that-never-was",),
        KIND,
        "A deploy passes over models that nobody uploaded.",
        {_DEPLOY: _deploying_anyway(_models_that_are(elsewhere=False))},
    ),
    Fault(
        "deploy-with-anothers-model",
        (f"{_DEPLOY}.refuses-models-of-another-workspace",),
        "leaks",
        "A deploy takes a model that only another workspace has, and passes it over.",
        {_DEPLOY: _deploying_anyway(_models_that_are(elsewhere=True))},
    ),
)
