"""Deployments: which models each runs, what a pipeline serves, since when, and under which names."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from conformance.emulator import fields
from conformance.emulator.state import State
from conformance.emulator.store import Row
from conformance.emulator.wire import Answer, Call, answered, bad_request

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


_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Deployment:
    """One deployment as stored. Times are epoch seconds; `stopped` is when its undeploy was asked for."""

    id: int
    pipeline_id: int
    pipeline: str
    variant: str
    models: tuple[Model, ...]
    pods: dict[str, str]
    started: float
    stopped: float | None

    def phase(self, state: State) -> str:
        """`starting`, `running`, `failed`, `stopping` or `gone`, at this moment."""
        now = state.clock()
        if self.stopped is not None:
            return "gone" if now >= self.stopped + state.settings.stop_seconds else "stopping"
        if now < self.started + state.settings.start_seconds:
            return "starting"
        return "failed" if any(model.status != "ready" for model in self.models) else "running"

    @property
    def chain(self) -> tuple[str, ...]:
        """The SHA-256 of each model in the order they run."""
        return tuple(model.sha for model in self.models)


async def deploy(call: Call, state: State) -> Answer:
    """Deploy a version of a pipeline; while it is deployed the answer is the same deployment (recorded)."""
    body = fields.json_object(call)
    deploy_id = fields.new_name(body, "deploy_id", state.settings.limits.name_characters)
    config = fields.optional_mapping(body, "engine_config")
    with state.store.transaction():
        pipeline_id, variant_id = _pipeline_version(body, state)
        given = given_models(body, pipeline_id, state)
        made = deploy_pipeline(state, Wanted(deploy_id, pipeline_id, variant_id, given, config))
    return answered({"id": made})


def deploy_pipeline(state: State, wanted: Wanted) -> int:
    """The id of the deployment that now serves this; call it inside a transaction.

    Decided: another version or other models given to a live deployment replace what it serves, and each name it was
    ever deployed under leads to it.
    """
    store = state.store
    models = orjson.dumps([asdict(model) for model in served(state, wanted)]).decode()
    config = orjson.dumps(wanted.engine_config or {}).decode()
    row = store.one("SELECT * FROM deployment WHERE pipeline_id = ? AND stopped IS NULL", wanted.pipeline_id)
    if row is None:
        deployment_id = store.add(
            "deployment",
            pipeline_id=wanted.pipeline_id,
            variant_id=wanted.variant_id,
            models=models,
            pods=orjson.dumps(_pods()).decode(),
            started=state.clock(),
            engine_config=config,
        )
    else:
        deployment_id = row["id"]
        query = "UPDATE deployment SET variant_id = ?, models = ?, engine_config = ? WHERE id = ?"
        store.execute(query, wanted.variant_id, models, config, deployment_id)
    store.execute("INSERT OR IGNORE INTO deployment_name VALUES (?, ?)", deployment_id, wanted.deploy_id)
    state.engine.warm(tuple(model["sha"] for model in orjson.loads(models) if model["status"] == "ready"))
    return int(deployment_id)


def _pipeline_version(body: fields.Body, state: State) -> tuple[int, int]:
    """The ids of pipeline and version. Release 2026.1 lets either be absent, and a version be named by its UUID."""
    optional = state.settings.profile.ids_optional
    read = fields.optional_integer if optional else fields.integer
    pipeline_id, variant_id = read(body, "pipeline_id"), read(body, "pipeline_version_pk_id")
    version = fields.optional_text(body, "pipeline_version") if optional else None
    if pipeline_id is None and variant_id is None and version is None:
        raise bad_request("one of pipeline_id, pipeline_version_pk_id and pipeline_version is needed.")
    row = state.store.one(
        """SELECT id, pipeline_id FROM variant WHERE (? IS NULL OR pipeline_id = ?) AND (? IS NULL OR id = ?)
           AND (? IS NULL OR version = ?) ORDER BY id DESC LIMIT 1""",
        *(pipeline_id, pipeline_id, variant_id, variant_id, version, version),
    )
    if row is None:
        raise bad_request("no such pipeline, or it has no such version.")
    return row["pipeline_id"], row["id"]


async def undeploy(call: Call, state: State) -> Answer:
    """End a deployment, named by either id. Decided: one that is not deployed stays so, with the same answer."""
    body = fields.json_object(call)
    pipeline_id = fields.optional_integer(body, "pipeline_id")
    deployment_id = fields.optional_integer(body, "deployment_id")
    if pipeline_id is None and deployment_id is None:
        raise bad_request("one of pipeline_id and deployment_id is needed.")
    store = state.store
    with store.transaction():
        if pipeline_id is not None and store.one("SELECT 1 FROM pipeline WHERE id = ?", pipeline_id) is None:
            raise bad_request("the pipeline does not exist.")
        if deployment_id is not None:
            row = store.one("SELECT pipeline_id FROM deployment WHERE id = ?", deployment_id)
            if row is None or pipeline_id not in (None, row["pipeline_id"]):
                raise bad_request("the deployment does not exist, or is not one of that pipeline.")
        store.execute(
            """UPDATE deployment SET stopped = ? WHERE stopped IS NULL AND (? IS NULL OR id = ?)
               AND (? IS NULL OR pipeline_id = ?)""",
            *(state.clock(), deployment_id, deployment_id, pipeline_id, pipeline_id),
        )
    return answered(state.settings.profile.undeployed)


_DEPLOYMENT = """SELECT d.*, p.name AS pipeline, v.version AS variant FROM deployment d
    JOIN pipeline p ON p.id = d.pipeline_id JOIN variant v ON v.id = d.variant_id"""


def by_name(state: State, name: str) -> Deployment | None:
    """The deployment called `{deploy_id}-{deployment id}`, whatever its phase."""
    deploy_id, _, digits = name.rpartition("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18 or str(int(digits)) != digits:
        return None
    query = f"{_DEPLOYMENT} JOIN deployment_name n ON n.deployment_id = d.id WHERE d.id = ? AND n.name = ?"
    row = state.store.one(query, int(digits), deploy_id)
    return _deployment(row) if row else None


def live_name(state: State, workspace_id: int, pipeline: str) -> str | None:
    """`{deploy_id}-{deployment id}` of what serves this pipeline now, or None."""
    row = state.store.one(
        """SELECT n.name, d.id FROM deployment d JOIN pipeline p ON p.id = d.pipeline_id
           JOIN deployment_name n ON n.deployment_id = d.id
           WHERE p.workspace_id = ? AND p.name = ? AND d.stopped IS NULL ORDER BY n.rowid DESC LIMIT 1""",
        workspace_id,
        pipeline,
    )
    return f"{row['name']}-{row['id']}" if row else None


def _deployment(row: Row) -> Deployment:
    models = tuple(Model(**model) for model in orjson.loads(row["models"]))
    pods = orjson.loads(row["pods"])
    identity = (row["id"], row["pipeline_id"], row["pipeline"], row["variant"])
    return Deployment(*identity, models, pods, row["started"], row["stopped"])


def _pods() -> dict[str, str]:
    """Names and addresses of one engine and one load balancer, in the form Kubernetes gives them."""
    chance = random.Random()  # noqa: S311 - names, not secrets

    def pod(kind: str) -> str:
        return f"{kind}-{''.join(chance.choices(_HEX, k=10))}-{''.join(chance.choices(_LETTERS, k=5))}"

    nodes = chance.sample(range(1, 10), 2)  # on a node each, so that no two have one address
    addresses = [f"10.244.{node}.{chance.randint(2, 254)}" for node in nodes]
    return {"engine": pod("engine"), "engine_ip": addresses[0], "lb": pod("engine-lb"), "lb_ip": addresses[1]}
