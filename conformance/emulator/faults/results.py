"""Faults of inference: what is answered is not what the model computes, or says something else beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from conformance.emulator.faults.fault import Fault, refusing
from conformance.emulator.faults.outputs import Records, numbers, recording
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call
from conformance.emulator.world import Around, Step, World

KIND = "inference values and row order"
_INFER = "pipelines.infer"


def _each(change: Any) -> Around:
    return recording(lambda records: [record | change(record) for record in records])


def _metadata(change: dict[str, Any]) -> Around:
    """Advice on what is said beside the outputs, where it is said at all."""

    def alter(record: Any) -> Any:
        return {"metadata": record["metadata"] | change} if "metadata" in record else {}

    return _each(alter)


def _last_model(change: dict[str, str]) -> Around:
    def alter(record: Any) -> Any:
        if "metadata" not in record:
            return {}
        last = orjson.loads(record["metadata"]["last_model"]) | change
        return {"metadata": record["metadata"] | {"last_model": orjson.dumps(last).decode()}}

    return _each(alter)


def _renamed_output(record: Any) -> Any:
    return {"out": {f"{name}_0": value for name, value in record["out"].items()}} if "out" in record else {}


def _renamed_input(record: Any) -> Any:
    return {"in": dict(zip(("tensor",), record["in"].values(), strict=False))} if "in" in record else {}


def _reversed_past(count: int) -> Around:
    return recording(lambda records: records[::-1] if len(records) > count else records)


def _outputs_moved(records: Records) -> Records:
    """The outputs of a batch stand one row further down, the inputs where they were."""
    if len(records) < 2 or "out" not in records[0]:
        return records
    return [record | {"out": records[index - 1]["out"]} for index, record in enumerate(records)]


def _only_in(media_type: str, around: Around) -> Around:
    async def chosen(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        if answer.media_type != media_type:
            return answer

        async def given(_: Call) -> Answer:
            return answer

        return await around(call, given, world)

    return chosen


async def _ignores_accept(call: Call, proceed: Step, world: World) -> Answer:
    """JSON rows are answered in JSON, whatever is accepted."""
    if call.media_type == JSON:
        return await proceed(replace(call, headers={**call.headers, "accept": "*/*"}))
    return await proceed(call)


def _with_anomaly(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "check_failures"} | {"anomaly": {"count": 0}}


async def _not_ready_is_500(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    return Answer(500, b'[{"error":"connection refused","error_type":"Internal"}]') if answer.status == 503 else answer


def _fault(fault_id: str, slug: str, sentence: str, around: Around, kind: str = KIND) -> Fault:
    return Fault(fault_id, (f"{_INFER}.{slug}",), kind, sentence, {_INFER: around})


FAULTS = (
    _fault(
        "infer-off-by-a-thousandth",
        "computes-the-model",
        "Every output is 0.001 more than the model computes.",
        numbers(lambda row, value: value + 1e-3),
    ),
    _fault(
        "infer-rounds-to-three-places",
        "computes-the-model",
        "Outputs are rounded to three decimal places.",
        numbers(lambda row, value: round(value, 3)),
    ),
    _fault(
        "infer-gives-the-complement",
        "computes-the-model",
        "The probability of the other class is answered.",
        numbers(lambda row, value: 1 - value),
    ),
    _fault(
        "infer-reverses-large-batches",
        "keeps-the-order-of-rows",
        "More than 50 rows are answered in reverse.",
        _reversed_past(50),
    ),
    _fault(
        "infer-moves-outputs-down",
        "keeps-the-order-of-rows",
        "In a batch, each row has the output of the row before it.",
        recording(_outputs_moved),
    ),
    _fault(
        "infer-drops-the-last-row",
        "answers-one-record-a-row",
        "A batch is answered without its last row.",
        recording(lambda records: records[:-1] if len(records) > 1 else records),
    ),
    _fault(
        "infer-arrow-in-half-precision",
        "computes-the-model",
        "Outputs in Arrow have lost half of their bits.",
        _only_in(ARROW_FILE, numbers(lambda row, value: round(value, 2))),
    ),
    _fault(
        "infer-last-model-another-name",
        "last-model-has-the-models-name",
        "metadata.last_model names another model.",
        _last_model({"model_name": "another"}),
    ),
    _fault(
        "infer-last-model-another-sha",
        "last-model-has-the-models-sha",
        "metadata.last_model has the sha of something else.",
        _last_model({"model_sha": "f" * 64}),
    ),
    _fault(
        "infer-partition-is-no-engine",
        "partition-is-an-engine",
        "metadata.partition is no engine of the deployment.",
        _metadata({"partition": "engine-0000000000-00000"}),
    ),
    _fault(
        "infer-another-pipelines-version",
        "pipeline-version-is-empty-or-its-own",
        "metadata.pipeline_version is of no version of the pipeline.",
        _metadata({"pipeline_version": "00000000-0000-4000-8000-000000000000"}),
    ),
    _fault(
        "infer-time-in-seconds",
        "time-is-epoch-milliseconds",
        "time is in seconds.",
        _only_in(JSON, _each(lambda record: {"time": record["time"] // 1000})),
    ),
    _fault(
        "infer-time-of-another-day",
        "time-is-of-the-answer",
        "time is three days behind.",
        _only_in(JSON, _each(lambda record: {"time": record["time"] - 3 * 86_400_000})),
    ),
    _fault(
        "infer-elapsed-in-picoseconds",
        "elapsed-fits-into-the-call",
        "metadata.elapsed is far longer than the call took.",
        _metadata({"elapsed": [10**13, 10**13]}),
    ),
    _fault(
        "infer-invents-a-failed-check",
        "nothing-fails-a-check-where-there-is-none",
        "A check is reported as failed where the pipeline has none.",
        _only_in(JSON, _each(lambda record: {"check_failures": [{"False": {"expr": "out.dense_1[0] < 1"}}]})),
    ),
    _fault(
        "infer-renames-the-output",
        "names-the-models-output",
        "Outputs stand under a name that the model does not give them.",
        _each(_renamed_output),
    ),
    _fault(
        "infer-renames-the-input",
        "echoes-its-input",
        "The row is echoed under another name than it was sent by.",
        _each(_renamed_input),
    ),
    _fault(
        "infer-ignores-accept",
        "answers-in-the-form-accepted",
        "JSON rows are answered in JSON, whatever is accepted.",
        _ignores_accept,
        "media types and headers",
    ),
    _fault(
        "infer-before-running-is-500",
        "before-running-it-serves-or-says-no-more",
        "Inference on a deployment that is not ready is a 500.",
        _not_ready_is_500,
        "statuses",
    ),
    _fault(
        "infer-errors-as-an-object",
        "refuses-with-the-described-body",
        "Errors of inference are an object, as in releases since 2024.2.",
        refusing(lambda answer: Answer(500, b'{"status":"Error","error":"bad input"}'), 500),
        "regressions",
    ),
    _fault(
        "infer-anomaly-for-check-failures",
        "tells-each-records-check-failures",
        "Records carry anomaly in place of check_failures, as later releases do.",
        recording(lambda records: [_with_anomaly(record) for record in records]),
        "regressions",
    ),
)
