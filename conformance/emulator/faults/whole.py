"""Faults of answers that are whole but for one thing: an output's form, a column of an Arrow file, a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.emulator.faults.fault import Fault, fault, with_json
from conformance.emulator.faults.inference import Records, recording
from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call

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


def _moved(milliseconds: int) -> Middleware:
    return recording(lambda records: [
        record | {"time": record["time"] + milliseconds} if isinstance(record.get("time"), int) else record
        for record in records
    ])  # fmt: skip


def _fault(fault_id: str, slug: str, sentence: str, around: Middleware) -> Fault:
    return fault(fault_id, "inference values and row order", sentence, around, f"{_INFER}.{slug}")


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
)  # fmt: skip
