"""Faults of what pipelines are made of: uploads, lists of versions, and workspaces."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import (
    answering,
    asking,
    beyond_ascii,
    fault,
    is_of,
    name_fails,
    of_operations,
    question,
    refusing,
    refusing_where,
    showing,
    succeeding,
    with_header,
    with_json,
    with_status,
)
from conformance.emulator.state import RESPOND, Middleware, State, Step
from conformance.emulator.wire import Answer, Call, RefusalError

_VERSIONS = "models.list-versions"
_QUERY = "error returned from database: SELECT id, owner_id FROM pipeline WHERE pipeline_id = $1"
_CONVERSION = {"framework": "onnx", "requirements": []}


async def _an_ending_is_needed(call: Call, proceed: Step, state: State) -> Answer:
    """A file whose name has no ending is refused."""
    named = re.search(rb'filename="([^"]*)"', call.body)
    if named and b"." not in named[1]:
        return Answer(400, b'{"msg":"Bad request: the file\'s name has no known ending.","code":400}')
    return await proceed(call)


def _too_long(answer: Answer) -> Answer:
    return with_header("content-length", str(len(answer.body) + 7))(answer)


def _other(sha: str) -> str:
    return hashlib.sha256(sha.encode()).hexdigest()


def _another_sha_but_for_the_first(found: Any) -> Any:
    """The first of each name keeps its own, since clients deploy by the sha that is listed."""
    first = {each["models_pk_id"]: each["id"] for each in sorted(found, key=lambda each: -each["id"])}
    return [
        each if each["id"] == first[each["models_pk_id"]] else each | {"sha": _other(each["sha"])} for each in found
    ]


async def _known_by_the_other_sha(call: Call, proceed: Step, state: State) -> Answer:
    """Who names a model by the sha that was listed means the model that was listed."""
    body = call.body.decode("utf-8", "replace")
    for row in state.store.all("SELECT DISTINCT sha FROM model_version"):
        body = body.replace(_other(row["sha"]), row["sha"])
    return await proceed(replace(call, body=body.encode()))


def _is_later(state: State, version: str) -> bool:
    """Whether a version is not the first of its model."""
    query = """SELECT 1 FROM model_version v JOIN model_version earlier ON earlier.model_id = v.model_id
        AND earlier.id < v.id WHERE v.version = ?"""
    return state.store.one(query, version) is not None


async def _shown_by_the_other_sha(call: Call, proceed: Step, state: State) -> Answer:
    """Status and inference show the sha by which a version is listed."""
    answer = await proceed(call)
    name = call.parameters.get("deployment") or question(call).get("name")
    deployment = by_name(state, name) if answer.status == 200 and isinstance(name, str) else None
    body = answer.body
    for model in deployment.models if deployment else ():
        if _is_later(state, model.version):
            body = body.replace(model.sha.encode(), _other(model.sha).encode())
    return replace(answer, body=body)


def _listing(alter: Any) -> dict[str, Middleware]:
    """Middleware on listed versions, for a list that has any."""
    return {_VERSIONS: succeeding(lambda found: alter(found) if found else found)}


async def _unrelated_version(call: Call, proceed: Step, state: State) -> Answer:
    """Versions of a name that merely begins like the one asked for, or of none, are listed with it."""
    answer = await proceed(call)
    if answer.status != 200 or not answer.json:
        return answer
    more = answer.json[0] | {"id": 999_999, "model_id": "unrelated", "models_pk_id": 999_999}
    return with_json(answer, [*answer.json, more | {"model_version": str(uuid.uuid4())}])


async def _all_for_an_unknown_name(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    if answer.status != 200 or answer.json:
        return answer
    return await proceed(asking(call, {}))


async def _finds_nothing_by_key(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    by_key = question(call).get("models_pk_id") is not None and question(call).get("model_id") is None
    return with_json(answer, []) if by_key and answer.status == 200 else answer


async def _loads_again(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    told = state.memory.setdefault("told ready", {})
    rows = answer.json
    for row in rows:
        if row["status"] == "ready":
            told[row["id"]] = told.get(row["id"], 0) + 1
            row["status"] = "ready" if told[row["id"]] % 2 else "uploading"
    return with_json(answer, rows)


def _without_newest(found: Any) -> Any:
    newest = max(each["id"] for each in found)
    return [each for each in found if each["id"] != newest]


def _model_keys_apart(found: Any) -> Any:
    return [each | {"models_pk_id": each["models_pk_id"] + index} for index, each in enumerate(found)]


async def _workspaces_without_new(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    return with_json(answer, {"workspaces": answer.json["workspaces"][:1]})


def _workspaces_poured_together(body: Any) -> Any:
    every = sorted({pipeline for each in body["workspaces"] for pipeline in each["pipelines"]})
    return {"workspaces": [each | {"pipelines": every} for each in body["workspaces"]]}


def _workspaces_emptied(body: Any) -> Any:
    return {"workspaces": [each | {"models": [], "pipelines": []} for each in body["workspaces"]]}


def _aliased(kind: str, field: str) -> Middleware:
    """Middleware that gives every second thing made the id of the first."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status // 100 != 2:
            return answer
        first = state.memory.setdefault(kind, answer.json[field])
        return with_json(answer, answer.json | {field: first})

    return around


async def _first_upload(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    first: Answer = state.memory.setdefault("upload", answer) if answer.status == 202 else answer
    return first


async def _pickles_are_models(call: Call, proceed: Step, state: State) -> Answer:
    """Bytes that are no model become a version that is ready."""
    answer = await proceed(call)
    if answer.status != 400 or b"not an ONNX model" not in answer.body:
        return answer
    answer = await proceed(replace(call, body=call.body.replace(b'"onnx"', b'"keras"')))
    state.store.execute("UPDATE model_version SET status = 'ready' WHERE status = 'error'")
    return answer


async def _workspace_anyway(call: Call, proceed: Step, state: State) -> Answer:
    """A workspace that is refused for its name has been made under another."""
    answer = await proceed(call)
    if answer.status == 400 and question(call):
        await proceed(asking(call, {"workspace_name": f"untitled-{uuid.uuid4().hex[:8]}"}))
    return answer


async def _same_bytes_are_refused(call: Call, proceed: Step, state: State) -> Answer:
    """A file that a model's name has already is refused."""
    answer = await proceed(call)
    if answer.status != 202:
        return answer
    made = answer.json["insert_models"]["returning"][0]["models"][0]["id"]
    query = """SELECT 1 FROM model_version a JOIN model_version b ON a.model_id = b.model_id AND a.sha = b.sha
        WHERE a.id = ? AND b.id < a.id"""
    if state.store.one(query, made) is None:
        return answer
    state.store.execute("DELETE FROM model_version WHERE id = ?", made)
    return RefusalError(400, "Bad request: the model has this file already").answer()


async def _two_workspaces(call: Call, proceed: Step, state: State) -> Answer:
    row = state.store.one("SELECT count(*) AS made FROM workspace")
    if row is not None and row["made"] > 2:
        return RefusalError(400, "Bad request: no more workspaces").answer()
    return await proceed(call)


async def _no_list_once_made(call: Call, proceed: Step, state: State) -> Answer:
    row = state.store.one("SELECT count(*) AS made FROM workspace")
    if row is not None and row["made"] > 1:
        return RefusalError(500, "Internal Server Error").answer()
    return await proceed(call)


_METADATA = re.compile(rb'name="metadata".*?\r\n\r\n(?P<json>.*?)\r\n--', re.DOTALL)


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


def _filling(field: str, value: Callable[[], Any]) -> Middleware:
    """Middleware that fills in what the metadata lacks."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        metadata = _metadata(call)
        if metadata is None or field in metadata:
            return await proceed(call)
        return await proceed(_saying(call, metadata | {field: value()}))

    return around


async def _unknown_workspace_is_the_first(call: Call, proceed: Step, state: State) -> Answer:
    metadata = _metadata(call)
    workspace = metadata.get("workspace_id") if metadata else None
    if metadata is None or not is_of(workspace, int):
        return await proceed(call)
    if state.store.one("SELECT 1 FROM workspace WHERE id = ?", workspace):
        return await proceed(call)
    return await proceed(_saying(call, metadata | {"workspace_id": 10}))


def _taking(applies: Callable[[Call], bool]) -> Middleware:
    """Middleware that answers what was refused as if a model had been kept, where `applies` says so."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status != 400 or not applies(call):
            return answer
        made = state.memory["taken"] = state.memory.get("taken", 900_000) + 1
        return Answer(202, orjson.dumps({"insert_models": {"returning": [{"models": [{"id": made}]}]}}))

    return around


async def _kept_anyway(call: Call, proceed: Step, state: State) -> Answer:
    """An upload that is refused has become a version, without a file."""
    answer = await proceed(call)
    metadata = _metadata(call) or {}
    name, workspace = metadata.get("name"), metadata.get("workspace_id")
    if answer.status != 400 or not isinstance(name, str) or not is_of(workspace, int):
        return answer
    store = state.store
    with store.transaction():
        row = store.one("SELECT id FROM model WHERE workspace_id = ? AND name = ?", workspace, name)
        model = row["id"] if row else store.add("model", workspace_id=workspace, name=name)
        version = {"version": str(uuid.uuid4()), "sha": "0" * 64, "file_name": "", "owner_id": call.user}
        store.add("model_version", model_id=model, status="error", **version)
    return answer


async def _beyond_ascii_fails(call: Call, proceed: Step, state: State) -> Answer:
    name = (_metadata(call) or {}).get("name")
    if isinstance(name, str) and not name.isascii():
        return RefusalError(500, "Internal Server Error").answer()
    return await proceed(call)


async def _any_media_type(call: Call, proceed: Step, state: State) -> Answer:
    """A form is read as one whatever it is declared to be."""
    first = call.body.partition(b"\r\n")[0]
    if call.media_type == "multipart/form-data" or not first.startswith(b"--"):
        return await proceed(call)
    declared = f"multipart/form-data; boundary={first[2:].decode('latin-1')}"
    return await proceed(replace(call, headers={**call.headers, "content-type": declared}))


def _has(part: bytes) -> Callable[[Call], bool]:
    return lambda call: b'name="' + part + b'"' in call.body


FAULTS = (
    fault(
        "upload-answers-200",
        "statuses",
        "An upload is answered by 200, as the tutorial leaves one to think.",
        with_status(200),
        "models.upload-and-convert.succeeds-with-its-documented-status",
        "models.upload-and-convert.is-accepted-not-done",
    ),
    fault(
        "upload-needs-an-ending",
        "regressions",
        "A file whose name has no ending is refused, as in releases since 2025.2.",
        _an_ending_is_needed,
        "models.upload-and-convert.takes-any-file-name",
    ),
    fault(
        "upload-blames-itself-for-bad-input",
        "statuses",
        "Bad uploads are answered by 501.",
        refusing(lambda answer: replace(answer, status=501), 400),
        "models.upload-and-convert.blames-bad-input-on-the-client",
        "models.upload-and-convert.refuses-with-a-declared-status",
    ),
    fault(
        "versions-another-sha",
        "relations",
        "Every version after a model's first is listed with the SHA-256 of something else, and known by it.",
        {
            **_listing(_another_sha_but_for_the_first),
            "pipelines.create": _known_by_the_other_sha,
            "pipelines.deploy": _known_by_the_other_sha,
            "status.get-deployment": _shown_by_the_other_sha,
            "pipelines.infer": _shown_by_the_other_sha,
        },
        "models.list-versions.sha-is-of-the-uploaded-bytes",
    ),
    fault(
        "versions-without-newest",
        "relations",
        "The newest version is not listed.",
        _listing(_without_newest),
        "models.list-versions.lists-what-was-uploaded",
    ),
    fault(
        "ready-versions-load-again",
        "relations",
        "Every second list says of a ready version that it is being uploaded.",
        {_VERSIONS: _loads_again},
        "models.list-versions.what-is-ready-stays-ready",
    ),
    fault(
        "nothing-under-a-models-key",
        "relations",
        "Versions asked for by their model's key alone are not found.",
        {_VERSIONS: _finds_nothing_by_key},
        "models.list-versions.lists-what-was-uploaded",
    ),
    fault(
        "versions-twice",
        "relations",
        "Each version is listed twice.",
        _listing(lambda found: found * 2),
        "models.list-versions.lists-each-version-once",
    ),
    fault(
        "versions-of-several-models",
        "relations",
        "Each version of a name has a models_pk_id of its own.",
        _listing(_model_keys_apart),
        "models.list-versions.versions-of-a-name-share-their-model",
    ),
    fault(
        "versions-share-a-uuid",
        "relations",
        "All listed versions have one model_version.",
        _listing(lambda found: [each | {"model_version": found[0]["model_version"]} for each in found]),
        "models.list-versions.each-version-has-its-own-uuid",
    ),
    fault(
        "versions-of-others",
        "relations",
        "A version of an unrelated model is listed too.",
        _unrelated_version,
        "models.list-versions.lists-only-what-was-asked",
    ),
    fault(
        "versions-of-an-unknown-name",
        "relations",
        "A name that was never uploaded lists every version there is.",
        _all_for_an_unknown_name,
        "models.list-versions.lists-nothing-under-an-unknown-name",
    ),
    fault(
        "upload-gives-one-id",
        "relations",
        "Every upload is answered by the id of the first.",
        _first_upload,
        "models.upload-and-convert.each-upload-is-a-new-version",
    ),
    fault(
        "upload-takes-anything",
        "robustness",
        "Bytes that are no model become a version that is ready.",
        _pickles_are_models,
        "models.upload-and-convert.refuses-what-is-no-model",
    ),
    fault(
        "upload-shows-its-query",
        "leaks",
        "A refused upload shows the query that failed, as was recorded.",
        refusing(showing(_QUERY), 400, 500),
        "models.upload-and-convert.keeps-its-insides-to-itself",
    ),
    fault(
        "upload-refuses-without-a-code",
        "response schema",
        "The JSON body of a refused upload has no code.",
        refusing(lambda answer: Answer(answer.status, b'{"msg":"refused"}'), 400, 500),
        "models.upload-and-convert.refuses-with-the-described-body",
    ),
    fault(
        "upload-of-known-bytes-is-refused",
        "service",
        "A file is not taken twice.",
        _same_bytes_are_refused,
        "models.upload-and-convert.serves-valid-requests",
    ),
    fault(
        "list-versions-by-key-is-refused",
        "service",
        "Versions are not listed by their model's key alone.",
        refusing_where(lambda body, state: body.get("models_pk_id") is not None and body.get("model_id") is None),
        "models.list-versions.serves-valid-requests",
    ),
    fault(
        "upload-takes-no-file",
        "robustness",
        "A form without a file is answered as a success.",
        _taking(lambda call: _has(b"metadata")(call) and not _has(b"file")(call)),
        "models.upload-and-convert.requires-file",
    ),
    fault(
        "upload-takes-no-metadata",
        "robustness",
        "A form without metadata is answered as a success.",
        _taking(lambda call: _has(b"file")(call) and not _has(b"metadata")(call)),
        "models.upload-and-convert.requires-metadata",
    ),
    fault(
        "upload-guesses-name",
        "robustness",
        "An upload without a name is given one.",
        _filling("name", lambda: f"unnamed-{uuid.uuid4().hex[:8]}"),
        "models.upload-and-convert.requires-metadata-name",
    ),
    fault(
        "upload-guesses-workspace",
        "robustness",
        "An upload without a workspace goes to the first.",
        _filling("workspace_id", lambda: 10),
        "models.upload-and-convert.requires-metadata-workspace-id",
    ),
    fault(
        "upload-guesses-conversion",
        "robustness",
        "An upload without a conversion is taken for ONNX.",
        _filling("conversion", lambda: _CONVERSION),
        "models.upload-and-convert.requires-metadata-conversion",
    ),
    fault(
        "upload-to-an-unknown-workspace",
        "robustness",
        "An upload to a workspace that never was goes to the first.",
        _unknown_workspace_is_the_first,
        "models.upload-and-convert.refuses-an-unknown-workspace",
    ),
    fault(
        "upload-reads-nothing-as-a-form",
        "robustness",
        "A body that is no form is answered as a success.",
        _taking(lambda call: not _has(b"file")(call) and not _has(b"metadata")(call)),
        "models.upload-and-convert.refuses-what-is-no-request",
    ),
    fault(
        "upload-takes-a-text-for-metadata",
        "robustness",
        "An upload whose metadata is a text is answered as a success.",
        _taking(lambda call: _has(b"metadata")(call) and _metadata(call) is None),
        "models.upload-and-convert.refuses-invalid-requests",
    ),
    fault(
        "upload-refused-but-kept",
        "robustness",
        "An upload that is refused is listed.",
        _kept_anyway,
        "models.upload-and-convert.a-refusal-changes-nothing",
    ),
    fault(
        "upload-beyond-ascii-is-500",
        "robustness",
        "A model's name beyond ASCII is a 500.",
        _beyond_ascii_fails,
        "models.upload-and-convert.no-name-brings-it-down",
        "models.upload-and-convert.survives-described-requests",
    ),
    fault(
        "upload-of-any-media-type",
        "robustness",
        "A form is read as one whatever it is declared to be.",
        _any_media_type,
        "models.upload-and-convert.refuses-another-media-type",
    ),
    fault(
        "content-length-too-long",
        "media types and headers",
        "The list of workspaces is shorter than its Content-Length says.",
        {RESPOND: of_operations(answering(_too_long), ("workspaces.list",))},
        "workspaces.list.declares-the-length-it-has",
        "workspaces.list.serves-valid-requests",
    ),
    fault(
        "workspaces-hide-the-new",
        "relations",
        "Only the first workspace is listed.",
        _workspaces_without_new,
        "workspaces.list.lists-what-was-created",
    ),
    fault(
        "workspaces-twice",
        "relations",
        "Each workspace is listed twice.",
        succeeding(lambda body: {"workspaces": body["workspaces"] * 2}),
        "workspaces.list.lists-each-workspace-once",
    ),
    fault(
        "workspaces-show-one-another",
        "relations",
        "Each listed workspace shows the pipelines of all.",
        succeeding(_workspaces_poured_together),
        "workspaces.list.shows-nothing-of-another-workspace",
    ),
    fault(
        "workspaces-seem-empty",
        "relations",
        "Listed workspaces never hold a model or a pipeline.",
        succeeding(_workspaces_emptied),
        "workspaces.list.lists-what-is-in-it",
    ),
    fault(
        "workspaces-share-an-id",
        "relations",
        "Every new workspace gets the id of the first.",
        _aliased("workspace", "workspace_id"),
        "workspaces.create.each-workspace-has-its-own-id",
    ),
    fault(
        "workspace-beyond-ascii-is-500",
        "robustness",
        "A workspace's name beyond ASCII is a 500.",
        name_fails("workspace_name", beyond_ascii),
        "workspaces.create.no-name-brings-it-down",
        "workspaces.create.survives-described-requests",
    ),
    fault(
        "workspace-refused-but-made",
        "robustness",
        "A workspace that is refused has been made.",
        _workspace_anyway,
        "workspaces.create.a-refusal-changes-nothing",
    ),
    fault(
        "two-workspaces-and-no-more",
        "service",
        "A third workspace is refused.",
        _two_workspaces,
        "workspaces.create.serves-valid-requests",
    ),
    fault(
        "no-list-of-workspaces",
        "service",
        "No list once one is made.",
        _no_list_once_made,
        "workspaces.list.serves-valid-requests",
    ),
)
