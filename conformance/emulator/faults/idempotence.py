"""Faults of repetition: what is done twice should be done once, or the same way."""

from __future__ import annotations

from conformance.emulator.faults.fault import Fault, with_json
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Step, World


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
        world.store.execute(
            "INSERT INTO deployment_name SELECT ?, name FROM deployment_name WHERE deployment_id = ?", again, made
        )
    return with_json(answer, {"id": again})


FAULTS = (
    Fault(
        "deploy-again-gives-a-new-id",
        ("pipelines.deploy.again-returns-the-same-id",),
        "idempotence",
        "Deploying a pipeline that is deployed makes a second deployment with a new id.",
        {"pipelines.deploy": _second_deployment},
    ),
)
