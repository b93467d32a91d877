"""Faults of form: one of the ways in which an operation may be asked is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.emulator.faults.fault import Fault, question
from conformance.emulator.faults.service import KIND, LIVE, is_older, refusing_rows, refusing_where, row_of
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call, RefusalError
from conformance.emulator.world import Around, Step, World

_CREATE, _DEPLOY, _COPY, _INFER = "pipelines.create", "pipelines.deploy", "pipelines.copy", "pipelines.infer"
_STOPPED = "SELECT id FROM deployment WHERE pipeline_id = ? AND stopped IS NOT NULL"
_STEPS = """SELECT 1 FROM variant WHERE pipeline_id = ? AND definition LIKE '%"steps":[{%'"""


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


def _fault(fault_id: str, operation: str, slug: str, sentence: str, around: Around, *others: str) -> Fault:
    return Fault(fault_id, (f"{operation}.{slug}", *others), KIND, sentence, {operation: around})


def _without(name: str, operation: str, slug: str, sentence: str, field: str, *others: str) -> Fault:
    return _fault(name, operation, slug, sentence, refusing_where(lambda body, world: body.get(field)), *others)


FAULTS = (
    _fault(
        "create-refuses-an-empty-definition",
        _CREATE,
        "takes-an-empty-definition",
        "The definition {} is refused.",
        refusing_where(lambda body, world: body.get("definition") == {}),
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
        refusing_where(lambda body, world: body.get("definition") is None),
    ),
    _fault(
        "create-refuses-63-characters",
        _CREATE,
        "takes-names-of-63-characters",
        "A name of 63 characters is refused.",
        refusing_where(lambda body, world: len(str(body.get("pipeline_id"))) == 63),
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
        refusing_where(lambda body, world: row_of(_STEPS, body, world) is None),
    ),
    _fault(
        "deploy-refuses-an-older-version",
        _DEPLOY,
        "takes-an-older-version",
        "Nothing but a pipeline's newest version is deployed.",
        refusing_where(is_older),
    ),
    Fault(
        "deploy-refuses-a-copy",
        (f"{_DEPLOY}.takes-a-copy",),
        KIND,
        "A copy is not deployed.",
        {_COPY: _remembering_copies, _DEPLOY: refusing_where(_is_copy("pipeline_id"))},
    ),
    _fault(
        "deploy-refuses-what-was-undeployed",
        _DEPLOY,
        "takes-what-was-undeployed",
        "A pipeline that was undeployed is not deployed again.",
        refusing_where(lambda body, world: row_of(_STOPPED, body, world) and not row_of(LIVE, body, world)),
    ),
    _fault(
        "infer-refuses-pandas-records",
        _INFER,
        "takes-pandas-records",
        "Rows declared as pandas records are refused.",
        refusing_rows(lambda call: call.media_type == JSON),
    ),
    _fault(
        "infer-refuses-arrow-files",
        _INFER,
        "takes-arrow-files",
        "Rows in an Arrow file are refused.",
        refusing_rows(lambda call: call.media_type == ARROW_FILE),
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
