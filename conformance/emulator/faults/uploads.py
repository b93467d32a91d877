"""Faults of uploads: a form is taken that should be refused, or is refused and kept all the same."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from conformance.emulator.faults.fault import Fault, is_of
from conformance.emulator.wire import Answer, Call, RefusalError
from conformance.emulator.world import Around, Step, World

_UPLOAD = "models.upload-and-convert"
_METADATA = re.compile(rb'name="metadata".*?\r\n\r\n(?P<json>.*?)\r\n--', re.DOTALL)
_CONVERSION = {"framework": "onnx", "requirements": []}


def _metadata(call: Call) -> dict[str, Any] | None:
    """What the form says of its model, None where it says nothing that is an object."""
    part = _METADATA.search(call.body)
    try:
        value = orjson.loads(part["json"]) if part else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _saying(call: Call, metadata: dict[str, Any]) -> Call:
    """The call with other metadata in its form."""
    part = _METADATA.search(call.body)
    assert part is not None
    start, end = part.span("json")
    return replace(call, body=call.body[:start] + orjson.dumps(metadata) + call.body[end:])


def _filling(field: str, value: Callable[[], Any]) -> Around:
    """Advice that fills in what the metadata lacks."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        metadata = _metadata(call)
        if metadata is None or field in metadata:
            return await proceed(call)
        return await proceed(_saying(call, metadata | {field: value()}))

    return around


async def _unknown_workspace_is_the_first(call: Call, proceed: Step, world: World) -> Answer:
    metadata = _metadata(call)
    workspace = metadata.get("workspace_id") if metadata else None
    if metadata is None or not is_of(workspace, int):
        return await proceed(call)
    if world.store.one("SELECT 1 FROM workspace WHERE id = ?", workspace):
        return await proceed(call)
    return await proceed(_saying(call, metadata | {"workspace_id": 10}))


def _taking(applies: Callable[[Call], bool]) -> Around:
    """Advice that answers what was refused as if a model had been kept, where `applies` says so."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.status != 400 or not applies(call):
            return answer
        made = world.memory["taken"] = world.memory.get("taken", 900_000) + 1
        return Answer(202, orjson.dumps({"insert_models": {"returning": [{"models": [{"id": made}]}]}}))

    return around


async def _kept_anyway(call: Call, proceed: Step, world: World) -> Answer:
    """An upload that is refused has become a version, without a file."""
    answer = await proceed(call)
    metadata = _metadata(call) or {}
    name, workspace = metadata.get("name"), metadata.get("workspace_id")
    if answer.status != 400 or not isinstance(name, str) or not is_of(workspace, int):
        return answer
    store = world.store
    with store.transaction():
        row = store.one("SELECT id FROM model WHERE workspace_id = ? AND name = ?", workspace, name)
        model = row["id"] if row else store.add("model", workspace_id=workspace, name=name)
        version = {"version": str(uuid.uuid4()), "sha": "0" * 64, "file_name": "", "owner_id": call.user}
        store.add("model_version", model_id=model, status="error", **version)
    return answer


async def _beyond_ascii_fails(call: Call, proceed: Step, world: World) -> Answer:
    name = (_metadata(call) or {}).get("name")
    if isinstance(name, str) and not name.isascii():
        return RefusalError(500, "Internal Server Error").answer()
    return await proceed(call)


async def _any_media_type(call: Call, proceed: Step, world: World) -> Answer:
    """A form is read as one whatever it is declared to be."""
    first = call.body.partition(b"\r\n")[0]
    if call.media_type == "multipart/form-data" or not first.startswith(b"--"):
        return await proceed(call)
    declared = f"multipart/form-data; boundary={first[2:].decode('latin-1')}"
    return await proceed(replace(call, headers={**call.headers, "content-type": declared}))


def _has(part: bytes) -> Callable[[Call], bool]:
    return lambda call: b'name="' + part + b'"' in call.body


def _fault(fault_id: str, slug: str, sentence: str, around: Around, *others: str) -> Fault:
    return Fault(fault_id, (f"{_UPLOAD}.{slug}", *others), "robustness", sentence, {_UPLOAD: around})


FAULTS = (
    _fault(
        "upload-takes-no-file",
        "requires-file",
        "A form without a file is answered as a success.",
        _taking(lambda call: _has(b"metadata")(call) and not _has(b"file")(call)),
    ),
    _fault(
        "upload-takes-no-metadata",
        "requires-metadata",
        "A form without metadata is answered as a success.",
        _taking(lambda call: _has(b"file")(call) and not _has(b"metadata")(call)),
    ),
    _fault(
        "upload-guesses-name",
        "requires-metadata-name",
        "An upload without a name is given one.",
        _filling("name", lambda: f"unnamed-{uuid.uuid4().hex[:8]}"),
    ),
    _fault(
        "upload-guesses-workspace",
        "requires-metadata-workspace-id",
        "An upload without a workspace goes to the first.",
        _filling("workspace_id", lambda: 10),
    ),
    _fault(
        "upload-guesses-conversion",
        "requires-metadata-conversion",
        "An upload without a conversion is taken for ONNX.",
        _filling("conversion", lambda: _CONVERSION),
    ),
    _fault(
        "upload-to-an-unknown-workspace",
        "refuses-an-unknown-workspace",
        "An upload to a workspace that never was goes to the first.",
        _unknown_workspace_is_the_first,
    ),
    _fault(
        "upload-reads-nothing-as-a-form",
        "refuses-what-is-no-request",
        "A body that is no form is answered as a success.",
        _taking(lambda call: not _has(b"file")(call) and not _has(b"metadata")(call)),
    ),
    _fault(
        "upload-takes-a-text-for-metadata",
        "refuses-invalid-requests",
        "An upload whose metadata is a text is answered as a success.",
        _taking(lambda call: _has(b"metadata")(call) and _metadata(call) is None),
    ),
    _fault(
        "upload-refused-but-kept", "a-refusal-changes-nothing", "An upload that is refused is listed.", _kept_anyway
    ),
    _fault(
        "upload-beyond-ascii-is-500",
        "no-name-brings-it-down",
        "A model's name beyond ASCII is a 500.",
        _beyond_ascii_fails,
        f"{_UPLOAD}.survives-described-requests",
    ),
    _fault(
        "upload-of-any-media-type",
        "refuses-another-media-type",
        "A form is read as one whatever it is declared to be.",
        _any_media_type,
    ),
)
