"""Faults of service: what is asked as it should be is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import Fault, question
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call, RefusalError
from conformance.emulator.world import Around, Step, World

KIND = "service"
_CREATE, _DEPLOY, _UNDEPLOY, _COPY = "pipelines.create", "pipelines.deploy", "pipelines.undeploy", "pipelines.copy"
_INFER, _STATUS, _URL = "pipelines.infer", "status.get-deployment", "admin.get-pipeline-external-url"
_UPLOAD, _VERSIONS = "models.upload-and-convert", "models.list-versions"
_LIVE = "SELECT id FROM deployment WHERE pipeline_id = ? AND stopped IS NULL"
_STOPPED = "SELECT id FROM deployment WHERE pipeline_id = ? AND stopped IS NOT NULL"
_STEPS = """SELECT 1 FROM variant WHERE pipeline_id = ? AND definition LIKE '%"steps":[{%'"""


def _refusing(applies: Callable[[dict[str, Any], World], Any], status: int = 400) -> Around:
    """Advice that refuses the calls whose body `applies` says so of, where they would have been served."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        body = question(call)
        return RefusalError(status, "Bad request: not so").answer() if applies(body, world) else await proceed(call)

    return around


def _row(query: str, body: Mapping[str, Any], world: World, field: str = "pipeline_id") -> Any:
    value = body.get(field)
    return world.store.one(query, value) if isinstance(value, int) else None


def _is_taken(body: dict[str, Any], world: World) -> bool:
    query = "SELECT 1 FROM pipeline WHERE workspace_id = ? AND name = ?"
    name, workspace = body.get("pipeline_id"), body.get("workspace_id")
    known = isinstance(name, str) and isinstance(workspace, int)
    return known and world.store.one(query, workspace, name) is not None


def _is_older(body: dict[str, Any], world: World) -> bool:
    query = "SELECT 1 FROM variant WHERE pipeline_id = ? AND id > ?"
    variant = body.get("pipeline_version_pk_id")
    pipeline = body.get("pipeline_id")
    known = isinstance(variant, int) and isinstance(pipeline, int)
    return known and world.store.one(query, pipeline, variant) is not None


async def _remembering_copies(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    if answer.status == 200:
        world.memory.setdefault("copies", set()).add(answer.json["pipeline_pk_id"])
    return answer


def _is_copy(field: str) -> Callable[[dict[str, Any], World], bool]:
    return lambda body, world: body.get(field) in world.memory.get("copies", ())


async def _a_copy_is_not_copied(call: Call, proceed: Step, world: World) -> Answer:
    if _is_copy("source_pipeline")(question(call), world):
        return RefusalError(400, "Bad request: a copy cannot be copied").answer()
    return await _remembering_copies(call, proceed, world)


def _deployed_thrice(body: dict[str, Any], world: World) -> bool:
    """Whether this deployment was deployed twice already."""
    row = _row(_LIVE, body, world)
    key = f"deployed-{row['id'] if row else None}"
    world.memory[key] = world.memory.get(key, 0) + 1
    return row is not None and world.memory[key] > 1


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
    again, world.memory[answer.body] = world.memory.get(answer.body, False), True
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


def _serving_not(applies: Callable[[Call], bool]) -> Around:
    """Advice that refuses rows that a running deployment would have served."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        deployment = by_name(world, call.parameters.get("deployment", ""))
        runs = deployment is not None and deployment.phase(world) == "running"
        return Answer(400, media_type="") if runs and applies(call) else await proceed(call)

    return around


def _accepts_another_form(call: Call) -> bool:
    accepted = call.headers.get("accept", "*/*").split(";")[0].strip()
    return accepted in (JSON, ARROW_FILE) and accepted != call.media_type


def _fault(fault_id: str, operation: str, slug: str, sentence: str, around: Around, *others: str) -> Fault:
    return Fault(fault_id, (f"{operation}.{slug}", *others), KIND, sentence, {operation: around})


def _without(name: str, operation: str, slug: str, sentence: str, field: str, *others: str) -> Fault:
    return _fault(name, operation, slug, sentence, _refusing(lambda body, world: body.get(field)), *others)


def _general(fault_id: str, operation: str, sentence: str, around: Around) -> Fault:
    return _fault(fault_id, operation, "serves-valid-requests", sentence, around)


FAULTS = (
    _general("create-of-a-known-name-is-refused", _CREATE, "A name that exists is refused.", _refusing(_is_taken)),
    _general(
        "deploy-a-third-time-is-refused",
        _DEPLOY,
        "What was deployed twice is not deployed again.",
        _refusing(_deployed_thrice),
    ),
    _general(
        "undeploy-by-both-ids-is-refused",
        _UNDEPLOY,
        "An undeploy that names pipeline and deployment is refused.",
        _refusing(lambda body, world: all(body.get(name) is not None for name in ("pipeline_id", "deployment_id"))),
    ),
    _general(
        "infer-answers-in-its-own-form-only",
        _INFER,
        "Rows whose sender accepts another form than theirs are refused.",
        _serving_not(_accepts_another_form),
    ),
    _general("status-fails-once-running", _STATUS, "A status that was Running is a 500 after.", _fails_once_running),
    _general("url-is-told-once", _URL, "The URL of a deployment is told once.", _told_once),
    _general("upload-of-known-bytes-is-refused", _UPLOAD, "A model's file is not taken twice.", _same_bytes_are_refused),
    _general(
        "list-versions-by-key-is-refused",
        _VERSIONS,
        "Versions are not listed by their model's key alone.",
        _refusing(lambda body, world: body.get("models_pk_id") is not None and body.get("model_id") is None),
    ),
    _general("two-workspaces-and-no-more", "workspaces.create", "A third workspace is refused.", _two_workspaces),
    _general("no-list-of-workspaces", "workspaces.list", "Workspaces are not listed once one is made.", _no_list_once_made),
    _fault(
        "create-refuses-an-empty-definition",
        _CREATE,
        "takes-an-empty-definition",
        "The definition {} is refused.",
        _refusing(lambda body, world: body.get("definition") == {}),
    ),
    _without(
        "create-refuses-model-steps", _CREATE, "takes-model-steps", "A definition with anything in it is refused.",
        "definition",
    ),
    _fault(
        "create-requires-a-definition",
        _CREATE,
        "takes-no-definition",
        "A pipeline without a definition is refused.",
        _refusing(lambda body, world: body.get("definition") is None),
    ),
    _fault(
        "create-refuses-63-characters",
        _CREATE,
        "takes-names-of-63-characters",
        "A name of 63 characters is refused.",
        _refusing(lambda body, world: len(str(body.get("pipeline_id"))) == 63),
    ),
    _without("deploy-refuses-models", _DEPLOY, "takes-models", "A deploy by models is refused.", "models"),
    _without("deploy-refuses-model-ids", _DEPLOY, "takes-model-ids", "A deploy by model_ids is refused.", "model_ids"),
    _without(
        "deploy-refuses-model-configs", _DEPLOY, "takes-model-configs", "A deploy by model_configs is refused.",
        "model_configs",
    ),
    _without(
        "deploy-refuses-an-engine-config", _DEPLOY, "takes-an-engine-config",
        "A deploy that has an engine_config is refused.", "engine_config",
        f"{_DEPLOY}.reads-engine-config-as-an-object",
    ),
    _fault(
        "deploy-refuses-an-empty-pipeline",
        _DEPLOY,
        "takes-an-empty-pipeline",
        "A pipeline without steps is not deployed.",
        _refusing(lambda body, world: _row(_STEPS, body, world) is None),
    ),
    _fault(
        "deploy-refuses-an-older-version",
        _DEPLOY,
        "takes-an-older-version",
        "Nothing but a pipeline's newest version is deployed.",
        _refusing(_is_older),
    ),
    Fault(
        "deploy-refuses-a-copy",
        (f"{_DEPLOY}.takes-a-copy",),
        KIND,
        "A copy is not deployed.",
        {_COPY: _remembering_copies, _DEPLOY: _refusing(_is_copy("pipeline_id"))},
    ),
    _fault(
        "deploy-refuses-what-was-undeployed",
        _DEPLOY,
        "takes-what-was-undeployed",
        "A pipeline that was undeployed is not deployed again.",
        _refusing(lambda body, world: _row(_STOPPED, body, world) and not _row(_LIVE, body, world)),
    ),
    _fault(
        "infer-refuses-pandas-records",
        _INFER,
        "takes-pandas-records",
        "Rows declared as pandas records are refused.",
        _serving_not(lambda call: call.media_type == JSON),
    ),
    _fault(
        "infer-refuses-arrow-files",
        _INFER,
        "takes-arrow-files",
        "Rows in an Arrow file are refused.",
        _serving_not(lambda call: call.media_type == ARROW_FILE),
    ),
    _fault("copy-refuses-a-copy", _COPY, "takes-a-copy", "A copy is not copied.", _a_copy_is_not_copied),
    _without(
        "copy-refuses-a-version", _COPY, "takes-a-version-to-copy", "A copy of a given version is refused.",
        "pipeline_version",
    ),
    _without(
        "copy-refuses-to-deploy", _COPY, "takes-a-deployment-to-make", "A copy that is to be deployed is refused.",
        "deploy",
    ),
    _without(
        "copy-refuses-an-engine-config", _COPY, "takes-an-engine-config", "A copy with an engine_config is refused.",
        "engine_config",
    ),
)  # fmt: skip
