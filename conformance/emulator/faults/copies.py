"""Faults of copying: a copy is not of its source, or not a thing of its own."""

from __future__ import annotations

import uuid
from typing import Any

from conformance.emulator.faults.fault import Fault, asking, question, with_json
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Around, Step, World

_COPY = "pipelines.copy"


def _of_source(fields: dict[str, str]) -> Around:
    """A copy answers with these ids of its source, by column of its newest version."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        query = "SELECT pipeline_id, id FROM variant WHERE pipeline_id = ? ORDER BY id DESC LIMIT 1"
        row = world.store.one(query, int(question(call)["source_pipeline"]))
        assert row is not None
        return with_json(answer, answer.json | {field: row[column] for field, column in fields.items()})

    return around


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
    return Fault(fault_id, (f"{_COPY}.{breaks}",), "idempotence", sentence, {_COPY: around})


FAULTS = (
    _fault(
        "copy-gives-its-sources-id",
        "makes-a-new-pipeline",
        "A copy is answered by the id of its source.",
        _of_source({"pipeline_pk_id": "pipeline_id"}),
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
