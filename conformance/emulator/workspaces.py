"""Workspaces: create and list."""

from __future__ import annotations

from typing import Any

from conformance.emulator import fields
from conformance.emulator.state import State
from conformance.emulator.store import timestamp
from conformance.emulator.wire import Answer, Call, answered, bad_request


async def create(call: Call, state: State) -> Answer:
    """A new workspace. A name that is taken is refused (decided: the real service's answer is not recorded)."""
    name = fields.new_name(fields.json_object(call), "workspace_name", state.settings.limits.name_characters)
    with state.store.transaction():
        if state.store.one("SELECT 1 FROM workspace WHERE name = ?", name):
            raise bad_request("a workspace of that name exists.")
        made = state.store.add("workspace", name=name, created_at=timestamp(), created_by=call.user)
        state.store.add("workspace_users", workspace_id=made, user_id=call.user, user_type="OWNER")
    return answered({"workspace_id": made})


async def list_all(call: Call, state: State) -> Answer:
    """Every workspace, or those that `user_id` made, with the ids of their models and pipelines."""
    user = fields.optional_text(fields.json_object(call), "user_id")
    rows = state.store.all("SELECT * FROM workspace WHERE ? IS NULL OR created_by = ? ORDER BY id", user, user)
    models = _ids_by_workspace(state, "model")
    pipelines = _ids_by_workspace(state, "pipeline")
    return answered(
        {
            "workspaces": [
                {
                    "id": row["id"],
                    "name": row["name"],
                    "created_at": row["created_at"],
                    "created_by": row["created_by"],
                    "archived": False,
                    "models": models.get(row["id"], []),
                    "pipelines": pipelines.get(row["id"], []),
                }
                for row in rows
            ]
        }
    )


def _ids_by_workspace(state: State, table: str) -> dict[int, list[int]]:
    found: dict[int, list[Any]] = {}
    for row in state.store.all(f"SELECT id, workspace_id FROM {table} ORDER BY id"):  # noqa: S608 - ours
        found.setdefault(row["workspace_id"], []).append(row["id"])
    return found
