"""Faults of answers that are whole but for one thing: an output's form, a column of an Arrow file, a moment."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance.emulator.faults.fault import (
    JSON_OPERATIONS,
    Fault,
    answering,
    asking,
    each,
    fault,
    is_of,
    of_operations,
    question,
    refusing,
    showing,
    succeeding,
    with_header,
    with_json,
)
from conformance.emulator.faults.inference import Records, recording
from conformance.emulator.state import RESPOND, Middleware, State, Step
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call, RefusalError, answered

_INFER = "pipelines.infer"


def _json(alter: Callable[[Records], Records]) -> Middleware:
    """Middleware on the records of a JSON answer to a call that chose no columns."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        whole = answer.status == 200 and answer.media_type == JSON and not call.query
        return with_json(answer, alter(answer.json)) if whole else answer

    return around


def _table(alter: Callable[[Any], Any]) -> Middleware:
    """Middleware on the table of an Arrow answer to a call that chose no columns."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        whole = answer.status == 200 and answer.media_type == ARROW_FILE and not call.query
        return replace(answer, body=_rewritten(alter, answer.body)) if whole else answer

    return around


def _rewritten(alter: Callable[[Any], Any], body: bytes) -> bytes:
    import pyarrow as pa  # it loads slowly, and only an instance with such a fault needs it

    table = alter(pa.ipc.open_file(body).read_all())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    result: bytes = sink.getvalue().to_pybytes()
    return result


def _without_column(name: str) -> Middleware:
    return _table(lambda table: table.drop_columns([name]))


def _with_members(top: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Middleware:
    """Middleware on the members of a struct column, by name."""

    def alter(table: Any) -> Any:
        import pyarrow as pa

        column = table.column(top).combine_chunks()
        column = column if isinstance(column, pa.StructArray) else column.chunk(0)
        members = {field.name: part for field, part in zip(column.type, column.flatten(), strict=True)}
        changed = change(members)
        struct = pa.StructArray.from_arrays(list(changed.values()), list(changed))
        return table.set_column(table.column_names.index(top), top, struct)

    return _table(alter)


def _without_member(top: str, name: str) -> Middleware:
    return _with_members(top, lambda members: {key: value for key, value in members.items() if key != name})


def _doubles(members: dict[str, Any]) -> dict[str, Any]:
    import pyarrow as pa

    return {name: part.cast(pa.list_(pa.float64())) for name, part in members.items()}


def _renamed(members: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}_0": part for name, part in members.items()}


def _bare(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"out": {name: value[0] for name, value in record["out"].items()}}


async def _an_old_time(call: Call, proceed: Step, state: State) -> Answer:
    """Who asks a second time is answered by the time of a minute ago."""
    asked = state.memory.setdefault("rows asked", set())
    key = (call.path, call.body)
    known, _ = key in asked, asked.add(key)
    around = _moved(-60_000) if known else _moved(0)
    return await around(call, proceed, state)


def _with_metadata(record: dict[str, Any], name: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    metadata = record.get("metadata")
    return record | {"metadata": metadata | {name: change(metadata[name])}} if metadata else record


def _elapsed(change: Callable[[list[int], State], list[int]]) -> Middleware:
    """Middleware on what an engine says it spent."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        told = recording(lambda records: [
            _with_metadata(record, "elapsed", lambda span: change(span, state)) for record in records
        ])  # fmt: skip
        return await told(call, proceed, state)

    return around


def _moved(milliseconds: int) -> Middleware:
    return recording(lambda records: [
        record | {"time": record["time"] + milliseconds} if isinstance(record.get("time"), int) else record
        for record in records
    ])  # fmt: skip


def _fault(fault_id: str, slug: str, sentence: str, around: Middleware) -> Fault:
    return fault(fault_id, "inference values and row order", sentence, around, f"{_INFER}.{slug}")


JSON_CALLS = (*JSON_OPERATIONS, "models.upload-and-convert")
IDS = (
    "pipelines.create", "pipelines.deploy", "pipelines.undeploy", "pipelines.copy",
    "admin.get-pipeline-external-url", "models.list-versions",
)  # fmt: skip


def _changing_refusals(alter: Callable[[Answer], Answer]) -> Middleware:
    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        return alter(answer) if answer.status >= 400 else answer

    return around


def _without_code(answer: Answer) -> Answer:
    body = answer.json
    return with_json(answer, body | {"code": 0}) if isinstance(body, dict) and "code" in body else answer


def _page(answer: Answer) -> Answer:
    if answer.status != 401:
        return answer
    page = b"<html><body><h1>401 Authorization Required</h1></body></html>"
    return replace(answer, body=page, media_type="text/html")


async def _fails_out_of_range(call: Call, proceed: Step, state: State) -> Answer:
    if any(is_of(value, int) and value >= 2**31 for value in question(call).values()):
        return RefusalError(500, "Internal Server Error: integer out of range").answer()
    return await proceed(call)


def _listed_with(body: Any, field: str, change: Callable[[Any], Any]) -> Any:
    """The list of workspaces with another value of a field."""
    return body | {"workspaces": [row | {field: change(row[field])} for row in body["workspaces"]]}


def _dated(body: Any, change: Callable[[datetime], datetime]) -> Any:
    """The list of workspaces with other moments of creation."""
    return _listed_with(
        body, "created_at", lambda told: change(datetime.fromisoformat(told)).isoformat(timespec="microseconds")
    )


async def _declared_as_utf_16(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    return replace(answer, media_type=f"{JSON}; charset=utf-16") if answer.media_type == JSON else answer


_MOST_BYTES = 16 * 1024 * 1024


async def _read(call: Call) -> Call:
    """The call with its body, which whoever answers it may read once more."""
    body = await call.read(_MOST_BYTES)

    async def again(limit: int) -> bytes:
        return body

    return replace(call, body=body, read=again)


async def _from_memory(call: Call, proceed: Step, state: State) -> Answer:
    """An answer to who has a token is kept for whoever has none."""
    kept = state.memory.setdefault("answers kept", {})
    read = await _read(call)
    key = (read.method, read.path, read.headers.get("content-type", ""), read.body)
    answer = await proceed(read)
    if answer.status < 300:
        kept[key] = answer
    return kept.get(key, answer) if answer.status == 401 and "authorization" not in read.headers else answer


async def _agrees_to_any_pair(call: Call, proceed: Step, state: State) -> Answer:
    body = question(call)
    answer = await proceed(call)
    both = all(is_of(body.get(name), int) for name in ("pipeline_id", "deployment_id"))
    return answered(None) if answer.status == 400 and both else answer


async def _keeps_the_first(call: Call, proceed: Step, state: State) -> Answer:
    """A pipeline that is deployed is deployed again as it was first."""
    firsts = state.memory.setdefault("first deploys", {})
    body = question(call)
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    number = answer.json["id"]
    first = firsts.setdefault(number, body)
    if first.get("pipeline_version_pk_id") != body.get("pipeline_version_pk_id"):
        await proceed(asking(call, first))
    return answer


async def _remembering_sources(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    if answer.status == 200:
        sources = state.memory.setdefault("sources", {})
        sources[question(call)["name"]] = question(call)["source_pipeline"]
    return answer


async def _unserved_without_source(call: Call, proceed: Step, state: State) -> Answer:
    source = state.memory.get("sources", {}).get(call.parameters.get("pipeline"))
    ended = source is not None and state.store.one(
        "SELECT 1 FROM deployment WHERE pipeline_id = ? AND stopped IS NOT NULL", source
    )
    return Answer(404, media_type="") if ended else await proceed(call)


FAULTS = (
    _fault(
        "infer-bare-outputs",
        "gives-outputs-their-declared-form",
        "An output of one number is that number, and no list.",
        _json(lambda records: [_bare(record) for record in records]),
    ),
    _fault(
        "infer-arrow-outputs-in-doubles",
        "gives-arrow-outputs-their-declared-type",
        "Outputs in Arrow are of 64 bits where the model's have 32.",
        _with_members("out", _doubles),
    ),
    _fault(
        "infer-arrow-renames-the-output",
        "names-the-models-output",
        "In Arrow, outputs stand under a name that the model does not give them.",
        _with_members("out", _renamed),
    ),
    _fault(
        "infer-repeats-an-old-time",
        "time-is-of-the-answer",
        "The same rows asked again are answered by a time of a minute ago.",
        _an_old_time,
    ),
    _fault(
        "infer-time-an-hour-ahead",
        "time-is-of-the-answer",
        "time is an hour ahead, as of another zone.",
        _moved(3_600_000),
    ),
    _fault(
        "infer-elapsed-in-microseconds",
        "elapsed-is-in-nanoseconds",
        "metadata.elapsed is in microseconds.",
        _elapsed(lambda span, state: [part // 1_000 for part in span]),
    ),
    _fault(
        "infer-elapsed-of-the-first-answer",
        "elapsed-is-of-the-answer",
        "metadata.elapsed is always that of the first answer.",
        _elapsed(lambda span, state: state.memory.setdefault("first elapsed", [span[0] | 1, *span[1:]])),
    ),
    _fault(
        "infer-drops-outputs-by-its-word",
        "drops-nothing-unasked",
        "metadata.dropped names the outputs, which are there.",
        recording(lambda records: [_with_metadata(record, "dropped", lambda _: ["out"]) for record in records]),
    ),
    *(
        _fault(
            f"infer-arrow-without-{name}",
            f"tells-each-arrow-rows-{slug}",
            f"Arrow answers have no {column}.",
            around,
        )
        for name, slug, column, around in (
            ("time", "time", "time", _without_column("time")),
            ("inputs", "input", "in", _without_column("in")),
            ("outputs", "output", "out", _without_column("out")),
            ("check-failures", "check-failures", "check_failures", _without_column("check_failures")),
            ("last-model", "last-model", "metadata.last_model", _without_member("metadata", "last_model")),
            ("version", "pipeline-version", "metadata.pipeline_version",
             _without_member("metadata", "pipeline_version")),
            ("elapsed", "elapsed-time", "metadata.elapsed", _without_member("metadata", "elapsed")),
            ("dropped", "dropped", "metadata.dropped", _without_member("metadata", "dropped")),
            ("partition", "partition", "metadata.partition", _without_member("metadata", "partition")),
        )
    ),
    fault(
        "url-without-its-port",
        "relations",
        "The external URL lacks the port that was asked.",
        succeeding(lambda body: body | {"url": re.sub(r"(://[^/:]+):\d+", r"\1", body["url"])}),
        "admin.get-pipeline-external-url.can-be-called-as-it-stands",
    ),
    fault(
        "url-with-two-slashes",
        "relations",
        "The external URL has two slashes behind its host.",
        succeeding(lambda body: body | {"url": body["url"].replace("/v1/", "//v1/")}),
        "admin.get-pipeline-external-url.can-be-called-as-it-stands",
    ),
    fault(
        "undeploy-of-another-pipelines",
        "relations",
        "An undeploy of a deployment that is not that pipeline's is answered by success, and does nothing.",
        {"pipelines.undeploy": _agrees_to_any_pair},
        "pipelines.undeploy.refuses-ids-that-are-not-of-one-another",
    ),
    fault(
        "code-of-another-status",
        "statuses",
        "The code in a refusal's body is 0.",
        {RESPOND: of_operations(_changing_refusals(_without_code), JSON_CALLS)},
        *each("repeats-its-status-as-code", JSON_CALLS),
    ),
    fault(
        "ids-out-of-range-are-500",
        "robustness",
        "An id beyond 2^31 is a server error.",
        dict.fromkeys(IDS, _fails_out_of_range),
        *each("no-id-brings-it-down", IDS),
    ),
    fault(
        "strangers-get-a-page",
        "media types and headers",
        "Who has no token gets a page of HTML.",
        {RESPOND: of_operations(_changing_refusals(_page))},
        *each("tells-strangers-in-json-or-text"),
    ),
    fault(
        "workspaces-are-always-new",
        "relations",
        "created_at is the moment of the list.",
        succeeding(lambda body: _dated(body, lambda _: datetime.now(UTC))),
        "workspaces.list.keeps-each-creation-time",
    ),
    fault(
        "creators-are-whoever-asks",
        "relations",
        "created_by is another with each list.",
        succeeding(lambda body: _listed_with(body, "created_by", lambda _: str(uuid.uuid4()))),
        "workspaces.list.keeps-each-creator",
    ),
    fault(
        "pipelines-stand-twice-in-a-workspace",
        "relations",
        "Each pipeline's id stands twice in its workspace (a join that multiplies rows).",
        succeeding(lambda body: _listed_with(body, "pipelines", lambda ids: ids * 2)),
        "workspaces.list.lists-nothing-in-it-twice",
    ),
    fault(
        "owners-change-with-each-list",
        "relations",
        "owner_id of a version is another with each list.",
        succeeding(lambda rows: [row | {"owner_id": str(uuid.uuid4())} for row in rows]),
        "models.list-versions.keeps-what-it-lists",
    ),
    fault(
        "workspaces-in-another-zone",
        "relations",
        "created_at is of another zone, and says that it is of UTC.",
        succeeding(lambda body: _dated(body, lambda then: then + timedelta(hours=2))),
        "workspaces.list.dates-each-workspace-as-it-was-made",
    ),
    fault(
        "json-declared-as-utf-16",
        "media types and headers",
        "JSON in UTF-8 is declared to be UTF-16.",
        {RESPOND: of_operations(_declared_as_utf_16)},
        *each("writes-its-json-in-utf-8"),
    ),
    fault(
        "leaks-a-statement-in-lower-case",
        "leaks",
        "A refused create shows an SQL statement in lower case.",
        refusing(showing("select id from pipeline where workspace_id = 10"), 400),
        "pipelines.create.keeps-its-insides-to-itself",
    ),
    fault(
        "leaks-a-database-in-a-header",
        "leaks",
        "A header of workspaces' list holds a database's address with its password.",
        answering(with_header("x-upstream", "@".join(["postgres://api:hunter2", "db:5432/api"]))),
        "workspaces.list.keeps-its-insides-to-itself",
    ),
    fault(
        "repeats-for-strangers",
        "identity",
        "What was answered once is answered again to anybody who asks the same.",
        {RESPOND: of_operations(_from_memory)},
        *each("refuses-a-repeat-without-a-token"),
    ),
    fault(
        "deploy-keeps-the-older-version",
        "relations",
        "Another version deployed over one that runs is not served.",
        {"pipelines.deploy": _keeps_the_first},
        "pipelines.deploy.serves-the-version-deployed-last",
    ),
    fault(
        "copies-end-with-their-source",
        "relations",
        "Once its source is undeployed, a copy serves nothing.",
        {"pipelines.copy": _remembering_sources, "pipelines.infer": _unserved_without_source},
        "pipelines.copy.serves-on-without-its-source",
    ),
)  # fmt: skip
