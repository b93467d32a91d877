"""A deliberate defect of the emulated instance, and what most of them are built from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.wire import JSON, Answer, Call, RefusalError

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


Kind = Literal[
    "contradictions",
    "idempotence",
    "identity",
    "inference values and row order",
    "leaks",
    "media types and headers",
    "regressions",
    "relations",
    "response schema",
    "robustness",
    "service",
    "statuses",
    "timing",
    "under load",
]
"""The class of a fault, as `conformance faults` shows it."""


@dataclass(frozen=True)
class Fault:
    """One defect: its id, the ids of the requirements it breaks, its class, and a sentence that says what is wrong.

    `middleware` is the middleware that makes it, by step.
    """

    id: str
    breaks: tuple[str, ...]
    kind: Kind
    sentence: str
    middleware: Mapping[str, Middleware] = field(repr=False)


def fault(fault_id: str, kind: Kind, sentence: str, how: Middleware | Mapping[str, Middleware], *breaks: str) -> Fault:
    """A fault; middleware alone is on the operation of the first requirement that it breaks."""
    middleware = how if isinstance(how, Mapping) else {breaks[0].rpartition(".")[0]: how}
    return Fault(fault_id, breaks, kind, sentence, middleware)


def middleware_of(faults: tuple[Fault, ...]) -> dict[str, tuple[Middleware, ...]]:
    """All their middleware by step, in the order the faults are given."""
    steps: dict[str, tuple[Middleware, ...]] = {}
    for fault in faults:
        for step, around in fault.middleware.items():
            steps[step] = (*steps.get(step, ()), around)
    return steps


def each(slug: str, operations: tuple[str, ...] = OPERATIONS) -> tuple[str, ...]:
    """The ids of a requirement that every operation has."""
    return tuple(f"{operation}.{slug}" for operation in operations)


def succeeding(alter: Callable[[Any], Any]) -> Middleware:
    """Middleware that changes the JSON of a success."""
    return answering(lambda answer: with_json(answer, alter(answer.json)), lambda answer: answer.media_type == JSON)


def answering(
    alter: Callable[[Answer], Answer], applies: Callable[[Answer], bool] = lambda answer: True, *statuses: int
) -> Middleware:
    """Middleware that changes the answers it applies to: those of `statuses`, or every success."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        meant = answer.status in statuses if statuses else 200 <= answer.status < 300
        return alter(answer) if meant and applies(answer) else answer

    return around


def refusing(alter: Callable[[Answer], Answer], *statuses: int) -> Middleware:
    """Middleware that changes answers of these statuses."""
    return answering(alter, lambda answer: True, *statuses)


def of_operations(around: Middleware, operations: tuple[str, ...] = OPERATIONS) -> Middleware:
    """Middleware on the outermost step, for calls of these operations alone."""

    async def chosen(call: Call, proceed: Step, state: State) -> Answer:
        return await (around(call, proceed, state) if call.operation in operations else proceed(call))

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


def hand_out(state: State, shown: Pair, true: Pair) -> None:
    """Remember that a client was shown these ids for those, so that what it does with them still works."""
    state.memory.setdefault("handed out", {})[shown] = true


async def honoured(call: Call, proceed: Step, state: State) -> Answer:
    """Middleware on deploy: ids that were handed out wrongly lead to what they were handed out for."""
    body = question(call)
    shown = body.get("pipeline_id"), body.get("pipeline_version_pk_id")
    true = state.memory.get("handed out", {}).get(shown) if all(is_of(each, int) for each in shown) else None
    if true is None:
        return await proceed(call)
    return await proceed(asking(call, body | {"pipeline_id": true[0], "pipeline_version_pk_id": true[1]}))


def with_status(status: int) -> Middleware:
    return answering(lambda answer: replace(answer, status=status))


def with_header(name: str, value: str) -> Callable[[Answer], Answer]:
    """Another value of a header; the empty one leaves it out."""
    return lambda answer: replace(answer, headers={**answer.headers, name: value})


def name_fails(field: str, fails: Callable[[str], bool]) -> Middleware:
    """A name that `fails` says so of is a 500."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        name = question(call).get(field)
        if isinstance(name, str) and fails(name):
            return RefusalError(500, "Internal Server Error").answer()
        return await proceed(call)

    return around


def beyond_ascii(name: str) -> bool:
    return not name.isascii()


def late_once(seconds: float) -> Middleware:
    """The first answer of each deployment, and no other, is late."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        key = f"late {call.operation}"
        if answer.status == 200 and not state.memory.get(key):
            state.memory[key] = True
            await asyncio.sleep(seconds)
        return answer

    return around


def showing(text: str) -> Callable[[Answer], Answer]:
    """A refusal that says more than it should."""

    def shown(answer: Answer) -> Answer:
        body = answer.json
        return with_json(answer, body | {"msg": f"{body['msg']} {text}"}) if isinstance(body, dict) else answer

    return shown


def refusing_where(applies: Callable[[dict[str, Any], State], Any], status: int = 400) -> Middleware:
    """Middleware that refuses the calls whose body `applies` says so of, where they would have been served."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        body = question(call)
        return RefusalError(status, "Bad request: not so").answer() if applies(body, state) else await proceed(call)

    return around


def refusing_with(field: str) -> Middleware:
    """Middleware that refuses the calls whose body has this field."""
    return refusing_where(lambda body, state: body.get(field))


async def remembering_copies(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    if answer.status == 200:
        state.memory.setdefault("copies", set()).add(answer.json["pipeline_pk_id"])
    return answer


def is_copy(field: str) -> Callable[[dict[str, Any], State], bool]:
    return lambda body, state: body.get(field) in state.memory.get("copies", ())
