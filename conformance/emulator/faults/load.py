"""Faults that show while many ask at once, or while a deployment is changed: `conformance load` finds them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from conformance.emulator.deployments import Deployment, by_name
from conformance.emulator.faults.fault import Fault, Kind, fault
from conformance.emulator.inference import serve
from conformance.emulator.state import State, Step
from conformance.emulator.wire import Answer, Call, ClientGoneError

_KIND: Kind = "under load"
_INFER, _DEPLOY = "pipelines.infer", "pipelines.deploy"

_FIRST, _EACH = 500, 10_000
"""Which inference is the first that the faults of one in ten thousand meet, and how many lie between two."""

_PAUSE_SECONDS = 0.4
"""A pause of 300 ms and what two clocks may differ by, so that none is taken for a usual one."""

_ONE_IN = 20
_SWAP_SECONDS = 0.25
"""How long an answer waits for another one to be exchanged with."""


def _counted(state: State, name: str) -> int:
    count: int = state.memory.get(name, 0) + 1
    state.memory[name] = count
    return count


async def _loses_one_in_many(call: Call, proceed: Step, state: State) -> Answer:
    if _counted(state, "inferences") % _EACH == _FIRST:
        call.abort()
        await asyncio.sleep(0)  # the server hears of it before it is told that nobody is answered
        raise ClientGoneError
    return await proceed(call)


async def _marks_a_swap(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    if answer.status == 200 and _counted(state, "deploys") > 1:
        state.memory["paused until"] = asyncio.get_running_loop().time() + _PAUSE_SECONDS
    return answer


async def _waits_at_a_swap(call: Call, proceed: Step, state: State) -> Answer:
    left = state.memory.get("paused until", 0.0) - asyncio.get_running_loop().time()
    if left > 0:
        await asyncio.sleep(left)
    return await proceed(call)


async def _answers_by_an_old_version(call: Call, proceed: Step, state: State) -> Answer:
    now = by_name(state, call.parameters.get("deployment", ""))
    if now is None:
        return await proceed(call)
    first: Deployment = state.memory.setdefault(f"first of {now.id}", now)
    if first.models == now.models or _counted(state, "answers") % _ONE_IN:
        return await proceed(call)
    return await serve(call, state, replace(now, models=first.models))


async def _exchanges_two_answers(call: Call, proceed: Step, state: State) -> Answer:
    """Now and then an answer waits for the next of its form, and each goes to who asked for the other."""
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    waiting: tuple[str, asyncio.Future[Answer], Answer] | None = state.memory.get("waiting")
    if waiting is not None and waiting[0] == answer.media_type and not waiting[1].done():
        state.memory["waiting"] = None
        waiting[1].set_result(answer)
        return waiting[2]
    if waiting is None and _counted(state, "answers") % 200 == 0:
        other: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        state.memory["waiting"] = (answer.media_type, other, answer)
        try:
            return await asyncio.wait_for(other, _SWAP_SECONDS)
        except TimeoutError:
            state.memory["waiting"] = None
    return answer


FAULTS: tuple[Fault, ...] = (
    fault(
        "one-inference-in-many-is-lost",
        _KIND,
        "The connection is closed in place of an answer once in ten thousand inferences.",
        {_INFER: _loses_one_in_many},
        "pipelines.infer.answers-each-of-many",
    ),
    fault(
        "inference-pauses-at-a-swap",
        _KIND,
        "No inference is answered for a while once a pipeline is deployed again.",
        {_DEPLOY: _marks_a_swap, _INFER: _waits_at_a_swap},
        "pipelines.deploy.leaves-no-gap",
    ),
    fault(
        "old-version-answers-after-a-swap",
        _KIND,
        "Some inferences are still answered by the version that was deployed over.",
        {_INFER: _answers_by_an_old_version},
        "pipelines.deploy.serves-the-version-deployed-last",
    ),
    fault(
        "two-answers-exchanged-under-load",
        _KIND,
        "Two inferences at the same moment get each other's answer.",
        {_INFER: _exchanges_two_answers},
        "pipelines.infer.echoes-its-input",
    ),
)
