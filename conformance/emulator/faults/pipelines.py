"""Faults of creating and copying pipelines."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from conformance.emulator.faults.fault import (
    Pair,
    asking,
    beyond_ascii,
    fault,
    hand_out,
    honoured,
    is_copy,
    is_of,
    name_fails,
    question,
    refusing_where,
    refusing_with,
    remembering_copies,
    with_json,
)
from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.wire import Answer, Call, RefusalError

_COPY = "pipelines.copy"


async def _copy_is_gone(call: Call, proceed: Step, state: State) -> Answer:
    return Answer(404, b'{"msg":"Not found","code":404}')


async def _same_name_elsewhere(call: Call, proceed: Step, state: State) -> Answer:
    """A name leads to the pipeline that had it first, in whichever workspace."""
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    row = state.store.one("SELECT min(id) AS id FROM pipeline WHERE name = ?", question(call)["pipeline_id"])
    return _under(answer, row["id"], state) if row and row["id"] != answer.json["pipeline_pk_id"] else answer


def _under(answer: Answer, pipeline_id: int, state: State) -> Answer:
    """The answer of a create under another pipeline's id."""
    body, variant = answer.json, answer.json["pipeline_variant_pk_id"]
    hand_out(state, (pipeline_id, variant), (body["pipeline_pk_id"], variant))
    return with_json(answer, body | {"pipeline_pk_id": pipeline_id})


async def _name_is_not_enough(call: Call, proceed: Step, state: State) -> Answer:
    """Pipelines without steps share one id in a workspace, whatever they are called."""
    answer = await proceed(call)
    body = question(call)
    if answer.status != 200 or body.get("definition"):
        return answer
    first = state.memory.setdefault(f"empty-{body['workspace_id']}", answer.json["pipeline_pk_id"])
    return _under(answer, first, state)


async def _same_name_is_a_new_pipeline(call: Call, proceed: Step, state: State) -> Answer:
    """A name created again leaves the old pipeline under another name and makes a new one."""
    body = question(call)
    name, workspace = body.get("pipeline_id"), body.get("workspace_id")
    if isinstance(name, str) and isinstance(workspace, int):
        query = "UPDATE pipeline SET name = name || '#' || id WHERE name = ? AND workspace_id = ? AND id NOT IN (%s)"
        deployed = "SELECT pipeline_id FROM deployment WHERE stopped IS NULL"
        state.store.execute(query % deployed, name, workspace)
    return await proceed(call)


def _earlier(field: str, column: str) -> Middleware:
    """A create of a name that exists answers with this of the version before."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        query = f"SELECT {column} FROM variant WHERE pipeline_id = ? AND id < ? ORDER BY id DESC LIMIT 1"  # noqa: S608
        row = state.store.one(query, answer.json["pipeline_pk_id"], answer.json["pipeline_variant_pk_id"])
        return with_json(answer, answer.json | {field: row[column]}) if row else answer

    return around


def _of_source(fields: dict[str, str], *, of_copies: bool = False) -> Middleware:
    """A copy answers with these ids of its source, by column of its newest version.

    `of_copies` leaves the copies of originals alone: what is done with them is most of what a client does.
    """

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        body, source = answer.json, int(question(call)["source_pipeline"])
        copies = state.memory.setdefault("made by copying", set())
        copies.add(body["pipeline_pk_id"])
        query = "SELECT pipeline_id, id FROM variant WHERE pipeline_id = ? ORDER BY id DESC LIMIT 1"
        row = state.store.one(query, source)
        if row is None or (of_copies and source not in copies):
            return answer
        altered = body | {field: row[column] for field, column in fields.items()}
        hand_out(state, _ids(altered), _ids(body))
        return with_json(answer, altered)

    return around


def _ids(body: dict[str, Any]) -> Pair:
    return body["pipeline_pk_id"], body["pipeline_variant_pk_id"]


async def _copies_and_deploys(call: Call, proceed: Step, state: State) -> Answer:
    body = question(call)
    name = body.get("deploy") or body.get("name")
    return await proceed(asking(call, body | {"deploy": name}) if isinstance(name, str) else call)


async def _copies_the_oldest(call: Call, proceed: Step, state: State) -> Answer:
    """The oldest version is copied, whichever was asked for."""
    body = question(call)
    row = None
    if isinstance(body.get("source_pipeline"), int):
        query = "SELECT version FROM variant WHERE pipeline_id = ? ORDER BY id LIMIT 1"
        row = state.store.one(query, body["source_pipeline"])
    answer = await proceed(asking(call, body | {"pipeline_version": row["version"]}) if row else call)
    return (
        with_json(answer, answer.json | {"pipeline_version": body.get("pipeline_version")}) if _made(answer) else answer
    )


def _made(answer: Answer) -> bool:
    return answer.status == 200


def _copy_tells(change: Any) -> Middleware:
    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        return with_json(answer, answer.json | change(question(call))) if _made(answer) else answer

    return around


async def _unknown_workspace_is_the_first(call: Call, proceed: Step, state: State) -> Answer:
    body = question(call)
    workspace = body.get("workspace_id")
    known = not is_of(workspace, int) or state.store.one("SELECT 1 FROM workspace WHERE id = ?", workspace)
    return await proceed(call if known else asking(call, body | {"workspace_id": 10}))


async def _unknown_source_is_the_newest(call: Call, proceed: Step, state: State) -> Answer:
    body = question(call)
    source = body.get("source_pipeline")
    if not is_of(source, int) or state.store.one("SELECT 1 FROM pipeline WHERE id = ?", source):
        return await proceed(call)
    newest = state.store.one("SELECT max(id) AS id FROM pipeline WHERE workspace_id = ?", body.get("workspace_id"))
    return await proceed(asking(call, body | {"source_pipeline": newest["id"] if newest else source}))


async def _source_of_any_workspace(call: Call, proceed: Step, state: State) -> Answer:
    body = question(call)
    row = None
    if is_of(body.get("source_pipeline"), int) and is_of(body.get("workspace_id"), int):
        row = state.store.one("SELECT workspace_id FROM pipeline WHERE id = ?", body["source_pipeline"])
    return await proceed(asking(call, body | {"workspace_id": row["workspace_id"]}) if row else call)


async def _changed_anyway(call: Call, proceed: Step, state: State) -> Answer:
    """A create that is refused for its workspace or definition has made its pipeline all the same."""
    answer = await proceed(call)
    body = question(call)
    name, store = body.get("pipeline_id") or body.get("name"), state.store
    if answer.status != 400 or not isinstance(name, str) or not name:
        return answer
    workspace = body.get("workspace_id")
    known = isinstance(workspace, int) and store.one("SELECT 1 FROM workspace WHERE id = ?", workspace)
    place = workspace if known else 10
    if store.one("SELECT 1 FROM pipeline WHERE workspace_id = ? AND name = ?", place, name) is None:
        with store.transaction():
            made = store.add("pipeline", workspace_id=place, name=name)
            store.add("variant", pipeline_id=made, version=str(uuid.uuid4()), definition="{}")
    return answer


def _is_taken(body: dict[str, Any], state: State) -> bool:
    query = "SELECT 1 FROM pipeline WHERE workspace_id = ? AND name = ?"
    name, workspace = body.get("pipeline_id"), body.get("workspace_id")
    known = isinstance(name, str) and isinstance(workspace, int)
    return known and state.store.one(query, workspace, name) is not None


async def _a_copy_is_not_copied(call: Call, proceed: Step, state: State) -> Answer:
    if is_copy("source_pipeline")(question(call), state):
        return RefusalError(400, "Bad request: a copy cannot be copied").answer()
    return await remembering_copies(call, proceed, state)


async def _definition_in_a_text(call: Call, proceed: Step, state: State) -> Answer:
    body = question(call)
    try:
        read = orjson.loads(body["definition"]) if isinstance(body.get("definition"), str) else None
    except ValueError:
        read = None
    return await proceed(call if read is None else asking(call, body | {"definition": read}))


async def _numbered(call: Call, proceed: Step, state: State) -> Answer:
    """Versions of models are called by their numbers."""
    answer = await proceed(call)
    state.store.execute("UPDATE model_version SET version = CAST(id AS TEXT)")
    return answer


async def _told_with_what_was_asked(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    return with_json(answer, question(call) | answer.json) if answer.status == 200 else answer


FAULTS = (
    fault(
        "copy-is-gone",
        "regressions",
        "Copy is answered by 404, as in releases since 2024.1.",
        _copy_is_gone,
        "pipelines.copy.serves-valid-requests",
        "pipelines.copy.stands-where-its-examples-send-to",
    ),
    fault(
        "empty-pipelines-share-an-id",
        "relations",
        "Pipelines without steps share one id, whatever their names.",
        {"pipelines.create": _name_is_not_enough, "pipelines.deploy": honoured},
        "pipelines.create.another-name-is-another-pipeline",
    ),
    fault(
        "names-are-shared-between-workspaces",
        "relations",
        "A name that another workspace had first leads to that one's pipeline.",
        {"pipelines.create": _same_name_elsewhere, "pipelines.deploy": honoured},
        "pipelines.create.the-same-name-elsewhere-is-another-pipeline",
    ),
    fault(
        "create-again-makes-another-pipeline",
        "idempotence",
        "Creating a name that exists makes a new pipeline of that name.",
        _same_name_is_a_new_pipeline,
        "pipelines.create.same-name-keeps-the-pipeline",
    ),
    fault(
        "create-again-gives-the-earlier-version",
        "idempotence",
        "Creating a name that exists answers with the version id that was there before.",
        _earlier("pipeline_variant_pk_id", "id"),
        "pipelines.create.each-create-adds-a-version",
    ),
    fault(
        "create-again-gives-the-earlier-uuid",
        "idempotence",
        "Creating a name that exists answers with the UUID that was there before.",
        _earlier("pipeline_variant_version", "version"),
        "pipelines.create.each-version-has-its-own-uuid",
    ),
    fault(
        "copy-gives-its-sources-id",
        "idempotence",
        "A copy of a copy is answered by the id of its source.",
        {_COPY: _of_source({"pipeline_pk_id": "pipeline_id"}, of_copies=True), "pipelines.deploy": honoured},
        "pipelines.copy.makes-a-new-pipeline",
    ),
    fault(
        "copy-gives-its-sources-version",
        "idempotence",
        "A copy is answered by the version id of its source.",
        {_COPY: _of_source({"pipeline_variant_pk_id": "id"}), "pipelines.deploy": honoured},
        "pipelines.copy.makes-a-version-of-its-own",
    ),
    fault(
        "copy-deploys-unasked",
        "idempotence",
        "A copy is deployed although nobody asked for it.",
        {_COPY: _copies_and_deploys, "pipelines.deploy": honoured},
        "pipelines.copy.deploys-only-when-asked",
    ),
    fault(
        "copy-takes-the-oldest-version",
        "idempotence",
        "The oldest version of the source is copied.",
        {_COPY: _copies_the_oldest, "pipelines.deploy": honoured},
        "pipelines.copy.copies-the-definition",
    ),
    fault(
        "copy-hides-its-deployment",
        "idempotence",
        "A copy that was asked to deploy answers null in deployment.",
        {_COPY: _copy_tells(lambda asked: {"deployment": None}), "pipelines.deploy": honoured},
        "pipelines.copy.tells-the-deployment-it-was-asked-for",
    ),
    fault(
        "copy-makes-up-a-version",
        "idempotence",
        "A copy answers a pipeline_version that nobody asked for.",
        {_COPY: _copy_tells(lambda asked: {"pipeline_version": str(uuid.uuid4())}), "pipelines.deploy": honoured},
        "pipelines.copy.tells-the-version-it-was-asked-for",
    ),
    fault(
        "create-in-an-unknown-workspace",
        "robustness",
        "A pipeline for a workspace that never was is made in the first one.",
        _unknown_workspace_is_the_first,
        "pipelines.create.refuses-an-unknown-workspace",
    ),
    fault(
        "copy-of-an-unknown-source",
        "robustness",
        "A copy of what never was copies the newest pipeline.",
        _unknown_source_is_the_newest,
        "pipelines.copy.refuses-an-unknown-source",
    ),
    fault(
        "copy-across-workspaces",
        "robustness",
        "A pipeline is copied by way of a workspace that it is not in.",
        _source_of_any_workspace,
        "pipelines.copy.refuses-a-source-of-another-workspace",
    ),
    fault(
        "create-64-characters-is-500",
        "robustness",
        "A pipeline's name of exactly 64 characters is a 500.",
        name_fails("pipeline_id", lambda name: len(name) == 64),
        "pipelines.create.no-name-brings-it-down",
    ),
    fault(
        "copy-beyond-ascii-is-500",
        "robustness",
        "A copy's name beyond ASCII is a 500.",
        name_fails("name", beyond_ascii),
        "pipelines.copy.no-name-brings-it-down",
    ),
    fault(
        "create-refused-but-made",
        "robustness",
        "A create that is refused has made its pipeline.",
        _changed_anyway,
        "pipelines.create.a-refusal-changes-nothing",
    ),
    fault(
        "copy-refused-but-made",
        "robustness",
        "A copy that is refused has made its pipeline.",
        _changed_anyway,
        "pipelines.copy.a-refusal-changes-nothing",
    ),
    fault(
        "create-of-a-known-name-is-refused",
        "service",
        "A name that exists is refused.",
        refusing_where(_is_taken),
        "pipelines.create.serves-valid-requests",
    ),
    fault(
        "create-refuses-an-empty-definition",
        "service",
        "The definition {} is refused.",
        refusing_where(lambda body, state: body.get("definition") == {}),
        "pipelines.create.takes-an-empty-definition",
    ),
    fault(
        "create-refuses-model-steps",
        "service",
        "A definition with anything in it is refused.",
        refusing_with("definition"),
        "pipelines.create.takes-model-steps",
    ),
    fault(
        "create-requires-a-definition",
        "service",
        "A pipeline without a definition is refused.",
        refusing_where(lambda body, state: body.get("definition") is None),
        "pipelines.create.takes-no-definition",
    ),
    fault(
        "create-refuses-63-characters",
        "service",
        "A name of 63 characters is refused.",
        refusing_where(lambda body, state: len(str(body.get("pipeline_id"))) == 63),
        "pipelines.create.takes-names-of-63-characters",
    ),
    fault(
        "copy-refuses-a-copy", "service", "A copy is not copied.", _a_copy_is_not_copied, "pipelines.copy.takes-a-copy"
    ),
    fault(
        "copy-refuses-a-version",
        "service",
        "A copy of a given version is refused.",
        refusing_with("pipeline_version"),
        "pipelines.copy.takes-a-version-to-copy",
    ),
    fault(
        "copy-refuses-to-deploy",
        "service",
        "A copy that is to be deployed is refused.",
        refusing_with("deploy"),
        "pipelines.copy.takes-a-deployment-to-make",
    ),
    fault(
        "copy-refuses-an-engine-config",
        "service",
        "A copy with an engine_config is refused.",
        refusing_with("engine_config"),
        "pipelines.copy.takes-an-engine-config",
    ),
    fault(
        "create-takes-a-text-for-a-definition",
        "contradictions",
        "A definition may be JSON inside a string.",
        _definition_in_a_text,
        "pipelines.create.reads-the-definition-as-an-object",
    ),
    fault(
        "versions-are-numbers",
        "contradictions",
        "Versions of models are called by numbers.",
        {"models.upload-and-convert": _numbered},
        "pipelines.create.names-model-versions-by-uuid",
    ),
    fault(
        "copy-repeats-its-parameters",
        "contradictions",
        "A copy's answer holds the fields that were sent.",
        _told_with_what_was_asked,
        "pipelines.copy.takes-what-stands-under-returns",
    ),
)
