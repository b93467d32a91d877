"""A deliberate defect of the emulated instance, and what most of them are built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from conformance.emulator.wire import JSON, Answer, Call
from conformance.emulator.world import Around, Step, World


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


def succeeding(alter: Callable[[Any], Any]) -> Around:
    """Advice that changes the JSON of a success."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if 200 <= answer.status < 300 and answer.media_type == JSON:
            return with_json(answer, alter(answer.json))
        return answer

    return around


def refusing(alter: Callable[[Answer], Answer], *statuses: int) -> Around:
    """Advice that changes answers of these statuses."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        return alter(answer) if answer.status in statuses else answer

    return around


def with_json(answer: Answer, value: Any) -> Answer:
    """The answer with another JSON body."""
    return replace(answer, body=orjson.dumps(value))
