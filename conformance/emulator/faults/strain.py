"""Faults under strain: odd names, large batches, bad input, and time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from conformance.emulator.faults.fault import (
    Fault,
    question,
)
from conformance.emulator.wire import JSON, Answer, Call, RefusalError
from conformance.emulator.world import Around, Step, World

_CREATE, _DEPLOY, _COPY, _INFER = "pipelines.create", "pipelines.deploy", "pipelines.copy", "pipelines.infer"
_UPLOAD, _WORKSPACE, _STATUS = "models.upload-and-convert", "workspaces.create", "status.get-deployment"


def _name_fails(field: str, fails: Callable[[str], bool]) -> Around:
    """A name that `fails` says so of is a 500."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        name = question(call).get(field)
        if isinstance(name, str) and fails(name):
            return RefusalError(500, "Internal Server Error").answer()
        return await proceed(call)

    return around


def _beyond_ascii(name: str) -> bool:
    return not name.isascii()


async def _broken_by_bad_input(call: Call, proceed: Step, world: World) -> Answer:
    """After bad input, a deployment answers nothing but errors."""
    if world.memory.get(call.path):
        return Answer(500, b'[{"error":"engine is not available","error_type":"Unavailable"}]')
    answer = await proceed(call)
    if answer.status == 500:
        world.memory[call.path] = True
    return answer


def _many(call: Call) -> bool:
    return call.body.count(b"{") >= 1_000 or len(call.body) > 900_000


async def _too_many_rows(call: Call, proceed: Step, world: World) -> Answer:
    """A batch of a thousand is an error of the engine."""
    if _many(call):
        return Answer(500, b'[{"error":"message larger than max","error_type":"Transport"}]')
    return await proceed(call)


async def _texts_are_numbers(call: Call, proceed: Step, world: World) -> Answer:
    """Numbers written as texts are read as numbers, and other texts as zero."""
    if call.media_type != JSON or b'"' not in call.body:
        return await proceed(call)

    def number(value: Any) -> Any:
        if isinstance(value, list):
            return [number(item) for item in value]
        if not isinstance(value, str):
            return value
        return float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else 0.0

    try:
        rows = [{name: number(value) for name, value in row.items()} for row in call.json]
    except (ValueError, AttributeError, TypeError):
        return await proceed(call)
    return await proceed(replace(call, body=orjson.dumps(rows)))


async def _any_width(call: Call, proceed: Step, world: World) -> Answer:
    """Rows are cut, or filled with zeros, to the width that the model takes."""
    answer = await proceed(call)
    wanted = re.search(rb"takes \[(\d+)\] values a row", answer.body) if answer.status == 500 else None
    if not wanted or call.media_type != JSON:
        return answer
    width = int(wanted[1])
    rows = [{name: (value + [0.0] * width)[:width] for name, value in row.items()} for row in call.json]
    return await proceed(replace(call, body=orjson.dumps(rows)))


async def _truncated_is_empty(call: Call, proceed: Step, world: World) -> Answer:
    """An Arrow file that cannot be read is taken for one without rows."""
    answer = await proceed(call)
    unreadable = answer.status == 500 and b"not a valid Arrow file" in answer.body
    return Answer(200, b"[]") if unreadable else answer


async def _pickles_are_models(call: Call, proceed: Step, world: World) -> Answer:
    """Bytes that are no model become a version that is ready."""
    answer = await proceed(call)
    if answer.status != 400 or b"not an ONNX model" not in answer.body:
        return answer
    answer = await proceed(replace(call, body=call.body.replace(b'"onnx"', b'"keras"')))
    world.store.execute("UPDATE model_version SET status = 'ready' WHERE status = 'error'")
    return answer


def _late(seconds: float) -> Around:
    """The first answer of each deployment, and no other, is late."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        key = f"late {call.operation}"
        if answer.status == 200 and not world.memory.get(key):
            world.memory[key] = True
            await asyncio.sleep(seconds)
        return answer

    return around


FAULTS = (
    Fault(
        "create-64-characters-is-500",
        (f"{_CREATE}.no-name-brings-it-down",),
        "robustness",
        "A pipeline's name of exactly 64 characters is a 500.",
        {_CREATE: _name_fails("pipeline_id", lambda name: len(name) == 64)},
    ),
    Fault(
        "copy-beyond-ascii-is-500",
        (f"{_COPY}.no-name-brings-it-down",),
        "robustness",
        "A copy's name beyond ASCII is a 500.",
        {_COPY: _name_fails("name", _beyond_ascii)},
    ),
    Fault(
        "deploy-beyond-ascii-is-500",
        (f"{_DEPLOY}.survives-described-requests",),
        "robustness",
        "A deployment's name beyond ASCII is a 500.",
        {_DEPLOY: _name_fails("deploy_id", _beyond_ascii)},
    ),
    Fault(
        "workspace-beyond-ascii-is-500",
        (f"{_WORKSPACE}.no-name-brings-it-down", f"{_WORKSPACE}.survives-described-requests"),
        "robustness",
        "A workspace's name beyond ASCII is a 500.",
        {_WORKSPACE: _name_fails("workspace_name", _beyond_ascii)},
    ),
    Fault(
        "infer-breaks-by-bad-input",
        (f"{_INFER}.serves-on-after-bad-input",),
        "robustness",
        "After bad input, a deployment serves nothing any more.",
        {_INFER: _broken_by_bad_input},
    ),
    Fault(
        "infer-fails-on-many-rows",
        (f"{_INFER}.takes-many-rows",),
        "robustness",
        "A batch of a thousand rows is a 500.",
        {_INFER: _too_many_rows},
    ),
    Fault(
        "infer-reads-texts-as-numbers",
        (f"{_INFER}.refuses-texts-for-numbers",),
        "robustness",
        "Texts in rows are read as numbers.",
        {_INFER: _texts_are_numbers},
    ),
    Fault(
        "infer-takes-any-width",
        (f"{_INFER}.refuses-rows-of-another-width",),
        "robustness",
        "Rows of another width are cut, or filled up.",
        {_INFER: _any_width},
    ),
    Fault(
        "infer-takes-truncated-arrow",
        (f"{_INFER}.refuses-a-truncated-arrow-file",),
        "robustness",
        "An Arrow file cut short is answered as one without rows.",
        {_INFER: _truncated_is_empty},
    ),
    Fault(
        "upload-takes-anything",
        (f"{_UPLOAD}.refuses-what-is-no-model",),
        "robustness",
        "Bytes that are no model become a version that is ready.",
        {_UPLOAD: _pickles_are_models},
    ),
    Fault(
        "status-is-late",
        (f"{_STATUS}.answers-within-five-seconds",),
        "timing",
        "The first status that is found takes six seconds.",
        {_STATUS: _late(6)},
    ),
    Fault(
        "infer-is-late",
        (f"{_INFER}.answers-within-fifteen-seconds",),
        "timing",
        "The first inference takes sixteen seconds.",
        {_INFER: _late(16)},
    ),
)
