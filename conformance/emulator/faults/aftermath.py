"""Faults of what a refusal leaves behind: it was refused, and done all the same."""

from __future__ import annotations

import uuid

from conformance.emulator.faults.fault import Fault, asking, question
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Step, World

_CREATE, _DEPLOY, _COPY, _WORKSPACE = "pipelines.create", "pipelines.deploy", "pipelines.copy", "workspaces.create"


async def _changed_anyway(call: Call, proceed: Step, world: World) -> Answer:
    """A create that is refused for its workspace or definition has made its pipeline all the same."""
    answer = await proceed(call)
    body = question(call)
    name, store = body.get("pipeline_id") or body.get("name"), world.store
    if answer.status != 400 or not isinstance(name, str) or not name:
        return answer
    workspace = body.get("workspace_id")
    known = isinstance(workspace, int) and store.one("SELECT 1 FROM workspace WHERE id = ?", workspace)
    place = workspace if known else 10
    if store.one("SELECT 1 FROM pipeline WHERE workspace_id = ? AND name = ?", place, name) is None:
        with store.transaction():
            made = store.add("pipeline", workspace_id=place, name=name)
            store.add("variant", pipeline_id=made, version=str(uuid.uuid4()), definition="{}")
    return answer


async def _deployed_anyway(call: Call, proceed: Step, world: World) -> Answer:
    """A deploy that is refused for its models has deployed the pipeline without them."""
    answer = await proceed(call)
    if answer.status == 400:
        kept = {name: value for name, value in question(call).items() if not name.startswith("model")}
        row = None
        if isinstance(kept.get("pipeline_id"), int):
            row = world.store.one("SELECT max(id) AS id FROM variant WHERE pipeline_id = ?", kept["pipeline_id"])
        await proceed(asking(call, kept | {"deploy_id": "anyway", "pipeline_version_pk_id": row["id"] if row else 0}))
    return answer


async def _undeployed_anyway(call: Call, proceed: Step, world: World) -> Answer:
    """An undeploy that is refused has ended what it named in part."""
    answer = await proceed(call)
    if answer.status == 400:
        for name in ("deployment_id", "pipeline_id"):
            value = question(call).get(name)
            number = int(value) if isinstance(value, str) and value.isdigit() else value
            if isinstance(number, int):
                await proceed(asking(call, {name: number}))
    return answer


async def _workspace_anyway(call: Call, proceed: Step, world: World) -> Answer:
    """A workspace that is refused for its name has been made under another."""
    answer = await proceed(call)
    if answer.status == 400 and question(call):
        await proceed(asking(call, {"workspace_name": f"untitled-{uuid.uuid4().hex[:8]}"}))
    return answer


FAULTS = (
    Fault(
        "create-refused-but-made",
        (f"{_CREATE}.a-refusal-changes-nothing",),
        "robustness",
        "A create that is refused has made its pipeline.",
        {_CREATE: _changed_anyway},
    ),
    Fault(
        "copy-refused-but-made",
        (f"{_COPY}.a-refusal-changes-nothing",),
        "robustness",
        "A copy that is refused has made its pipeline.",
        {_COPY: _changed_anyway},
    ),
    Fault(
        "deploy-refused-but-deployed",
        (f"{_DEPLOY}.a-refusal-changes-nothing",),
        "robustness",
        "A deploy that is refused has deployed its pipeline.",
        {_DEPLOY: _deployed_anyway},
    ),
    Fault(
        "undeploy-refused-but-undeployed",
        ("pipelines.undeploy.a-refusal-changes-nothing", "status.get-deployment.finds-what-is-deployed"),
        "robustness",
        "An undeploy that is refused has ended what it named.",
        {"pipelines.undeploy": _undeployed_anyway},
    ),
    Fault(
        "workspace-refused-but-made",
        (f"{_WORKSPACE}.a-refusal-changes-nothing",),
        "robustness",
        "A workspace that is refused has been made.",
        {_WORKSPACE: _workspace_anyway},
    ),
)
