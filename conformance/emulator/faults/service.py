"""Faults of service: what an operation promises in general is refused in a case that no narrower promise is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import Fault, question
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call, RefusalError
from conformance.emulator.world import Around, Step, World

KIND = "service"
_CREATE, _DEPLOY, _UNDEPLOY = "pipelines.create", "pipelines.deploy", "pipelines.undeploy"
_INFER, _STATUS, _URL = "pipelines.infer", "status.get-deployment", "admin.get-pipeline-external-url"
_UPLOAD, _VERSIONS = "models.upload-and-convert", "models.list-versions"
LIVE = "SELECT id FROM deployment WHERE pipeline_id = ? AND stopped IS NULL"


def refusing_where(applies: Callable[[dict[str, Any], World], Any], status: int = 400) -> Around:
    """Advice that refuses the calls whose body `applies` says so of, where they would have been served."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        body = question(call)
        return RefusalError(status, "Bad request: not so").answer() if applies(body, world) else await proceed(call)

    return around


def row_of(query: str, body: Mapping[str, Any], world: World, field: str = "pipeline_id") -> Any:
    value = body.get(field)
    return world.store.one(query, value) if isinstance(value, int) else None


def is_older(body: dict[str, Any], world: World) -> bool:
    query = "SELECT 1 FROM variant WHERE pipeline_id = ? AND id > ?"
    variant = body.get("pipeline_version_pk_id")
    pipeline = body.get("pipeline_id")
    known = isinstance(variant, int) and isinstance(pipeline, int)
    return known and world.store.one(query, pipeline, variant) is not None


def refusing_rows(applies: Callable[[Call], bool]) -> Around:
    """Advice that refuses rows that a running deployment would have served."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        deployment = by_name(world, call.parameters.get("deployment", ""))
        runs = deployment is not None and deployment.phase(world) == "running"
        return Answer(400, media_type="") if runs and applies(call) else await proceed(call)

    return around


def _is_taken(body: dict[str, Any], world: World) -> bool:
    query = "SELECT 1 FROM pipeline WHERE workspace_id = ? AND name = ?"
    name, workspace = body.get("pipeline_id"), body.get("workspace_id")
    known = isinstance(name, str) and isinstance(workspace, int)
    return known and world.store.one(query, workspace, name) is not None


def _deployed_again(body: dict[str, Any], world: World) -> bool:
    """Whether this names models for the newest version of what is deployed, and nothing else."""
    again = bool(body.get("models")) and body.get("engine_config") is None and not is_older(body, world)
    return again and row_of(LIVE, body, world) is not None


async def _fails_once_running(call: Call, proceed: Step, world: World) -> Answer:
    """Who was told that a deployment runs is told no more of it."""
    answer = await proceed(call)
    if answer.status != 200 or answer.json["status"] != "Running":
        return answer
    key = f"told-{question(call)['name']}"
    again, world.memory[key] = world.memory.get(key, False), True
    return RefusalError(500, "Internal Server Error: asked before").answer() if again else answer


async def _told_once(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    key = f"told-{answer.body!r}"
    again, world.memory[key] = world.memory.get(key, False), True
    return RefusalError(400, "Bad request: asked before").answer() if again else answer


async def _same_bytes_are_refused(call: Call, proceed: Step, world: World) -> Answer:
    """A file that a model's name has already is refused."""
    answer = await proceed(call)
    if answer.status != 202:
        return answer
    made = answer.json["insert_models"]["returning"][0]["models"][0]["id"]
    query = """SELECT 1 FROM model_version a JOIN model_version b ON a.model_id = b.model_id AND a.sha = b.sha
        WHERE a.id = ? AND b.id < a.id"""
    if world.store.one(query, made) is None:
        return answer
    world.store.execute("DELETE FROM model_version WHERE id = ?", made)
    return RefusalError(400, "Bad request: the model has this file already").answer()


async def _two_workspaces(call: Call, proceed: Step, world: World) -> Answer:
    row = world.store.one("SELECT count(*) AS made FROM workspace")
    if row is not None and row["made"] > 2:
        return RefusalError(400, "Bad request: no more workspaces").answer()
    return await proceed(call)


async def _no_list_once_made(call: Call, proceed: Step, world: World) -> Answer:
    row = world.store.one("SELECT count(*) AS made FROM workspace")
    if row is not None and row["made"] > 1:
        return RefusalError(500, "Internal Server Error").answer()
    return await proceed(call)


def _accepts_another_form(call: Call) -> bool:
    accepted = call.headers.get("accept", "*/*").split(";")[0].strip()
    return accepted in (JSON, ARROW_FILE) and accepted != call.media_type


def _general(fault_id: str, operation: str, sentence: str, around: Around) -> Fault:
    return Fault(fault_id, (f"{operation}.serves-valid-requests",), KIND, sentence, {operation: around})


FAULTS = (
    _general("create-of-a-known-name-is-refused", _CREATE, "A name that exists is refused.", refusing_where(_is_taken)),
    _general(
        "deploy-again-by-models-is-refused",
        _DEPLOY,
        "What is deployed is not deployed again by its models.",
        refusing_where(_deployed_again),
    ),
    _general(
        "undeploy-by-both-ids-is-refused",
        _UNDEPLOY,
        "An undeploy that names pipeline and deployment is refused.",
        refusing_where(
            lambda body, world: all(body.get(name) is not None for name in ("pipeline_id", "deployment_id"))
        ),
    ),
    _general(
        "infer-answers-in-its-own-form-only",
        _INFER,
        "Rows whose sender accepts another form than theirs are refused.",
        refusing_rows(_accepts_another_form),
    ),
    _general("status-fails-once-running", _STATUS, "A status that was Running is a 500 after.", _fails_once_running),
    _general("url-is-told-once", _URL, "The URL of a deployment is told once.", _told_once),
    _general("upload-of-known-bytes-is-refused", _UPLOAD, "A file is not taken twice.", _same_bytes_are_refused),
    _general(
        "list-versions-by-key-is-refused",
        _VERSIONS,
        "Versions are not listed by their model's key alone.",
        refusing_where(lambda body, world: body.get("models_pk_id") is not None and body.get("model_id") is None),
    ),
    _general("two-workspaces-and-no-more", "workspaces.create", "A third workspace is refused.", _two_workspaces),
    _general("no-list-of-workspaces", "workspaces.list", "No list once one is made.", _no_list_once_made),
)
