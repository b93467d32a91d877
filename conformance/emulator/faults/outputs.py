"""What faults of inference are built from: changing an answer's rows, in JSON and in Arrow alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.emulator.faults.fault import with_json
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call
from conformance.emulator.world import Around, Step, World

Records = list[dict[str, Any]]


def recording(alter: Callable[[Records], Records]) -> Around:
    """Advice that changes the records of an inference, whichever form they are answered in."""

    async def around(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        if answer.media_type == JSON:
            return with_json(answer, alter(answer.json))
        if answer.media_type == ARROW_FILE:
            return replace(answer, body=_arrow(alter, answer.body))
        return answer

    return around


def numbers(alter: Callable[[int, float], float]) -> Around:
    """Advice that changes each number under `out`, given its row."""

    def change(records: Records) -> Records:
        return [_with_numbers(record, index, alter) for index, record in enumerate(records)]

    return recording(change)


def _with_numbers(record: dict[str, Any], row: int, alter: Callable[[int, float], float]) -> dict[str, Any]:
    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [changed(item) for item in value]
        return alter(row, value) if isinstance(value, float) else value

    if "out" in record:
        return record | {"out": {name: changed(value) for name, value in record["out"].items()}}
    return {name: changed(value) if name.startswith("out") else value for name, value in record.items()}


def _arrow(alter: Callable[[Records], Records], body: bytes) -> bytes:
    import pyarrow as pa  # it loads slowly, and only an instance with such a fault needs it

    given = pa.ipc.open_file(body).read_all().to_pylist()
    if not given:
        return body
    records = alter(given)
    table = pa.Table.from_pylist(records)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    result: bytes = sink.getvalue().to_pybytes()
    return result
