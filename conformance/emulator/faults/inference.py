"""Faults of inference: what is computed, what stands beside it, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from conformance.emulator import inference
from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import fault, late_once, refusing, with_json
from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call


async def _unrouted_is_400(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    routed = by_name(state, call.parameters.get("deployment", ""))
    return Answer(400, media_type="") if answer.status == 404 and routed is None else answer


async def _unknown_is_json(call: Call, proceed: Step, state: State) -> Answer:
    known = call.media_type in (JSON, ARROW_FILE) or "arrow" in call.media_type
    return await proceed(call if known else replace(call, headers={**call.headers, "content-type": JSON}))


async def _arrow_is_answered_in_json(call: Call, proceed: Step, state: State) -> Answer:
    return await proceed(replace(call, headers={**call.headers, "accept": "*/*"}))


async def _serve_what_is_gone(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    deployment = by_name(state, call.parameters.get("deployment", "")) if answer.status == 404 else None
    if deployment is None or deployment.pipeline != call.parameters["pipeline"]:
        return answer
    return await inference.serve(call, state, deployment)


def _each(change: Any) -> Middleware:
    return recording(lambda records: [record | change(record) for record in records])


def _metadata(change: dict[str, Any]) -> Middleware:
    """Middleware on what is said beside the outputs, where it is said at all."""

    def alter(record: Any) -> Any:
        return {"metadata": record["metadata"] | change} if "metadata" in record else {}

    return _each(alter)


def _last_model(change: dict[str, str]) -> Middleware:
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


def _reversed_past(count: int) -> Middleware:
    return recording(lambda records: records[::-1] if len(records) > count else records)


def _outputs_moved(records: Records) -> Records:
    """The outputs of a batch stand one row further down, the inputs where they were."""
    if len(records) < 2 or "out" not in records[0]:
        return records
    return [record | {"out": records[index - 1]["out"]} for index, record in enumerate(records)]


def _only_in(media_type: str, around: Middleware) -> Middleware:
    async def chosen(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.media_type != media_type:
            return answer

        async def given(_: Call) -> Answer:
            return answer

        return await around(call, given, state)

    return chosen


async def _ignores_accept(call: Call, proceed: Step, state: State) -> Answer:
    """JSON rows are answered in JSON, whatever is accepted."""
    if call.media_type == JSON:
        return await proceed(replace(call, headers={**call.headers, "accept": "*/*"}))
    return await proceed(call)


def _with_anomaly(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "check_failures"} | {"anomaly": {"count": 0}}


async def _not_ready_is_500(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    return Answer(500, b'[{"error":"connection refused","error_type":"Internal"}]') if answer.status == 503 else answer


async def _broken_by_bad_input(call: Call, proceed: Step, state: State) -> Answer:
    """After bad input, a deployment answers nothing but errors."""
    if state.memory.get(call.path):
        return Answer(500, b'[{"error":"engine is not available","error_type":"Unavailable"}]')
    answer = await proceed(call)
    if answer.status == 500:
        state.memory[call.path] = True
    return answer


def _many(call: Call) -> bool:
    return call.body.count(b"{") >= 1_000 or len(call.body) > 900_000


async def _too_many_rows(call: Call, proceed: Step, state: State) -> Answer:
    """A batch of a thousand is an error of the engine."""
    if _many(call):
        return Answer(500, b'[{"error":"message larger than max","error_type":"Transport"}]')
    return await proceed(call)


async def _texts_are_numbers(call: Call, proceed: Step, state: State) -> Answer:
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


async def _any_width(call: Call, proceed: Step, state: State) -> Answer:
    """Rows are cut, or filled with zeros, to the width that the model takes."""
    answer = await proceed(call)
    wanted = re.search(rb"takes \[(\d+)\] values a row", answer.body) if answer.status == 500 else None
    if not wanted or call.media_type != JSON:
        return answer
    width = int(wanted[1])
    rows = [{name: (value + [0.0] * width)[:width] for name, value in row.items()} for row in call.json]
    return await proceed(replace(call, body=orjson.dumps(rows)))


async def _truncated_is_empty(call: Call, proceed: Step, state: State) -> Answer:
    """An Arrow file that cannot be read is taken for one without rows."""
    answer = await proceed(call)
    unreadable = answer.status == 500 and b"not a valid Arrow file" in answer.body
    return Answer(200, b"[]") if unreadable else answer


def _taken(applies: Callable[[Call], bool]) -> Middleware:
    """What a deployment cannot compute is answered as if it had no rows, where `applies` says so."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        return Answer(200, b"[]") if answer.status == 500 and applies(call) else answer

    return around


def _is_json(call: Call) -> bool:
    try:
        _ = call.json
    except ValueError:
        return False
    return True


_TRACE = (
    "thread 'tokio-runtime-worker' panicked at src/handlers.rs:214:9: called `Option::unwrap()` on a `None` value "
    'stack backtrace: 0: rust_begin_unwind at /rustc/lib.rs:645 File "/opt/app/main.py", line 12, in handle'
)


def refusing_rows(applies: Callable[[Call], bool]) -> Middleware:
    """Middleware that refuses rows that a running deployment would have served."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        deployment = by_name(state, call.parameters.get("deployment", ""))
        runs = deployment is not None and deployment.phase(state) == "running"
        return Answer(400, media_type="") if runs and applies(call) else await proceed(call)

    return around


def _accepts_another_form(call: Call) -> bool:
    accepted = call.headers.get("accept", "*/*").split(";")[0].strip()
    return accepted in (JSON, ARROW_FILE) and accepted != call.media_type


Records = list[dict[str, Any]]


def recording(alter: Callable[[Records], Records]) -> Middleware:
    """Middleware that changes the records of an inference, whichever form they are answered in."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        if answer.media_type == JSON:
            return with_json(answer, alter(answer.json))
        if answer.media_type == ARROW_FILE:
            return replace(answer, body=_arrow(alter, answer.body))
        return answer

    return around


def numbers(alter: Callable[[int, float], float]) -> Middleware:
    """Middleware that changes each number under `out`, given its row."""

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
    table = _narrowed(pa.Table.from_pylist(alter(given)))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    result: bytes = sink.getvalue().to_pybytes()
    return result


def _narrowed(table: Any) -> Any:
    """The table with floats of 32 bits, as the model's are, where Python knows those of 64 alone."""
    import pyarrow as pa

    def narrow(kind: Any) -> Any:
        if pa.types.is_struct(kind):
            return pa.struct([pa.field(field.name, narrow(field.type)) for field in kind])
        if pa.types.is_list(kind):
            return pa.list_(narrow(kind.value_type))
        return pa.float32() if pa.types.is_float64(kind) else kind

    return table.cast(pa.schema([pa.field(field.name, narrow(field.type)) for field in table.schema]))


FAULTS = (
    fault(
        "infer-redirects-to-a-login",
        "statuses",
        "Rows that cannot be computed are answered by a redirection to a login page.",
        refusing(lambda answer: Answer(303, media_type="", headers={"location": "/login"}), 500),
        "pipelines.infer.refuses-with-a-declared-status",
    ),
    fault(
        "infer-blames-itself-for-bad-input",
        "statuses",
        "Rows that cannot be computed are answered by 503.",
        refusing(lambda answer: Answer(503, media_type=""), 500),
        "pipelines.infer.blames-bad-input-on-the-client",
    ),
    fault(
        "infer-unrouted-is-400",
        "statuses",
        "Inference where nothing was ever routed is answered by 400.",
        _unrouted_is_400,
        "pipelines.infer.nothing-routed-is-404",
    ),
    fault(
        "infer-404-has-a-body",
        "statuses",
        "A 404 of inference carries an explanation where its body is empty in every recording.",
        refusing(lambda answer: Answer(404, b'{"msg":"Not found","code":404}'), 404),
        "pipelines.infer.says-nothing-where-nothing-is-routed",
    ),
    fault(
        "arrow-answered-in-json",
        "media types and headers",
        "Who sends Arrow and accepts only that is answered in JSON.",
        _arrow_is_answered_in_json,
        "pipelines.infer.answers-arrow-in-arrow",
    ),
    fault(
        "infer-of-any-media-type",
        "media types and headers",
        "Rows of an unknown media type are read as JSON.",
        _unknown_is_json,
        "pipelines.infer.refuses-another-media-type",
    ),
    fault(
        "infer-after-undeploy",
        "relations",
        "Inference is still answered after undeploy, when status is 404 already.",
        _serve_what_is_gone,
        "pipelines.infer.refused-once-undeployed",
    ),
    fault(
        "infer-off-by-a-thousandth",
        "inference values and row order",
        "Every output is 0.001 more than the model computes.",
        numbers(lambda row, value: value + 1e-3),
        "pipelines.infer.computes-the-model",
    ),
    fault(
        "infer-rounds-to-three-places",
        "inference values and row order",
        "Outputs are rounded to three decimal places.",
        numbers(lambda row, value: round(value, 3)),
        "pipelines.infer.computes-the-model",
    ),
    fault(
        "infer-gives-the-complement",
        "inference values and row order",
        "The probability of the other class is answered.",
        numbers(lambda row, value: 1 - value),
        "pipelines.infer.computes-the-model",
    ),
    fault(
        "infer-reverses-large-batches",
        "inference values and row order",
        "More than 50 rows are answered in reverse.",
        _reversed_past(50),
        "pipelines.infer.keeps-the-order-of-rows",
    ),
    fault(
        "infer-moves-outputs-down",
        "inference values and row order",
        "In a batch, each row has the output of the row before it.",
        recording(_outputs_moved),
        "pipelines.infer.keeps-the-order-of-rows",
    ),
    fault(
        "infer-drops-the-last-row",
        "inference values and row order",
        "A batch is answered without its last row.",
        recording(lambda records: records[:-1] if len(records) > 1 else records),
        "pipelines.infer.answers-one-record-a-row",
    ),
    fault(
        "infer-arrow-in-half-precision",
        "inference values and row order",
        "Outputs in Arrow have lost half of their bits.",
        _only_in(ARROW_FILE, numbers(lambda row, value: round(value, 2))),
        "pipelines.infer.computes-the-model",
    ),
    fault(
        "infer-last-model-another-name",
        "inference values and row order",
        "metadata.last_model names another model.",
        _last_model({"model_name": "another"}),
        "pipelines.infer.last-model-has-the-models-name",
    ),
    fault(
        "infer-last-model-another-sha",
        "inference values and row order",
        "metadata.last_model has the sha of something else.",
        _last_model({"model_sha": "f" * 64}),
        "pipelines.infer.last-model-has-the-models-sha",
    ),
    fault(
        "infer-partition-is-no-engine",
        "inference values and row order",
        "metadata.partition is no engine of the deployment.",
        _metadata({"partition": "engine-0000000000-00000"}),
        "pipelines.infer.partition-is-an-engine",
    ),
    fault(
        "infer-another-pipelines-version",
        "inference values and row order",
        "metadata.pipeline_version is of no version of the pipeline.",
        _metadata({"pipeline_version": "00000000-0000-4000-8000-000000000000"}),
        "pipelines.infer.pipeline-version-is-empty-or-its-own",
    ),
    fault(
        "infer-time-in-seconds",
        "inference values and row order",
        "time is in seconds.",
        _only_in(JSON, _each(lambda record: {"time": record["time"] // 1000})),
        "pipelines.infer.time-is-epoch-milliseconds",
    ),
    fault(
        "infer-time-of-another-day",
        "inference values and row order",
        "time is three days behind.",
        _only_in(JSON, _each(lambda record: {"time": record["time"] - 3 * 86_400_000})),
        "pipelines.infer.time-is-of-the-answer",
    ),
    fault(
        "infer-elapsed-in-picoseconds",
        "inference values and row order",
        "metadata.elapsed is far longer than the call took.",
        _metadata({"elapsed": [10**13, 10**13]}),
        "pipelines.infer.elapsed-fits-into-the-call",
    ),
    fault(
        "infer-invents-a-failed-check",
        "inference values and row order",
        "A check is reported as failed where the pipeline has none.",
        _only_in(JSON, _each(lambda record: {"check_failures": [{"False": {"expr": "out.dense_1[0] < 1"}}]})),
        "pipelines.infer.nothing-fails-a-check-where-there-is-none",
    ),
    fault(
        "infer-renames-the-output",
        "inference values and row order",
        "Outputs stand under a name that the model does not give them.",
        _each(_renamed_output),
        "pipelines.infer.names-the-models-output",
    ),
    fault(
        "infer-renames-the-input",
        "inference values and row order",
        "The row is echoed under another name than it was sent by.",
        _each(_renamed_input),
        "pipelines.infer.echoes-its-input",
    ),
    fault(
        "infer-ignores-accept",
        "media types and headers",
        "JSON rows are answered in JSON, whatever is accepted.",
        _ignores_accept,
        "pipelines.infer.answers-in-the-form-accepted",
    ),
    fault(
        "infer-before-running-is-500",
        "statuses",
        "Inference on a deployment that is not ready is a 500.",
        _not_ready_is_500,
        "pipelines.infer.before-running-it-serves-or-says-no-more",
    ),
    fault(
        "infer-errors-as-an-object",
        "regressions",
        "Errors of inference are an object, as in releases since 2024.2.",
        refusing(lambda answer: Answer(500, b'{"status":"Error","error":"bad input"}'), 500),
        "pipelines.infer.refuses-with-the-described-body",
    ),
    fault(
        "infer-anomaly-for-check-failures",
        "regressions",
        "Records carry anomaly in place of check_failures, as later releases do.",
        recording(lambda records: [_with_anomaly(record) for record in records]),
        "pipelines.infer.tells-each-records-check-failures",
        "pipelines.infer.tells-each-arrow-rows-check-failures",
    ),
    fault(
        "infer-breaks-by-bad-input",
        "robustness",
        "After bad input, a deployment serves nothing any more.",
        _broken_by_bad_input,
        "pipelines.infer.serves-on-after-bad-input",
    ),
    fault(
        "infer-fails-on-many-rows",
        "robustness",
        "A batch of a thousand rows is a 500.",
        _too_many_rows,
        "pipelines.infer.takes-many-rows",
    ),
    fault(
        "infer-reads-texts-as-numbers",
        "robustness",
        "Texts in rows are read as numbers.",
        _texts_are_numbers,
        "pipelines.infer.refuses-texts-for-numbers",
    ),
    fault(
        "infer-takes-any-width",
        "robustness",
        "Rows of another width are cut, or filled up.",
        _any_width,
        "pipelines.infer.refuses-rows-of-another-width",
    ),
    fault(
        "infer-takes-truncated-arrow",
        "robustness",
        "An Arrow file cut short is answered as one without rows.",
        _truncated_is_empty,
        "pipelines.infer.refuses-a-truncated-arrow-file",
    ),
    fault(
        "infer-is-late",
        "timing",
        "The first inference takes sixteen seconds.",
        late_once(16),
        "pipelines.infer.answers-within-fifteen-seconds",
    ),
    fault(
        "infer-reads-anything",
        "robustness",
        "A body that is no JSON is answered as one without rows.",
        _taken(lambda call: call.media_type == JSON and not _is_json(call)),
        "pipelines.infer.refuses-what-is-no-request",
    ),
    fault(
        "infer-takes-a-text",
        "robustness",
        "A text in place of rows is answered as none.",
        _taken(lambda call: call.media_type == JSON and _is_json(call) and isinstance(call.json, str)),
        "pipelines.infer.refuses-invalid-requests",
    ),
    fault(
        "infer-shows-a-path",
        "leaks",
        "Errors of inference show a path and a stack trace of the server's.",
        refusing(lambda answer: with_json(answer, [{"error": _TRACE, "error_type": "panic"}]), 500),
        "pipelines.infer.keeps-its-insides-to-itself",
    ),
    fault(
        "infer-answers-in-its-own-form-only",
        "service",
        "Rows whose sender accepts another form than theirs are refused.",
        refusing_rows(_accepts_another_form),
        "pipelines.infer.serves-valid-requests",
    ),
    fault(
        "infer-refuses-pandas-records",
        "service",
        "Rows declared as pandas records are refused.",
        refusing_rows(lambda call: call.media_type == JSON),
        "pipelines.infer.takes-pandas-records",
    ),
    fault(
        "infer-refuses-arrow-files",
        "service",
        "Rows in an Arrow file are refused.",
        refusing_rows(lambda call: call.media_type == ARROW_FILE),
        "pipelines.infer.takes-arrow-files",
    ),
)
