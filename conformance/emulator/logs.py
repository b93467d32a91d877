"""Logs of inferences, in pages, as the vendor's SDK reads them: an Arrow file whose schema says what is left."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import Any

import orjson

from conformance.emulator import fields
from conformance.emulator.inventory import topic_of
from conformance.emulator.state import State
from conformance.emulator.wire import ARROW_FILE, Answer, Call, RefusalError, answered, bad_request

_PARTITION = "0"
_PAGE = 100_000


async def partitions(call: Call, state: State) -> Answer:
    """The span of records that a topic holds. Decided: each topic has one partition."""
    count = sum(table.num_rows for table in await _tables(call, state))
    return answered({"partitions": {_PARTITION: {"start": 0, "end": count}}})


async def records(call: Call, state: State) -> Answer:
    """A page of a topic's records: in the order asked for, from where the body says, within the times asked for.

    The schema's metadata has `status`: `All`, `RecordLimited` where more are left, or `SchemaChange` where the page
    ends because the columns differ from there on; and `next`, which the body of the next call repeats.
    """
    import pyarrow as pa  # it loads slowly, and only who reads logs needs it here

    start = fields.integer({_PARTITION: 0, **fields.json_object(call)}, _PARTITION)
    limit = _number(call, "page_size", _PAGE)
    found = await _tables(call, state)
    if "desc" in call.asked("order"):
        found = [table.take(list(range(table.num_rows - 1, -1, -1))) for table in reversed(found)]
    alike = list(takewhile(lambda table: table.schema == found[0].schema, found))
    whole = pa.concat_tables(alike) if alike else pa.table({})
    page = whole.slice(start, limit)
    status = "RecordLimited" if start + limit < whole.num_rows else "SchemaChange" if len(alike) < len(found) else "All"
    told = orjson.dumps({"status": status, "next": {_PARTITION: start + page.num_rows} if page.num_rows else None})
    page = page.replace_schema_metadata({"status": told})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, page.schema) as writer:
        writer.write_table(page)
    return Answer(200, sink.getvalue().to_pybytes(), ARROW_FILE)


async def _tables(call: Call, state: State) -> list[Any]:
    """The topic's inferences of the times asked for, each as an Arrow table with one column a name."""
    import pyarrow as pa

    first, last = _time(call, "time.start"), _time(call, "time.end")
    found = []
    for inference in state.log.of(_pipeline(call, state)):
        if not (first or 0) <= inference.time <= (last or inference.time):
            continue
        task = {
            **inference.task,
            "arrow_out": True,
            "columns": [],
            "excluded": call.asked("dataset.exclude[]"),
            "separator": ".",
            "time": inference.time,
        }
        _, _, body = await state.engine.run(inference.chain, task, inference.body)
        found.append(_plain(pa.ipc.open_file(body).read_all()))
    return found


def _plain(table: Any) -> Any:
    """The table without dictionaries and with numbers as the model took them, so that like records have one schema."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        elif (pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)) and pa.types.is_floating(kind.value_type):
            kind = pa.list_(pa.float32())
        table = table.set_column(index, pa.field(field.name, kind), table.column(index).cast(kind))
    return table


def _pipeline(call: Call, state: State) -> int:
    """The pipeline of the topic in the path; nothing is logged of failed checks, since no pipeline here has any."""
    topic = call.parameters["topic"]
    if topic.endswith("-failures"):
        return 0
    for row in state.store.all("SELECT * FROM pipeline"):
        if topic == topic_of(row):
            return int(row["id"])
    raise RefusalError(404, "Topic not found")


def _number(call: Call, name: str, default: int) -> int:
    values = call.asked(name)
    if values and not (values[-1].isascii() and values[-1].isdigit()):
        raise bad_request(f"{name} must be a number.")
    return int(values[-1]) if values else default


def _time(call: Call, name: str) -> float | None:
    """A time of the query in epoch milliseconds, None where there is none."""
    values = call.asked(name)
    try:
        return datetime.fromisoformat(values[-1]).timestamp() * 1000 if values else None
    except ValueError:
        raise bad_request(f"{name} must be a time in ISO 8601.") from None
