"""What the vendor's SDK asks beside the described operations: models, their configs, pipelines, users and topics.

Shapes are those of recordings where there are any, else what the SDK's generated client reads.
"""

from __future__ import annotations

from typing import Any

import orjson

from conformance.emulator import fields
from conformance.emulator.state import State
from conformance.emulator.store import Row
from conformance.emulator.wire import Answer, Call, RefusalError, answered, bad_request

_VERSIONS = """SELECT v.*, m.name, m.workspace_id,
    EXISTS (SELECT 1 FROM deployment d, json_each(d.models) s
            WHERE d.stopped IS NULL AND s.value ->> 'id' = v.id) AS deployed
    FROM model_version v JOIN model m ON m.id = v.model_id"""
_CONFIG_FIELDS = (
    "filter_threshold",
    "tensor_fields",
    "input_schema",
    "output_schema",
    "batch_config",
    "dynamic_batching_config",
    "continuous_batching_config",
    "queue_depth",
    "sidekick_uri",
    "openai",
)


async def config(call: Call) -> Answer:
    """What the SDK reads before it has a token: the architecture of uploads that name none."""
    return answered({"default_arch": "x86"})


async def model_version(call: Call, state: State) -> Answer:
    """One version with the newest of its configs."""
    number = fields.integer(fields.json_object(call), "model_version_id")
    return answered({"model_version": _configured(_known_version(number, state), state)})


async def model_config(call: Call, state: State) -> Answer:
    """The newest config of a version, which this operation calls `model_id`."""
    row = _known_version(fields.integer(fields.json_object(call), "model_id"), state)
    found = newest_config(row["id"], state)
    return answered(
        {"model_config": {key: found[key] for key in ("id", "runtime", "tensor_fields", "filter_threshold")}}
    )


async def add_model_config(call: Call, state: State) -> Answer:
    """A new config of a version; what the call leaves out is null."""
    body = fields.json_object(call)
    row = _known_version(fields.integer(body, "model_version_id"), state)
    names = fields.optional_list(body, "tensor_fields")
    if not all(isinstance(name, str) for name in names):
        raise bad_request("tensor_fields must be a list of strings.")
    given = {name: body.get(name) for name in _CONFIG_FIELDS} | {"openai": body.get("openai_config")}
    with state.store.transaction():
        state.store.add("model_config", version_id=row["id"], settings=orjson.dumps(given).decode())
    return answered({"model_config": newest_config(row["id"], state)})


async def models(call: Call, state: State) -> Answer:
    """The models of a workspace; from 2024.2 on with their versions and the workspace (recorded)."""
    workspace = _workspace(fields.json_object(call), state)
    rows = state.store.all("SELECT * FROM model WHERE workspace_id = ? ORDER BY id", workspace["id"])
    if not state.settings.profile.nested_models:
        return answered({"models": [_model(row, state) for row in rows]})
    return answered({"models": [_nested(row, workspace, state) for row in rows]})


async def model(call: Call, state: State) -> Answer:
    """One model with its versions, the newest first."""
    row = _known_model(call, state)
    workspace = state.store.one("SELECT id, name FROM workspace WHERE id = ?", row["workspace_id"])
    assert workspace is not None
    versions = [
        {
            "sha": version["sha"],
            "models_pk_id": row["id"],
            "model_version": version["version"],
            "owner_id": version["owner_id"],
            "model_id": row["name"],
            "id": version["id"],
            "file_name": version["file_name"],
            "image_path": None,
        }
        for version in state.store.all(f"{_VERSIONS} WHERE m.id = ? ORDER BY v.id DESC", row["id"])
    ]
    return answered(_model(row, state) | {"models": versions, "workspace": dict(workspace)})


async def model_by_id(call: Call, state: State) -> Answer:
    """One model with the newest config of its newest version."""
    row = _known_model(call, state)
    newest = state.store.one("SELECT max(id) AS id FROM model_version WHERE model_id = ?", row["id"])
    found = newest_config(newest["id"], state) if newest and newest["id"] else {}
    shown = {key: found.get(key) for key in ("id", "runtime", "tensor_fields", "filter_threshold")}
    return answered(_model(row, state) | {"workspace_id": row["workspace_id"], "model_config": shown})


async def pipelines(call: Call, state: State) -> Answer:
    """The pipelines of a workspace, or of all, the newest first."""
    body = fields.json_object(call)
    number, name = fields.optional_integer(body, "workspace_id"), fields.optional_text(body, "workspace_name")
    rows = state.store.all(
        """SELECT p.* FROM pipeline p JOIN workspace w ON w.id = p.workspace_id
           WHERE (? IS NULL OR w.id = ?) AND (? IS NULL OR w.name = ?) ORDER BY p.id DESC""",
        *(number, number, name, name),
    )
    return answered({"pipelines": [_pipeline(row, state) for row in rows]})


async def pipeline_by_name(call: Call, state: State) -> Answer:
    """One pipeline of a workspace."""
    body = fields.json_object(call)
    name, number = fields.text(body, "pipeline_name"), fields.optional_integer(body, "workspace_id")
    query = "SELECT * FROM pipeline WHERE name = ? AND (? IS NULL OR workspace_id = ?) ORDER BY id DESC"
    row = state.store.one(query, name, number, number)
    if row is None:
        raise RefusalError(404, "Pipeline not found")
    return answered(_pipeline(row, state))


async def pipeline_version(call: Call, state: State) -> Answer:
    """One version of a pipeline by its UUID."""
    version = fields.text(fields.json_object(call), "version")
    query = "SELECT p.name, v.* FROM variant v JOIN pipeline p ON p.id = v.pipeline_id WHERE v.version = ?"
    row = state.store.one(query, version)
    if row is None:
        raise bad_request("no pipeline has this version.")
    return answered({"pipeline_id": row["name"], "version": version, "definition": orjson.loads(row["definition"])})


async def topic(call: Call, state: State) -> Answer:
    """Where a pipeline's inferences are logged."""
    number = fields.integer(fields.json_object(call), "pipeline_pk_id")
    row = state.store.one("SELECT * FROM pipeline WHERE id = ?", number)
    if row is None:
        raise bad_request("the pipeline does not exist.")
    return answered({"topic_name": topic_of(row)})


async def users(call: Call, state: State) -> Answer:
    """Users by id: the one that this instance has, where it is asked for."""
    asked = fields.optional_list(fields.json_object(call), "user_ids")
    known = state.tokens.user
    return answered({"users": {known["id"]: known} if not asked or known["id"] in asked else {}})


async def workspace_users(call: Call, state: State) -> Answer:
    """The members of a workspace."""
    number = fields.integer(fields.json_object(call), "workspace_id")
    rows = state.store.all("SELECT user_id, user_type FROM workspace_users WHERE workspace_id = ?", number)
    return answered({"users": [dict(row) for row in rows]})


def newest_config(version_id: int, state: State) -> dict[str, Any]:
    """The config of a version that was added last, else the one that was made with it."""
    query = "SELECT * FROM model_config WHERE version_id = ? ORDER BY id DESC LIMIT 1"
    return shown_config(state.store.one(query, version_id), version_id)


def shown_config(row: Row | dict[str, Any] | None, version_id: int) -> dict[str, Any]:
    """A config as the API shows it; without a row, the one that was made with the version."""
    given = orjson.loads(row["settings"]) if row else {}
    head = {"id": row["id"] if row else version_id, "model_version_id": version_id, "runtime": "onnx"}
    return head | {name: given.get(name) for name in _CONFIG_FIELDS}


def created_on(state: State) -> str:
    """The version of the service that things are made on: the first of its release."""
    return f"{state.settings.profile.name}.0"


def topic_of(pipeline: Row) -> str:
    """The topic of a pipeline's inferences. Decided: this form; names of topics are not recorded."""
    return f"workspace-{pipeline['workspace_id']}-pipeline-{pipeline['name']}-inference"


def _known_version(number: int, state: State) -> Row:
    row = state.store.one(f"{_VERSIONS} WHERE v.id = ?", number)
    if row is None:
        raise RefusalError(400, "The provided model id was not found.")
    return row


def _known_model(call: Call, state: State) -> Row:
    row = state.store.one("SELECT * FROM model WHERE id = ?", fields.integer(fields.json_object(call), "id"))
    if row is None:
        raise RefusalError(400, "The provided model id was not found.")
    return row


def _workspace(body: fields.Body, state: State) -> Row:
    number, name = fields.optional_integer(body, "workspace_id"), fields.optional_text(body, "workspace_name")
    query = "SELECT * FROM workspace WHERE (? IS NULL OR id = ?) AND (? IS NULL OR name = ?)"
    row = state.store.one(query, number, number, name, name)
    if row is None or (number is None and name is None):
        raise bad_request("no such workspace; workspace_id or workspace_name must name one.")
    return row


def _model(row: Row, state: State) -> dict[str, Any]:
    query = "SELECT max(created_at) AS updated_at, owner_id FROM model_version WHERE model_id = ?"
    newest = state.store.one(query, row["id"])
    return {
        "id": row["id"],
        "name": row["name"],
        "owner_id": (newest["owner_id"] if newest else None) or '""',
        "created_at": row["created_at"],
        "updated_at": (newest["updated_at"] if newest else None) or row["created_at"],
    }


def _nested(row: Row, workspace: Row, state: State) -> dict[str, Any]:
    rows = state.store.all(f"{_VERSIONS} WHERE m.id = ? ORDER BY v.id DESC", row["id"])
    return {
        "model": _model(row, state) | {"workspace_id": row["workspace_id"]},
        "model_versions": [_configured(version, state) for version in rows],
        "workspace": _shown_workspace(workspace),
    }


def _configured(row: Row, state: State) -> dict[str, Any]:
    """A version and its config, as recorded."""
    path = state.store.model_path(row["sha"])
    version = {
        "name": row["name"],
        "visibility": row["visibility"],
        "workspace_id": row["workspace_id"],
        "conversion": orjson.loads(row["conversion"]) or {"framework": "onnx", "requirements": []},
        "id": row["id"],
        "image_path": None,
        "status": row["status"],
        "task_id": None,
        "file_info": {
            "version": row["version"],
            "sha": row["sha"],
            "file_name": row["file_name"],
            "size": path.stat().st_size if path.exists() else 0,
        },
        "created_on_version": created_on(state),
        "created_by": row["owner_id"],
        "created_at": row["created_at"],
        "deployed": bool(row["deployed"]),
        "error_summary": None if row["status"] == "ready" else "the model could not be loaded",
    }
    return {"model_version": version, "config": newest_config(row["id"], state)}


def _pipeline(row: Row, state: State) -> dict[str, Any]:
    workspace = state.store.one("SELECT * FROM workspace WHERE id = ?", row["workspace_id"])
    newest = state.store.one("SELECT * FROM variant WHERE pipeline_id = ? ORDER BY id DESC LIMIT 1", row["id"])
    assert workspace is not None
    return {
        "pipeline": {
            "id": row["id"],
            "name": row["name"],
            "created_at": row["created_at"],
            "updated_at": newest["created_at"] if newest else row["created_at"],
        },
        "pipeline_version": None,
        "deployment": None,
        "plateau_topic": topic_of(row),
        "workspace": _shown_workspace(workspace),
    }


def _shown_workspace(row: Row) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "name", "created_at", "created_by")}
    return shown | {"archived": False, "group_id": None}
