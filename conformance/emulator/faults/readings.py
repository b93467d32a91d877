"""Faults of reading: where the tutorial contradicts itself, the other reading is followed."""

from __future__ import annotations

import orjson

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import Fault, asking, question, succeeding, with_json
from conformance.emulator.wire import Answer, Call, RefusalError
from conformance.emulator.world import Step, World

KIND = "contradictions"
_STATUS, _URL = "status.get-deployment", "admin.get-pipeline-external-url"


async def _by_id(call: Call, proceed: Step, world: World) -> Answer:
    """A deployment is found by `id` too, as the table of parameters has it."""
    body = question(call)
    return await proceed(asking(call, {"name": body["id"]}) if "id" in body and "name" not in body else call)


async def _definition_in_a_text(call: Call, proceed: Step, world: World) -> Answer:
    body = question(call)
    try:
        read = orjson.loads(body["definition"]) if isinstance(body.get("definition"), str) else None
    except ValueError:
        read = None
    return await proceed(call if read is None else asking(call, body | {"definition": read}))


async def _numbered(call: Call, proceed: Step, world: World) -> Answer:
    """Versions of models are called by their numbers."""
    answer = await proceed(call)
    world.store.execute("UPDATE model_version SET version = CAST(id AS TEXT)")
    return answer


async def _by_deployment(call: Call, proceed: Step, world: World) -> Answer:
    """The URL is found by the deployment's name too."""
    body = question(call)
    query = """SELECT p.name FROM deployment_name n JOIN deployment d ON d.id = n.deployment_id
        JOIN pipeline p ON p.id = d.pipeline_id WHERE n.name = ? AND p.workspace_id = ? AND d.stopped IS NULL"""
    name, workspace = body.get("pipeline_name"), body.get("workspace_id")
    answer = await proceed(call)
    if answer.status != 404 or not isinstance(name, str) or not isinstance(workspace, int):
        return answer
    row = world.store.one(query, name, workspace)
    return await proceed(asking(call, body | {"pipeline_name": row["name"]})) if row else answer


async def _told_with_what_was_asked(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    return with_json(answer, question(call) | answer.json) if answer.status == 200 else answer


async def _gone_is_410(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    was = by_name(world, str(question(call).get("name"))) if answer.status == 404 else None
    return RefusalError(410, "The deployment is stopped").answer() if was else answer


FAULTS = (
    Fault(
        "status-is-asked-by-id",
        (f"{_STATUS}.reads-name-rather-than-id",),
        KIND,
        "A deployment is found by id as well as by name.",
        {_STATUS: _by_id},
    ),
    Fault(
        "create-takes-a-text-for-a-definition",
        ("pipelines.create.reads-the-definition-as-an-object",),
        KIND,
        "A definition may be JSON inside a string.",
        {"pipelines.create": _definition_in_a_text},
    ),
    Fault(
        "versions-are-numbers",
        ("pipelines.create.names-model-versions-by-uuid",),
        KIND,
        "Versions of models are called by numbers.",
        {"models.upload-and-convert": _numbered},
    ),
    Fault(
        "copy-repeats-its-parameters",
        ("pipelines.copy.takes-what-stands-under-returns",),
        KIND,
        "A copy's answer holds the fields that were sent.",
        {"pipelines.copy": _told_with_what_was_asked},
    ),
    Fault(
        "url-by-the-deployments-name",
        (f"{_URL}.is-asked-by-the-pipelines-name",),
        KIND,
        "The URL is found by the deployment's name as well.",
        {_URL: _by_deployment},
    ),
    Fault(
        "status-details-are-objects",
        (f"{_STATUS}.lists-the-details", f"{_STATUS}.lists-details-as-texts"),
        KIND,
        "The details of a status are objects.",
        {_STATUS: succeeding(lambda body: body | {"details": [{"reason": "Scaling"}]})},
    ),
    Fault(
        "status-of-the-gone-is-410",
        (f"{_STATUS}.ends-in-404-after-undeploy", f"{_STATUS}.is-404-once-gone"),
        KIND,
        "The status of what was undeployed is a 410.",
        {_STATUS: _gone_is_410},
    ),
)
