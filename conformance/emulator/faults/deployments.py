"""Faults of deploying and undeploying."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.emulator.faults.fault import (
    asking,
    beyond_ascii,
    fault,
    is_copy,
    is_of,
    name_fails,
    question,
    refusing_where,
    refusing_with,
    remembering_copies,
    with_json,
)
from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.wire import Answer, Call, RefusalError

_UPLOADED = """SELECT m.workspace_id = p.workspace_id AS here FROM model_version v JOIN model m ON m.id = v.model_id
    JOIN pipeline p WHERE v.version = ? AND v.sha = ? AND p.id = ?"""
LIVE = "SELECT id FROM deployment WHERE pipeline_id = ? AND stopped IS NULL"
_COPY = "pipelines.copy"
_DEPLOY = "pipelines.deploy"
_STOPPED = "SELECT id FROM deployment WHERE pipeline_id = ? AND stopped IS NOT NULL"
_STEPS = """SELECT 1 FROM variant WHERE pipeline_id = ? AND definition LIKE '%"steps":[{%'"""


async def _newest_version_always(call: Call, proceed: Step, state: State) -> Answer:
    """The newest version of the pipeline is deployed, whichever was asked for."""
    body = question(call)
    row = None
    if isinstance(body.get("pipeline_id"), int) and isinstance(body.get("pipeline_version_pk_id"), int):
        query = "SELECT max(id) AS id FROM variant WHERE pipeline_id = ? HAVING max(id) > ?"
        row = state.store.one(query, body["pipeline_id"], body["pipeline_version_pk_id"])
    if row is None:
        return await proceed(call)
    given = {name: value for name, value in body.items() if name not in ("models", "model_ids", "model_configs")}
    return await proceed(asking(call, given | {"pipeline_version_pk_id": row["id"]}))


async def _second_deployment(call: Call, proceed: Step, state: State) -> Answer:
    """The same engine under a second id; the first stays as it is."""
    newest = state.store.one("SELECT max(id) AS id FROM deployment")
    answer = await proceed(call)
    made = answer.json.get("id") if answer.status == 200 else None
    if made is None or newest is None or newest["id"] is None or made > newest["id"]:
        return answer
    row = state.store.one("SELECT * FROM deployment WHERE id = ?", made)
    assert row is not None
    columns = {name: row[name] for name in row.keys() if name != "id"}  # noqa: SIM118 - a Row iterates its values
    with state.store.transaction():
        again = state.store.add("deployment", **columns)
        query = "INSERT INTO deployment_name SELECT ?, name FROM deployment_name WHERE deployment_id = ?"
        state.store.execute(query, again, made)
    return with_json(answer, {"id": again})


async def _first_deployments_id(call: Call, proceed: Step, state: State) -> Answer:
    """Another pipeline's deployment is answered by the id of the first that was made."""
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    pipeline = question(call)["pipeline_id"]
    of, made = state.memory.setdefault("deployment", (pipeline, answer.json["id"]))
    return answer if of == pipeline else with_json(answer, {"id": made})


async def _second_undeploy_fails(call: Call, proceed: Step, state: State) -> Answer:
    number = question(call).get("deployment_id")
    row = state.store.one("SELECT stopped FROM deployment WHERE id = ?", number) if isinstance(number, int) else None
    if row is not None and row["stopped"] is not None:
        return RefusalError(500, "Internal Server Error: no such deployment").answer()
    return await proceed(call)


async def _undeploys_its_neighbours(call: Call, proceed: Step, state: State) -> Answer:
    """What else the workspace has deployed ends with it."""
    answer = await proceed(call)
    if answer.status == 200:
        body = question(call)
        query = """UPDATE deployment SET stopped = ? WHERE stopped IS NULL AND pipeline_id IN (SELECT id FROM pipeline
            WHERE workspace_id = (SELECT p.workspace_id FROM pipeline p JOIN deployment d ON d.pipeline_id = p.id
            WHERE d.id = ? OR p.id = ?))"""
        state.store.execute(query, state.clock(), body.get("deployment_id"), body.get("pipeline_id"))
    return answer


def _needs(*names: str) -> Middleware:
    """An undeploy is refused unless it has all of these."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        body = question(call)
        if body.get("pipeline_id") is None and body.get("deployment_id") is None:
            return await proceed(call)
        if any(body.get(name) is None for name in names):
            return RefusalError(400, f"Bad request: {names[0]} is needed").answer()
        return await proceed(call)

    return around


def _deploying_anyway(applies: Callable[[dict[str, Any], State], dict[str, Any] | None]) -> Middleware:
    """A deploy with another body where `applies` makes one."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        changed = applies(question(call), state)
        return await proceed(call if changed is None else asking(call, changed))

    return around


def _variant_exists(body: dict[str, Any], state: State) -> bool:
    number = body.get("pipeline_version_pk_id")
    return is_of(number, int) and state.store.one("SELECT 1 FROM variant WHERE id = ?", number) is not None


def _unknown_pipeline(body: dict[str, Any], state: State) -> dict[str, Any] | None:
    number = body.get("pipeline_id")
    if not is_of(number, int) or state.store.one("SELECT 1 FROM pipeline WHERE id = ?", number):
        return None
    row = state.store.one("SELECT pipeline_id, id FROM variant ORDER BY id LIMIT 1")
    models = ("models", "model_ids", "model_configs")
    kept = {name: value for name, value in body.items() if name not in models}
    return kept | {"pipeline_id": row["pipeline_id"], "pipeline_version_pk_id": row["id"]} if row else None


def _unknown_version(body: dict[str, Any], state: State) -> dict[str, Any] | None:
    if not is_of(body.get("pipeline_version_pk_id"), int) or _variant_exists(body, state):
        return None
    row = state.store.one("SELECT max(id) AS id FROM variant WHERE pipeline_id = ?", body.get("pipeline_id"))
    return body | {"pipeline_version_pk_id": row["id"]} if row and row["id"] else None


def _anothers_version(body: dict[str, Any], state: State) -> dict[str, Any] | None:
    if not _variant_exists(body, state) or not is_of(body.get("pipeline_id"), int):
        return None
    query = "SELECT max(id) AS id FROM variant WHERE pipeline_id = ? HAVING sum(id = ?) = 0"
    row = state.store.one(query, body["pipeline_id"], body["pipeline_version_pk_id"])
    models = ("models", "model_ids", "model_configs")
    kept = {name: value for name, value in body.items() if name not in models}
    return kept | {"pipeline_version_pk_id": row["id"]} if row and row["id"] else None


def _is_whole(model: Any) -> bool:
    return isinstance(model, dict) and all(isinstance(model.get(key), str) for key in ("name", "version", "sha"))


def _models_that_are(elsewhere: bool) -> Callable[[dict[str, Any], State], dict[str, Any] | None]:
    """Leave out models that nobody uploaded, or those that only another workspace has."""

    def applies(body: dict[str, Any], state: State) -> dict[str, Any] | None:
        models = body.get("models")
        if not isinstance(models, list) or not all(_is_whole(each) for each in models):
            return None
        kept = []
        for each in models:
            rows = state.store.all(_UPLOADED, str(each.get("version")), str(each.get("sha")), body.get("pipeline_id"))
            if any(row["here"] for row in rows) or bool(rows) is not elsewhere:
                kept.append(each)
        return None if len(kept) == len(models) else body | {"models": kept}

    return applies


async def _deployed_anyway(call: Call, proceed: Step, state: State) -> Answer:
    """A deploy that is refused for its models has deployed the pipeline without them."""
    answer = await proceed(call)
    if answer.status == 400:
        kept = {name: value for name, value in question(call).items() if not name.startswith("model")}
        row = None
        if isinstance(kept.get("pipeline_id"), int):
            row = state.store.one("SELECT max(id) AS id FROM variant WHERE pipeline_id = ?", kept["pipeline_id"])
        await proceed(asking(call, kept | {"deploy_id": "anyway", "pipeline_version_pk_id": row["id"] if row else 0}))
    return answer


async def _undeployed_anyway(call: Call, proceed: Step, state: State) -> Answer:
    """An undeploy that is refused has ended what it named in part."""
    answer = await proceed(call)
    if answer.status == 400:
        for name in ("deployment_id", "pipeline_id"):
            value = question(call).get(name)
            number = int(value) if isinstance(value, str) and value.isdigit() else value
            if isinstance(number, int):
                await proceed(asking(call, {name: number}))
    return answer


def row_of(query: str, body: Mapping[str, Any], state: State, field: str = "pipeline_id") -> Any:
    value = body.get(field)
    return state.store.one(query, value) if isinstance(value, int) else None


def is_older(body: dict[str, Any], state: State) -> bool:
    query = "SELECT 1 FROM variant WHERE pipeline_id = ? AND id > ?"
    variant = body.get("pipeline_version_pk_id")
    pipeline = body.get("pipeline_id")
    known = isinstance(variant, int) and isinstance(pipeline, int)
    return known and state.store.one(query, pipeline, variant) is not None


def _deployed_again(body: dict[str, Any], state: State) -> bool:
    """Whether this names models for the newest version of what is deployed, and nothing else."""
    again = bool(body.get("models")) and body.get("engine_config") is None and not is_older(body, state)
    return again and row_of(LIVE, body, state) is not None


FAULTS = (
    fault(
        "deploy-takes-the-newest",
        "relations",
        "The newest version of a pipeline is deployed, whichever was asked for.",
        _newest_version_always,
        "pipelines.deploy.serves-the-version-deployed",
    ),
    fault(
        "deploy-again-gives-a-new-id",
        "idempotence",
        "Deploying a pipeline that is deployed makes a second deployment with a new id.",
        _second_deployment,
        "pipelines.deploy.again-returns-the-same-id",
    ),
    fault(
        "deployments-share-an-id",
        "idempotence",
        "Deployments of other pipelines are answered by the id of the first.",
        _first_deployments_id,
        "pipelines.deploy.a-new-deployment-has-its-own-id",
    ),
    fault(
        "undeploy-twice-fails",
        "idempotence",
        "Undeploying what is undeployed is answered by 500.",
        _second_undeploy_fails,
        "pipelines.undeploy.a-second-undeploy-is-harmless",
    ),
    fault(
        "undeploy-ends-its-neighbours",
        "idempotence",
        "An undeploy ends every deployment of the workspace.",
        _undeploys_its_neighbours,
        "pipelines.undeploy.ends-nothing-but-what-it-names",
    ),
    fault(
        "undeploy-needs-the-pipeline",
        "idempotence",
        "An undeploy without pipeline_id is refused.",
        _needs("pipeline_id"),
        "pipelines.undeploy.takes-the-deployment-id-alone",
        "pipelines.undeploy.is-asked-by-either-id",
    ),
    fault(
        "undeploy-needs-the-deployment",
        "idempotence",
        "An undeploy without deployment_id is refused.",
        _needs("deployment_id"),
        "pipelines.undeploy.takes-the-pipeline-id-alone",
        "pipelines.undeploy.is-asked-by-either-id",
    ),
    fault(
        "deploy-of-an-unknown-pipeline",
        "robustness",
        "A deploy of what never was deploys the first pipeline.",
        _deploying_anyway(_unknown_pipeline),
        "pipelines.deploy.refuses-an-unknown-pipeline",
    ),
    fault(
        "deploy-of-an-unknown-version",
        "robustness",
        "A deploy of a version that never was deploys the newest.",
        _deploying_anyway(_unknown_version),
        "pipelines.deploy.refuses-an-unknown-version",
    ),
    fault(
        "deploy-of-anothers-version",
        "robustness",
        "A deploy of another pipeline's version deploys the newest of its own.",
        _deploying_anyway(_anothers_version),
        "pipelines.deploy.refuses-a-version-of-another-pipeline",
    ),
    fault(
        "deploy-with-a-model-that-never-was",
        "robustness",
        "A deploy passes over models that nobody uploaded.",
        _deploying_anyway(_models_that_are(elsewhere=False)),
        "pipelines.deploy.refuses-a-model-that-never-was",
    ),
    fault(
        "deploy-with-anothers-model",
        "leaks",
        "A deploy takes a model that only another workspace has, and passes it over.",
        _deploying_anyway(_models_that_are(elsewhere=True)),
        "pipelines.deploy.refuses-models-of-another-workspace",
    ),
    fault(
        "deploy-beyond-ascii-is-500",
        "robustness",
        "A deployment's name beyond ASCII is a 500.",
        name_fails("deploy_id", beyond_ascii),
        "pipelines.deploy.survives-described-requests",
    ),
    fault(
        "deploy-refused-but-deployed",
        "robustness",
        "A deploy that is refused has deployed its pipeline.",
        _deployed_anyway,
        "pipelines.deploy.a-refusal-changes-nothing",
    ),
    fault(
        "undeploy-refused-but-undeployed",
        "robustness",
        "An undeploy that is refused has ended what it named.",
        _undeployed_anyway,
        "pipelines.undeploy.a-refusal-changes-nothing",
        "status.get-deployment.finds-what-is-deployed",
    ),
    fault(
        "deploy-again-by-models-is-refused",
        "service",
        "What is deployed is not deployed again by its models.",
        refusing_where(_deployed_again),
        "pipelines.deploy.serves-valid-requests",
    ),
    fault(
        "undeploy-by-both-ids-is-refused",
        "service",
        "An undeploy that names pipeline and deployment is refused.",
        refusing_where(
            lambda body, state: all(body.get(name) is not None for name in ("pipeline_id", "deployment_id"))
        ),
        "pipelines.undeploy.serves-valid-requests",
    ),
    fault(
        "deploy-refuses-models",
        "service",
        "A deploy by models is refused.",
        refusing_with("models"),
        "pipelines.deploy.takes-models",
    ),
    fault(
        "deploy-refuses-model-ids",
        "service",
        "A deploy by model_ids is refused.",
        refusing_with("model_ids"),
        "pipelines.deploy.takes-model-ids",
    ),
    fault(
        "deploy-refuses-model-configs",
        "service",
        "A deploy by model_configs is refused.",
        refusing_with("model_configs"),
        "pipelines.deploy.takes-model-configs",
    ),
    fault(
        "deploy-refuses-an-engine-config",
        "service",
        "A deploy that has an engine_config is refused.",
        refusing_with("engine_config"),
        "pipelines.deploy.takes-an-engine-config",
        "pipelines.deploy.reads-engine-config-as-an-object",
    ),
    fault(
        "deploy-refuses-an-empty-pipeline",
        "service",
        "A pipeline without steps is not deployed.",
        refusing_where(lambda body, state: row_of(_STEPS, body, state) is None),
        "pipelines.deploy.takes-an-empty-pipeline",
    ),
    fault(
        "deploy-refuses-an-older-version",
        "service",
        "Nothing but a pipeline's newest version is deployed.",
        refusing_where(is_older),
        "pipelines.deploy.takes-an-older-version",
    ),
    fault(
        "deploy-refuses-a-copy",
        "service",
        "A copy is not deployed.",
        {_COPY: remembering_copies, _DEPLOY: refusing_where(is_copy("pipeline_id"))},
        "pipelines.deploy.takes-a-copy",
    ),
    fault(
        "deploy-refuses-what-was-undeployed",
        "service",
        "A pipeline that was undeployed is not deployed again.",
        refusing_where(lambda body, state: row_of(_STOPPED, body, state) and not row_of(LIVE, body, state)),
        "pipelines.deploy.takes-what-was-undeployed",
    ),
)
