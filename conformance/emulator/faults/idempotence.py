"""Faults of repetition: what is done twice comes out wrong."""

from __future__ import annotations

from conformance.emulator.faults.fault import Fault, question, with_json
from conformance.emulator.wire import Answer, Call, RefusalError
from conformance.emulator.world import Around, Step, World

KIND = "idempotence"
_CREATE, _DEPLOY, _UNDEPLOY = "pipelines.create", "pipelines.deploy", "pipelines.undeploy"


async def _second_deployment(call: Call, proceed: Step, world: World) -> Answer:
    """The same engine under a second id; the first stays as it is."""
    newest = world.store.one("SELECT max(id) AS id FROM deployment")
    answer = await proceed(call)
    made = answer.json.get("id") if answer.status == 200 else None
    if made is None or newest is None or newest["id"] is None or made > newest["id"]:
        return answer
    row = world.store.one("SELECT * FROM deployment WHERE id = ?", made)
    assert row is not None
    columns = {name: row[name] for name in row.keys() if name != "id"}  # noqa: SIM118 - a Row iterates its values
    with world.store.transaction():
        again = world.store.add("deployment", **columns)
        query = "INSERT INTO deployment_name SELECT ?, name FROM deployment_name WHERE deployment_id = ?"
        world.store.execute(query, again, made)
    return with_json(answer, {"id": again})


async def _first_deployments_id(call: Call, proceed: Step, world: World) -> Answer:
    """Another pipeline's deployment is answered by the id of the first that was made."""
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    pipeline = question(call)["pipeline_id"]
    of, made = world.memory.setdefault("deployment", (pipeline, answer.json["id"]))
    return answer if of == pipeline else with_json(answer, {"id": made})


async def _same_name_is_a_new_pipeline(call: Call, proceed: Step, world: World) -> Answer:
    """A name created again leaves the old pipeline under another name and makes a new one."""
    body = question(call)
    name, workspace = body.get("pipeline_id"), body.get("workspace_id")
    if isinstance(name, str) and isinstance(workspace, int):
        query = "UPDATE pipeline SET name = name || '#' || id WHERE name = ? AND workspace_id = ? AND id NOT IN (%s)"
        deployed = "SELECT pipeline_id FROM deployment WHERE stopped IS NULL"
        world.store.execute(query % deployed, name, workspace)
    return await proceed(call)


def _earlier(field: str, column: str) -> Around:
    """A create of a name that exists answers with this of the version before."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        query = f"SELECT {column} FROM variant WHERE pipeline_id = ? AND id < ? ORDER BY id DESC LIMIT 1"  # noqa: S608
        row = world.store.one(query, answer.json["pipeline_pk_id"], answer.json["pipeline_variant_pk_id"])
        return with_json(answer, answer.json | {field: row[column]}) if row else answer

    return around


async def _second_undeploy_fails(call: Call, proceed: Step, world: World) -> Answer:
    number = question(call).get("deployment_id")
    row = world.store.one("SELECT stopped FROM deployment WHERE id = ?", number) if isinstance(number, int) else None
    if row is not None and row["stopped"] is not None:
        return RefusalError(500, "Internal Server Error: no such deployment").answer()
    return await proceed(call)


async def _undeploys_its_neighbours(call: Call, proceed: Step, world: World) -> Answer:
    """What else the workspace has deployed ends with it."""
    answer = await proceed(call)
    if answer.status == 200:
        body = question(call)
        query = """UPDATE deployment SET stopped = ? WHERE stopped IS NULL AND pipeline_id IN (SELECT id FROM pipeline
            WHERE workspace_id = (SELECT p.workspace_id FROM pipeline p JOIN deployment d ON d.pipeline_id = p.id
            WHERE d.id = ? OR p.id = ?))"""
        world.store.execute(query, world.clock(), body.get("deployment_id"), body.get("pipeline_id"))
    return answer


def _needs(*names: str) -> Around:
    """An undeploy is refused unless it has all of these."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        body = question(call)
        if body.get("pipeline_id") is None and body.get("deployment_id") is None:
            return await proceed(call)
        if any(body.get(name) is None for name in names):
            return RefusalError(400, f"Bad request: {names[0]} is needed").answer()
        return await proceed(call)

    return around


def _fault(fault_id: str, breaks: str, sentence: str, operation: str, around: Around, *others: str) -> Fault:
    return Fault(fault_id, (f"{operation}.{breaks}", *others), KIND, sentence, {operation: around})


FAULTS = (
    _fault(
        "deploy-again-gives-a-new-id",
        "again-returns-the-same-id",
        "Deploying a pipeline that is deployed makes a second deployment with a new id.",
        _DEPLOY,
        _second_deployment,
    ),
    _fault(
        "deployments-share-an-id",
        "a-new-deployment-has-its-own-id",
        "Deployments of other pipelines are answered by the id of the first.",
        _DEPLOY,
        _first_deployments_id,
    ),
    _fault(
        "create-again-makes-another-pipeline",
        "same-name-keeps-the-pipeline",
        "Creating a name that exists makes a new pipeline of that name.",
        _CREATE,
        _same_name_is_a_new_pipeline,
    ),
    _fault(
        "create-again-gives-the-earlier-version",
        "each-create-adds-a-version",
        "Creating a name that exists answers with the version id that was there before.",
        _CREATE,
        _earlier("pipeline_variant_pk_id", "id"),
    ),
    _fault(
        "create-again-gives-the-earlier-uuid",
        "each-version-has-its-own-uuid",
        "Creating a name that exists answers with the UUID that was there before.",
        _CREATE,
        _earlier("pipeline_variant_version", "version"),
    ),
    _fault(
        "undeploy-twice-fails",
        "a-second-undeploy-is-harmless",
        "Undeploying what is undeployed is answered by 500.",
        _UNDEPLOY,
        _second_undeploy_fails,
    ),
    _fault(
        "undeploy-ends-its-neighbours",
        "ends-nothing-but-what-it-names",
        "An undeploy ends every deployment of the workspace.",
        _UNDEPLOY,
        _undeploys_its_neighbours,
    ),
    _fault(
        "undeploy-needs-the-pipeline",
        "takes-the-deployment-id-alone",
        "An undeploy without pipeline_id is refused.",
        _UNDEPLOY,
        _needs("pipeline_id"),
        f"{_UNDEPLOY}.is-asked-by-either-id",
    ),
    _fault(
        "undeploy-needs-the-deployment",
        "takes-the-pipeline-id-alone",
        "An undeploy without deployment_id is refused.",
        _UNDEPLOY,
        _needs("deployment_id"),
        f"{_UNDEPLOY}.is-asked-by-either-id",
    ),
)
