"""Faults of shape: a body that is none is served, and one that is unusual fails."""

from __future__ import annotations

from collections.abc import Callable

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import JSON_OPERATIONS, Fault, each, question
from conformance.emulator.wire import JSON, Answer, Call, RefusalError
from conformance.emulator.world import Around, Step, World

_CREATE, _DEPLOY, _COPY, _INFER = "pipelines.create", "pipelines.deploy", "pipelines.copy", "pipelines.infer"
_STATUS = "status.get-deployment"


async def _unreadable_is_empty(call: Call, proceed: Step, world: World) -> Answer:
    """A body that is no JSON is read as the empty object, and answered as a success."""
    try:
        _ = call.json
    except ValueError:
        return Answer(200, b"{}")
    return await proceed(call)


async def _texts_will_do(call: Call, proceed: Step, world: World) -> Answer:
    """JSON that is no object is answered as a success."""
    try:
        whole = isinstance(call.json, dict)
    except ValueError:
        whole = True
    return await proceed(call) if whole else Answer(200, b"{}")


def _taken(applies: Callable[[Call], bool]) -> Around:
    """What a deployment cannot compute is answered as if it had no rows, where `applies` says so."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        return Answer(200, b"[]") if answer.status == 500 and applies(call) else answer

    return around


def _is_json(call: Call) -> bool:
    try:
        _ = call.json
    except ValueError:
        return False
    return True


def _has_null(call: Call) -> bool:
    return None in question(call).values()


def _is_unusual(call: Call) -> bool:
    return bool(set(question(call).get("definition") or ()) - {"steps"})


_UNUSUAL: dict[str, Callable[[Call], bool]] = {
    _CREATE: _is_unusual,
    _DEPLOY: _has_null,
    "pipelines.undeploy": _has_null,
    _COPY: lambda call: question(call).get("engine_config") == {},
    _INFER: lambda call: call.body == b"[]",
    "admin.get-pipeline-external-url": lambda call: not str(question(call).get("pipeline_name")).isascii(),
    _STATUS: lambda call: not str(question(call).get("name")).isascii(),
    "models.list-versions": _has_null,
    "workspaces.list": _has_null,
}
"""For an operation, requests as its description has them that are not the usual ones."""


async def _unusual_fails(call: Call, proceed: Step, world: World) -> Answer:
    """What the description allows, and few clients send, is a 500."""
    deployed = call.operation == _STATUS and by_name(world, str(question(call).get("name"))) is not None
    if deployed or not _UNUSUAL[call.operation](call):
        return await proceed(call)
    if call.operation == _INFER:
        return Answer(500, b'[{"error":"no rows","error_type":"Rows"}]')
    return RefusalError(500, "Internal Server Error").answer()


FAULTS = (
    Fault(
        "unreadable-bodies-are-served",
        each("refuses-what-is-no-request", JSON_OPERATIONS),
        "robustness",
        "A body that is no JSON is answered as a success.",
        dict.fromkeys(JSON_OPERATIONS, _unreadable_is_empty),
    ),
    Fault(
        "texts-are-served",
        each("refuses-invalid-requests", JSON_OPERATIONS),
        "robustness",
        "JSON that is no object is answered as a success.",
        dict.fromkeys(JSON_OPERATIONS, _texts_will_do),
    ),
    Fault(
        "infer-reads-anything",
        (f"{_INFER}.refuses-what-is-no-request",),
        "robustness",
        "A body that is no JSON is answered as one without rows.",
        {_INFER: _taken(lambda call: call.media_type == JSON and not _is_json(call))},
    ),
    Fault(
        "infer-takes-a-text",
        (f"{_INFER}.refuses-invalid-requests",),
        "robustness",
        "A text in place of rows is answered as none.",
        {_INFER: _taken(lambda call: call.media_type == JSON and _is_json(call) and isinstance(call.json, str))},
    ),
    Fault(
        "unusual-requests-are-500",
        each("survives-described-requests", tuple(_UNUSUAL)),
        "robustness",
        "A null, an empty name or list, or a name beyond ASCII is a 500 where it is allowed.",
        dict.fromkeys(_UNUSUAL, _unusual_fails),
    ),
)
