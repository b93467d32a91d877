"""Faults of refusals that say too much, or too little."""

from __future__ import annotations

from collections.abc import Callable

from conformance.emulator.faults.fault import JSON_OPERATIONS, Fault, each, of_operations, refusing, with_json
from conformance.emulator.wire import Answer
from conformance.emulator.world import RESPOND

_UPLOAD, _INFER = "models.upload-and-convert", "pipelines.infer"
_TRACE = (
    "thread 'tokio-runtime-worker' panicked at src/handlers.rs:214:9: called `Option::unwrap()` on a `None` value "
    'stack backtrace: 0: rust_begin_unwind at /rustc/lib.rs:645 File "/opt/app/main.py", line 12, in handle'
)
_QUERY = "error returned from database: SELECT id, owner_id FROM pipeline WHERE pipeline_id = $1"


def _showing(text: str) -> Callable[[Answer], Answer]:
    """A refusal that says more than it should."""

    def shown(answer: Answer) -> Answer:
        body = answer.json
        return with_json(answer, body | {"msg": f"{body['msg']} {text}"}) if isinstance(body, dict) else answer

    return shown


FAULTS = (
    Fault(
        "refusals-show-a-stack-trace",
        each("keeps-its-insides-to-itself", JSON_OPERATIONS),
        "leaks",
        "Refusals carry a stack trace.",
        {RESPOND: of_operations(refusing(_showing(_TRACE), 400, 404), JSON_OPERATIONS)},
    ),
    Fault(
        "upload-shows-its-query",
        (f"{_UPLOAD}.keeps-its-insides-to-itself",),
        "leaks",
        "A refused upload shows the query that failed, as was recorded.",
        {_UPLOAD: refusing(_showing(_QUERY), 400, 500)},
    ),
    Fault(
        "infer-shows-a-path",
        (f"{_INFER}.keeps-its-insides-to-itself",),
        "leaks",
        "Errors of inference show a path and a stack trace of the server's.",
        {_INFER: refusing(lambda answer: with_json(answer, [{"error": _TRACE, "error_type": "panic"}]), 500)},
    ),
    Fault(
        "upload-refuses-without-a-code",
        (f"{_UPLOAD}.refuses-with-the-described-body",),
        "response schema",
        "The JSON body of a refused upload has no code.",
        {_UPLOAD: refusing(lambda answer: Answer(answer.status, b'{"msg":"refused"}'), 400, 500)},
    ),
    Fault(
        "refusals-without-a-code",
        each("refuses-with-the-described-body", JSON_OPERATIONS),
        "response schema",
        "The JSON body of a refusal has no code.",
        {
            RESPOND: of_operations(
                refusing(lambda answer: Answer(answer.status, b'{"msg":"refused"}'), 400), JSON_OPERATIONS
            )
        },
    ),
)
