"""Pipelines: create and copy. What they serve is decided at deployment."""

from __future__ import annotations

import uuid

import orjson

from conformance.emulator import deployments, fields
from conformance.emulator.deployments import Wanted
from conformance.emulator.state import State
from conformance.emulator.wire import Answer, Call, RefusalError, answered, bad_request


async def create(call: Call, state: State) -> Answer:
    """A new pipeline, or a new version of the one that has this name in this workspace (recorded)."""
    body = fields.json_object(call)
    name = fields.new_name(body, "pipeline_id", state.settings.limits.name_characters)
    workspace_id = fields.integer(body, "workspace_id")
    definition = orjson.dumps(deployments.checked(fields.optional_mapping(body, "definition") or {})).decode()
    store = state.store
    with store.transaction():
        if store.one("SELECT 1 FROM workspace WHERE id = ?", workspace_id) is None:
            raise bad_request("the workspace does not exist.")
        row = store.one("SELECT id FROM pipeline WHERE workspace_id = ? AND name = ?", workspace_id, name)
        pipeline_id = row["id"] if row else store.add("pipeline", workspace_id=workspace_id, name=name)
        version = str(uuid.uuid4())
        variant_id = store.add("variant", pipeline_id=pipeline_id, version=version, definition=definition)
    return answered(
        {"pipeline_pk_id": pipeline_id, "pipeline_variant_pk_id": variant_id, "pipeline_variant_version": version}
    )


async def copy(call: Call, state: State) -> Answer:
    """A new pipeline with the definition of another of the same workspace: its newest, or that of `pipeline_version`.

    Decided: a name that is taken is refused; `deploy` deploys the copy under that name; the answer's
    `pipeline_version` is the one asked for, null if none was (null is recorded).
    """
    if not state.settings.profile.copies:
        raise RefusalError(404, "Not found")
    body = fields.json_object(call)
    name = fields.new_name(body, "name", state.settings.limits.name_characters)
    workspace_id, source = fields.integer(body, "workspace_id"), fields.integer(body, "source_pipeline")
    asked = fields.optional_text(body, "pipeline_version")
    config = fields.optional_mapping(body, "engine_config")
    deploy_id = None
    if body.get("deploy") is not None:
        deploy_id = fields.new_name(body, "deploy", state.settings.limits.name_characters)
    store = state.store
    with store.transaction():
        definition = _source_definition(state, source, workspace_id, asked)
        if store.one("SELECT 1 FROM pipeline WHERE workspace_id = ? AND name = ?", workspace_id, name):
            raise bad_request("a pipeline of that name exists in the workspace.")
        pipeline_id = store.add("pipeline", workspace_id=workspace_id, name=name)
        version = str(uuid.uuid4())
        variant_id = store.add("variant", pipeline_id=pipeline_id, version=version, definition=definition)
        deployment = None
        if deploy_id is not None:
            wanted = Wanted(deploy_id, pipeline_id, variant_id, engine_config=config)
            deployment = {"id": deployments.deploy_pipeline(state, wanted)}
    return answered(
        {
            "pipeline_pk_id": pipeline_id,
            "pipeline_variant_pk_id": variant_id,
            "pipeline_version": asked,
            "deployment": deployment,
        }
    )


def _source_definition(state: State, source: int, workspace_id: int, version: str | None) -> str:
    row = state.store.one(
        """SELECT v.definition FROM variant v JOIN pipeline p ON p.id = v.pipeline_id
           WHERE p.id = ? AND p.workspace_id = ? AND (? IS NULL OR v.version = ?) ORDER BY v.id DESC LIMIT 1""",
        source,
        workspace_id,
        version,
        version,
    )
    if row is None:
        raise bad_request("the workspace has no such pipeline, or the pipeline no such version.")
    return str(row["definition"])
