"""Faults between calls: what one call says, another contradicts."""

from __future__ import annotations

import hashlib
from typing import Any

from conformance.emulator import inference
from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import Fault, asking, hand_out, honoured, question, succeeding, with_json
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Around, Step, World

KIND = "relations"
_OTHER_SHA = hashlib.sha256(b"something else").hexdigest()
_INFER, _VERSIONS, _WORKSPACES = "pipelines.infer", "models.list-versions", "workspaces.list"


async def _serve_what_is_gone(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    deployment = by_name(world, call.parameters.get("deployment", "")) if answer.status == 404 else None
    if deployment is None or deployment.pipeline != call.parameters["pipeline"]:
        return answer
    return await inference.serve(call, world, deployment)


def _aliased(kind: str, field: str) -> Around:
    """Advice that gives every second thing made the id of the first."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.status // 100 != 2:
            return answer
        first = world.memory.setdefault(kind, answer.json[field])
        return with_json(answer, answer.json | {field: first})

    return around


async def _first_upload(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    first: Answer = world.memory.setdefault("upload", answer) if answer.status == 202 else answer
    return first


async def _same_name_elsewhere(call: Call, proceed: Step, world: World) -> Answer:
    """A name leads to the pipeline that had it first, in whichever workspace."""
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    row = world.store.one("SELECT min(id) AS id FROM pipeline WHERE name = ?", question(call)["pipeline_id"])
    return _under(answer, row["id"], world) if row and row["id"] != answer.json["pipeline_pk_id"] else answer


def _under(answer: Answer, pipeline_id: int, world: World) -> Answer:
    """The answer of a create under another pipeline's id."""
    body, variant = answer.json, answer.json["pipeline_variant_pk_id"]
    hand_out(world, (pipeline_id, variant), (body["pipeline_pk_id"], variant))
    return with_json(answer, body | {"pipeline_pk_id": pipeline_id})


async def _name_is_not_enough(call: Call, proceed: Step, world: World) -> Answer:
    """Pipelines without steps share one id in a workspace, whatever they are called."""
    answer = await proceed(call)
    body = question(call)
    if answer.status != 200 or body.get("definition"):
        return answer
    first = world.memory.setdefault(f"empty-{body['workspace_id']}", answer.json["pipeline_pk_id"])
    return _under(answer, first, world)


async def _known_everywhere(call: Call, proceed: Step, world: World) -> Answer:
    """A pipeline's URL is told under any workspace."""
    answer = await proceed(call)
    body = question(call)
    query = "SELECT workspace_id FROM pipeline WHERE name = ?"
    row = world.store.one(query, body.get("pipeline_name")) if answer.status == 404 else None
    return await proceed(asking(call, body | {"workspace_id": row["workspace_id"]})) if row else answer


def _url(alter: Any) -> dict[str, Around]:
    return {"admin.get-pipeline-external-url": succeeding(lambda body: {"url": alter(body["url"])})}


def _next_deployment(url: str) -> str:
    head, deployment, pipeline = url.rsplit("/", 2)
    name, _, number = deployment.rpartition("-")
    return f"{head}/{name}-{int(number) + 1}/{pipeline}"


async def _newest_version_always(call: Call, proceed: Step, world: World) -> Answer:
    """The newest version of the pipeline is deployed, whichever was asked for."""
    body = question(call)
    row = None
    if isinstance(body.get("pipeline_id"), int) and isinstance(body.get("pipeline_version_pk_id"), int):
        query = "SELECT max(id) AS id FROM variant WHERE pipeline_id = ? HAVING max(id) > ?"
        row = world.store.one(query, body["pipeline_id"], body["pipeline_version_pk_id"])
    if row is None:
        return await proceed(call)
    given = {name: value for name, value in body.items() if name not in ("models", "model_ids", "model_configs")}
    return await proceed(asking(call, given | {"pipeline_version_pk_id": row["id"]}))


FAULTS = (
    Fault(
        "infer-after-undeploy",
        (f"{_INFER}.refused-once-undeployed",),
        KIND,
        "Inference is still answered after undeploy, when status is 404 already.",
        {_INFER: _serve_what_is_gone},
    ),
    Fault(
        "upload-gives-one-id",
        ("models.upload-and-convert.each-upload-is-a-new-version",),
        KIND,
        "Every upload is answered by the id of the first.",
        {"models.upload-and-convert": _first_upload},
    ),
    Fault(
        "workspaces-share-an-id",
        ("workspaces.create.each-workspace-has-its-own-id",),
        KIND,
        "Every new workspace gets the id of the first.",
        {"workspaces.create": _aliased("workspace", "workspace_id")},
    ),
    Fault(
        "empty-pipelines-share-an-id",
        ("pipelines.create.another-name-is-another-pipeline",),
        KIND,
        "Pipelines without steps share one id, whatever their names.",
        {"pipelines.create": _name_is_not_enough, "pipelines.deploy": honoured},
    ),
    Fault(
        "names-are-shared-between-workspaces",
        ("pipelines.create.the-same-name-elsewhere-is-another-pipeline",),
        KIND,
        "A name that another workspace had first leads to that one's pipeline.",
        {"pipelines.create": _same_name_elsewhere, "pipelines.deploy": honoured},
    ),
    Fault(
        "url-of-another-deployment",
        ("admin.get-pipeline-external-url.names-deployment-and-pipeline",),
        KIND,
        "The external URL names the deployment after the pipeline's own.",
        _url(_next_deployment),
    ),
    Fault(
        "url-without-the-pipeline",
        ("admin.get-pipeline-external-url.names-deployment-and-pipeline",),
        "regressions",
        "The external URL lacks its last segment, as before 2023-04.",
        _url(lambda url: url.rsplit("/", 1)[0]),
    ),
    Fault(
        "url-on-another-host",
        ("admin.get-pipeline-external-url.is-on-the-targets-host",),
        KIND,
        "The external URL is on a host that nobody asked.",
        _url(lambda url: "http://inference.invalid/" + url.split("/", 3)[3]),
    ),
    Fault(
        "url-without-a-host",
        ("admin.get-pipeline-external-url.is-a-whole-url",),
        KIND,
        "The external URL is a path.",
        _url(lambda url: "/" + url.split("/", 3)[3]),
    ),
    Fault(
        "url-for-any-workspace",
        ("admin.get-pipeline-external-url.keeps-to-its-workspace",),
        KIND,
        "A pipeline's URL is told under a workspace that it is not in.",
        {"admin.get-pipeline-external-url": _known_everywhere},
    ),
    Fault(
        "deploy-takes-the-newest",
        ("pipelines.deploy.serves-the-version-deployed",),
        KIND,
        "The newest version of a pipeline is deployed, whichever was asked for.",
        {"pipelines.deploy": _newest_version_always},
    ),
)
