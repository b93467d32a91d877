"""Which models a deployment runs: those of its definition's steps, or those given with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from conformance.emulator import fields
from conformance.emulator.state import State
from conformance.emulator.wire import bad_request

MODEL_STEP = "ModelInference"


def checked(definition: fields.Body) -> fields.Body:
    """The definition, once its steps, if it has any, are in the documented shape."""
    for step in _steps(definition):
        if not isinstance(step, dict):
            raise bad_request("definition.steps must be a list of objects.")
        if MODEL_STEP in step:
            for model in _models(fields.mapping(step, MODEL_STEP)):
                for name in ("name", "version", "sha"):
                    fields.text(model, name)
    return definition


def step_models(definition: fields.Body) -> list[fields.Body]:
    """The first model of each step, in order: name, version and sha.

    Refuses, at deployment, a definition with a step of another kind, which this instance cannot run (decided).
    """
    found = []
    for step in _steps(definition):
        named = _models(step[MODEL_STEP]) if MODEL_STEP in step else []
        if not named:
            raise bad_request("the pipeline has a step that is no ModelInference step with a model.")
        found.append(named[0])
    return found


def _steps(definition: fields.Body) -> list[Any]:
    return fields.list_of(definition, "steps") if "steps" in definition else []


def _models(step: fields.Body) -> list[fields.Body]:
    named = fields.list_of(step, "models")
    if not all(isinstance(model, dict) for model in named):
        raise bad_request("models must be a list of objects with name, version and sha.")
    return named


@dataclass(frozen=True)
class Model:
    """A model version as a deployment serves it. `id` is the version's, `sha` of its bytes."""

    id: int
    name: str
    version: str
    sha: str
    status: str


@dataclass(frozen=True)
class Wanted:
    """What a deployment is asked for: a name, a pipeline, one of its versions, and the ids of model versions."""

    deploy_id: str
    pipeline_id: int
    variant_id: int
    given: tuple[int, ...] = ()
    engine_config: fields.Body | None = None


_VERSION_IN_WORKSPACE = """SELECT v.id, v.version, v.sha, v.status, m.name FROM model_version v
    JOIN model m ON m.id = v.model_id JOIN pipeline p ON p.workspace_id = m.workspace_id WHERE p.id = ?"""


def given_models(body: fields.Body, pipeline_id: int, state: State) -> tuple[int, ...]:
    """Ids of the model versions that the three fields name; each must lie in the pipeline's workspace.

    Decided: each model version has a model config, made with it, whose id is the version's own; later configs of it
    have ids that no version has.
    """
    given = [_named_model(item, pipeline_id, state) for item in fields.optional_list(body, "models")]
    for field in ("model_ids", "model_configs"):
        for number in fields.integers(body, field):
            version_id = _version_of_config(number, state) if field == "model_configs" else number
            if state.store.one(f"{_VERSION_IN_WORKSPACE} AND v.id = ?", pipeline_id, version_id) is None:
                raise bad_request(f"{field} names an id that the pipeline's workspace does not have.")
            given.append(version_id)
    return tuple(dict.fromkeys(given))


def _version_of_config(number: int, state: State) -> int:
    row = state.store.one("SELECT version_id FROM model_config WHERE id = ?", number)
    return int(row["version_id"]) if row else number


def _named_model(item: Any, pipeline_id: int, state: State) -> int:
    if not isinstance(item, dict):
        raise bad_request("models must be a list of objects with name, version and sha.")
    named = tuple(fields.text(item, key) for key in ("name", "version", "sha"))
    query = f"{_VERSION_IN_WORKSPACE} AND m.name = ? AND v.version = ? AND v.sha = ?"
    row = state.store.one(query, pipeline_id, *named)
    if row is None:
        raise bad_request("models names a model, version and sha that the pipeline's workspace does not have.")
    return int(row["id"])


def served(state: State, wanted: Wanted) -> list[Model]:
    """The models that run, in order: those of the version's steps; without steps, those given with the deployment.

    The tutorial demands that the models of the steps are among those given. Decided: nothing given is taken as
    "those of the steps".
    """
    store = state.store
    row = store.one("SELECT definition FROM variant WHERE id = ?", wanted.variant_id)
    steps = step_models(orjson.loads(row["definition"])) if row else []
    if steps:
        ids = [_named_model(step, wanted.pipeline_id, state) for step in steps]
        if wanted.given and not set(ids) <= set(wanted.given):
            raise bad_request("the models of the pipeline's steps must be among the models given.")
    else:
        ids = list(wanted.given)
    rows = [store.one(f"{_VERSION_IN_WORKSPACE} AND v.id = ?", wanted.pipeline_id, each) for each in ids]
    return [Model(row["id"], row["name"], row["version"], row["sha"], row["status"]) for row in rows if row]
