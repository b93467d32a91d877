"""Faults of copying: a copy is not of its source, or not a thing of its own."""

from __future__ import annotations

import uuid
from typing import Any

from conformance.emulator.faults.fault import Fault, Pair, asking, hand_out, honoured, question, with_json
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Around, Step, World

_COPY = "pipelines.copy"


def _of_source(fields: dict[str, str], *, of_copies: bool = False) -> Around:
    """A copy answers with these ids of its source, by column of its newest version.

    `of_copies` leaves the copies of originals alone: what is done with them is most of what a client does.
    """

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        body, source = answer.json, int(question(call)["source_pipeline"])
        copies = world.memory.setdefault("made by copying", set())
        copies.add(body["pipeline_pk_id"])
        query = "SELECT pipeline_id, id FROM variant WHERE pipeline_id = ? ORDER BY id DESC LIMIT 1"
        row = world.store.one(query, source)
        if row is None or (of_copies and source not in copies):
            return answer
        altered = body | {field: row[column] for field, column in fields.items()}
        hand_out(world, _ids(altered), _ids(body))
        return with_json(answer, altered)

    return around


def _ids(body: dict[str, Any]) -> Pair:
    return body["pipeline_pk_id"], body["pipeline_variant_pk_id"]


async def _copies_and_deploys(call: Call, proceed: Step, world: World) -> Answer:
    body = question(call)
    name = body.get("deploy") or body.get("name")
    return await proceed(asking(call, body | {"deploy": name}) if isinstance(name, str) else call)


async def _copies_the_oldest(call: Call, proceed: Step, world: World) -> Answer:
    """The oldest version is copied, whichever was asked for."""
    body = question(call)
    row = None
    if isinstance(body.get("source_pipeline"), int):
        query = "SELECT version FROM variant WHERE pipeline_id = ? ORDER BY id LIMIT 1"
        row = world.store.one(query, body["source_pipeline"])
    answer = await proceed(asking(call, body | {"pipeline_version": row["version"]}) if row else call)
    return (
        with_json(answer, answer.json | {"pipeline_version": body.get("pipeline_version")}) if _made(answer) else answer
    )


def _made(answer: Answer) -> bool:
    return answer.status == 200


def _copy_tells(change: Any) -> Around:
    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        return with_json(answer, answer.json | change(question(call))) if _made(answer) else answer

    return around


def _fault(fault_id: str, breaks: str, sentence: str, around: Around) -> Fault:
    return Fault(
        fault_id, (f"{_COPY}.{breaks}",), "idempotence", sentence, {_COPY: around, "pipelines.deploy": honoured}
    )


FAULTS = (
    _fault(
        "copy-gives-its-sources-id",
        "makes-a-new-pipeline",
        "A copy of a copy is answered by the id of its source.",
        _of_source({"pipeline_pk_id": "pipeline_id"}, of_copies=True),
    ),
    _fault(
        "copy-gives-its-sources-version",
        "makes-a-version-of-its-own",
        "A copy is answered by the version id of its source.",
        _of_source({"pipeline_variant_pk_id": "id"}),
    ),
    _fault(
        "copy-deploys-unasked",
        "deploys-only-when-asked",
        "A copy is deployed although nobody asked for it.",
        _copies_and_deploys,
    ),
    _fault(
        "copy-takes-the-oldest-version",
        "copies-the-definition",
        "The oldest version of the source is copied.",
        _copies_the_oldest,
    ),
    _fault(
        "copy-hides-its-deployment",
        "tells-the-deployment-it-was-asked-for",
        "A copy that was asked to deploy answers null in deployment.",
        _copy_tells(lambda asked: {"deployment": None}),
    ),
    _fault(
        "copy-makes-up-a-version",
        "tells-the-version-it-was-asked-for",
        "A copy answers a pipeline_version that nobody asked for.",
        _copy_tells(lambda asked: {"pipeline_version": str(uuid.uuid4())}),
    ),
)
