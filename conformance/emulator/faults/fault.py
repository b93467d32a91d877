"""A deliberate defect of the emulated instance, and what most of them are built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from conformance.emulator.wire import JSON, Answer, Call
from conformance.emulator.world import Around, Step, World

JSON_OPERATIONS = (
    "pipelines.create",
    "pipelines.deploy",
    "pipelines.undeploy",
    "pipelines.copy",
    "status.get-deployment",
    "admin.get-pipeline-external-url",
    "models.list-versions",
    "workspaces.create",
    "workspaces.list",
)
"""The operations that take a JSON object."""

OPERATIONS = (*JSON_OPERATIONS, "pipelines.infer", "models.upload-and-convert")


@dataclass(frozen=True)
class Fault:
    """One defect: its id, the ids of the requirements it breaks, its class, and a sentence that says what is wrong.

    `arounds` is the advice that makes it, by step.
    """

    id: str
    breaks: tuple[str, ...]
    kind: str
    sentence: str
    arounds: Mapping[str, Around] = field(repr=False)


def arounds_of(faults: tuple[Fault, ...]) -> dict[str, tuple[Around, ...]]:
    """All their advice by step, in the order the faults are given."""
    steps: dict[str, tuple[Around, ...]] = {}
    for fault in faults:
        for step, around in fault.arounds.items():
            steps[step] = (*steps.get(step, ()), around)
    return steps


def each(slug: str, operations: tuple[str, ...] = OPERATIONS) -> tuple[str, ...]:
    """The ids of a requirement that every operation has."""
    return tuple(f"{operation}.{slug}" for operation in operations)


def succeeding(alter: Callable[[Any], Any]) -> Around:
    """Advice that changes the JSON of a success."""
    return answering(lambda answer: with_json(answer, alter(answer.json)), lambda answer: answer.media_type == JSON)


def answering(
    alter: Callable[[Answer], Answer], applies: Callable[[Answer], bool] = lambda answer: True, *statuses: int
) -> Around:
    """Advice that changes the answers it applies to: those of `statuses`, or every success."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        meant = answer.status in statuses if statuses else 200 <= answer.status < 300
        return alter(answer) if meant and applies(answer) else answer

    return around


def refusing(alter: Callable[[Answer], Answer], *statuses: int) -> Around:
    """Advice that changes answers of these statuses."""
    return answering(alter, lambda answer: True, *statuses)


def of_operations(around: Around, operations: tuple[str, ...] = OPERATIONS) -> Around:
    """Advice on the outermost step, for calls of these operations alone."""

    async def chosen(call: Call, proceed: Step, world: World) -> Answer:
        return await (around(call, proceed, world) if call.operation in operations else proceed(call))

    return chosen


def with_json(answer: Answer, value: Any) -> Answer:
    """The answer with another JSON body."""
    return replace(answer, body=orjson.dumps(value))


def question(call: Call) -> dict[str, Any]:
    """The call's body as a JSON object, empty where it is none."""
    try:
        value = call.json
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def asking(call: Call, value: Any) -> Call:
    """The call with another JSON body."""
    return replace(call, body=orjson.dumps(value))


def is_of(value: Any, kind: type) -> bool:
    """Whether a JSON value has this type; a boolean is no integer."""
    return isinstance(value, kind) and not isinstance(value, bool)


Pair = tuple[int, int]
"""Ids of a pipeline and of a version."""


def hand_out(world: World, shown: Pair, true: Pair) -> None:
    """Remember that a client was shown these ids for those, so that what it does with them still works."""
    world.memory.setdefault("handed out", {})[shown] = true


async def honoured(call: Call, proceed: Step, world: World) -> Answer:
    """Advice on deploy: ids that were handed out wrongly lead to what they were handed out for."""
    body = question(call)
    shown = body.get("pipeline_id"), body.get("pipeline_version_pk_id")
    true = world.memory.get("handed out", {}).get(shown) if all(is_of(each, int) for each in shown) else None
    if true is None:
        return await proceed(call)
    return await proceed(asking(call, body | {"pipeline_id": true[0], "pipeline_version_pk_id": true[1]}))
