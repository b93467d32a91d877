"""Faults of HTTP that many operations share: statuses, headers, media types, methods, paths, and what refusals say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import (
    JSON_OPERATIONS,
    OPERATIONS,
    answering,
    each,
    fault,
    of_operations,
    question,
    refusing,
    showing,
    with_header,
    with_status,
)
from conformance.emulator.state import RESPOND, State, Step
from conformance.emulator.wire import JSON, Answer, Call, RefusalError, answered

_OTHERWISE = (
    ("create", "pipelines.create", 201),
    ("deploy", "pipelines.deploy", 202),
    ("undeploy", "pipelines.undeploy", 202),
    ("copy", "pipelines.copy", 201),
    ("infer", "pipelines.infer", 203),
    ("status", "status.get-deployment", 203),
    ("url", "admin.get-pipeline-external-url", 203),
    ("list-versions", "models.list-versions", 203),
    ("create-workspace", "workspaces.create", 201),
    ("list-workspaces", "workspaces.list", 203),
)
"""Operations, what they are called here, and a success that is not theirs."""
_WITH_PARAMETERS = (*(each for each in JSON_OPERATIONS if each != "pipelines.undeploy"), "pipelines.infer")
_COPY = "pipelines.copy"
_DEPLOY = "pipelines.deploy"
_INFER = "pipelines.infer"
_CREATE = "pipelines.create"
_STATUS = "status.get-deployment"


async def _any_method_will_do(call: Call, proceed: Step, state: State) -> Answer:
    """A GET, PUT or DELETE does what POST does."""
    return await proceed(replace(call, method="POST") if call.method not in ("HEAD", "OPTIONS") else call)


async def _head_and_options_fail(call: Call, proceed: Step, state: State) -> Answer:
    if call.method in ("HEAD", "OPTIONS"):
        return Answer(500, b'{"msg":"Internal Server Error","code":500}')
    return await proceed(call)


async def _nowhere_is_somewhere(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    unknown = answer.status == 404 and not call.operation and not re.search(r"/v1/api/\w+/\w+", call.path)
    return answered({"status": "ok"}) if unknown else answer


async def _longer_paths_are_taken(call: Call, proceed: Step, state: State) -> Answer:
    """A path that goes on after an operation's own is answered as if it were that operation's."""
    answer = await proceed(call)
    longer = answer.status == 404 and not call.operation and re.match(r"/v1/api/\w+/\w+.", call.path)
    return answered({}) if longer else answer


async def _without_documentation(call: Call, proceed: Step, state: State) -> Answer:
    if call.path.startswith("/v1/api/docs"):
        return Answer(404, b'{"msg":"Not found","code":404}')
    return await proceed(call)


async def _dateless(call: Call, proceed: Step, state: State) -> Answer:
    return with_header("date", "")(await proceed(call))


async def _public(call: Call, proceed: Step, state: State) -> Answer:
    return with_header("cache-control", "public, max-age=60")(await proceed(call))


def _framed_twice(answer: Answer) -> Answer:
    """In chunks, and with a Content-Length beside them."""
    length = str(len(answer.body))
    return replace(answer, headers={**answer.headers, "content-length": length, "transfer-encoding": "chunked"})


async def _any_media_type(call: Call, proceed: Step, state: State) -> Answer:
    """Whatever the body is declared to be, it is read as JSON."""
    if call.media_type == JSON or call.operation not in JSON_OPERATIONS:
        return await proceed(call)
    return await proceed(replace(call, headers={**call.headers, "content-type": JSON}))


async def _no_parameters(call: Call, proceed: Step, state: State) -> Answer:
    """A media type with a charset is not known."""
    declared = call.headers.get("content-type", "")
    if "charset" in declared.lower() or declared != declared.lower():
        return RefusalError(415, "Unsupported media type").answer()
    return await proceed(call)


async def _unreadable_is_empty(call: Call, proceed: Step, state: State) -> Answer:
    """A body that is no JSON is read as the empty object, and answered as a success."""
    try:
        _ = call.json
    except ValueError:
        return Answer(200, b"{}")
    return await proceed(call)


async def _texts_will_do(call: Call, proceed: Step, state: State) -> Answer:
    """JSON that is no object is answered as a success."""
    try:
        whole = isinstance(call.json, dict)
    except ValueError:
        whole = True
    return await proceed(call) if whole else Answer(200, b"{}")


def _has_null(call: Call) -> bool:
    return None in question(call).values()


def _is_unusual(call: Call) -> bool:
    return bool(set(question(call).get("definition") or ()) - {"steps"})


_UNUSUAL: dict[str, Callable[[Call], bool]] = {
    _CREATE: _is_unusual,
    _DEPLOY: _has_null,
    "pipelines.undeploy": _has_null,
    _COPY: lambda call: question(call).get("engine_config") == {},
    _INFER: lambda call: call.body == b"[]",
    "admin.get-pipeline-external-url": lambda call: not str(question(call).get("pipeline_name")).isascii(),
    _STATUS: lambda call: not str(question(call).get("name")).isascii(),
    "models.list-versions": _has_null,
    "workspaces.list": _has_null,
}
"""For an operation, requests as its description has them that are not the usual ones."""


async def _unusual_fails(call: Call, proceed: Step, state: State) -> Answer:
    """What the description allows, and few clients send, is a 500."""
    deployed = call.operation == _STATUS and by_name(state, str(question(call).get("name"))) is not None
    if deployed or not _UNUSUAL[call.operation](call):
        return await proceed(call)
    if call.operation == _INFER:
        return Answer(500, b'[{"error":"no rows","error_type":"Rows"}]')
    return RefusalError(500, "Internal Server Error").answer()


_TRACE = (
    "thread 'tokio-runtime-worker' panicked at src/handlers.rs:214:9: called `Option::unwrap()` on a `None` value "
    'stack backtrace: 0: rust_begin_unwind at /rustc/lib.rs:645 File "/opt/app/main.py", line 12, in handle'
)


FAULTS = (
    *(
        fault(
            f"{name}-answers-{status}",
            "statuses",
            f"A success of {operation} is answered by {status}.",
            with_status(status),
            f"{operation}.succeeds-with-its-documented-status",
        )
        for name, operation, status in _OTHERWISE
    ),
    fault(
        "refusals-redirect-to-a-login",
        "statuses",
        "Bad requests are answered by a redirection to a login page.",
        {
            RESPOND: of_operations(
                refusing(lambda answer: Answer(303, media_type="", headers={"location": "/login"}), 400),
                JSON_OPERATIONS,
            )
        },
        *each("refuses-with-a-declared-status", JSON_OPERATIONS),
    ),
    fault(
        "bad-input-is-a-500",
        "statuses",
        "Bad requests are answered by 500.",
        {
            RESPOND: of_operations(
                refusing(lambda answer: Answer(500, b'{"msg":"Internal Server Error","code":500}'), 400),
                JSON_OPERATIONS,
            )
        },
        *each("blames-bad-input-on-the-client", JSON_OPERATIONS),
        *each("no-name-brings-it-down", ("pipelines.create", "pipelines.copy", "workspaces.create")),
    ),
    fault(
        "any-method-serves",
        "statuses",
        "GET, PUT and DELETE do what POST does.",
        {RESPOND: of_operations(_any_method_will_do, OPERATIONS)},
        *each("serves-no-other-method"),
    ),
    fault(
        "head-and-options-fail",
        "statuses",
        "HEAD and OPTIONS are answered by 500.",
        {RESPOND: of_operations(_head_and_options_fail, OPERATIONS)},
        *each("answers-head-and-options"),
    ),
    fault(
        "unknown-paths-are-ok",
        "statuses",
        "A path that nothing has is answered by 200.",
        {RESPOND: _nowhere_is_somewhere},
        "api.unknown-paths-are-404",
    ),
    fault(
        "longer-paths-are-taken",
        "statuses",
        "A path that goes on after an operation's own is answered by 200.",
        {RESPOND: _longer_paths_are_taken},
        *each("is-found-at-its-own-path-only", tuple(each for each in OPERATIONS if each != "pipelines.infer")),
    ),
    fault(
        "documentation-is-gone",
        "statuses",
        "Nothing is served at /v1/api/docs.",
        {RESPOND: _without_documentation},
        "api.documentation-is-served",
    ),
    fault(
        "successes-declared-as-text",
        "media types and headers",
        "Successes are declared to be text/plain.",
        {RESPOND: of_operations(answering(lambda answer: replace(answer, media_type="text/plain")))},
        *each("answers-in-its-described-media-type"),
    ),
    fault(
        "no-challenge",
        "media types and headers",
        "A 401 has no WWW-Authenticate.",
        {RESPOND: of_operations(refusing(with_header("www-authenticate", ""), 401))},
        *each("challenges-the-unauthorized"),
    ),
    fault(
        "no-allow",
        "media types and headers",
        "A 405 has no Allow.",
        {RESPOND: of_operations(refusing(with_header("allow", ""), 405))},
        *each("names-the-methods-it-knows"),
    ),
    fault(
        "no-date",
        "media types and headers",
        "Answers have no Date.",
        {RESPOND: of_operations(_dateless)},
        *each("says-when-it-answered"),
    ),
    fault(
        "answers-for-shared-caches",
        "media types and headers",
        "What is answered to a token is marked as public for a minute.",
        {RESPOND: of_operations(_public)},
        *each("is-not-for-shared-caches"),
    ),
    fault(
        "byte-order-mark",
        "media types and headers",
        "JSON begins with a byte order mark.",
        {
            RESPOND: of_operations(
                answering(
                    lambda answer: replace(answer, body=b"\xef\xbb\xbf" + answer.body),
                    lambda answer: answer.media_type == JSON,
                )
            )
        },
        *each("writes-its-json-in-utf-8"),
    ),
    fault(
        "any-media-type",
        "media types and headers",
        "A body is read as JSON whatever it is declared to be.",
        {RESPOND: _any_media_type},
        *each("refuses-another-media-type", JSON_OPERATIONS),
    ),
    fault(
        "no-media-type-parameters",
        "media types and headers",
        "A media type in capitals, or with a charset, is refused.",
        {RESPOND: of_operations(_no_parameters, _WITH_PARAMETERS)},
        *each("takes-parameters-of-media-types", _WITH_PARAMETERS),
    ),
    fault(
        "framed-twice",
        "media types and headers",
        "Successes come in chunks, and declare a length as well.",
        {RESPOND: of_operations(answering(_framed_twice, lambda answer: bool(answer.body)))},
        *each("declares-the-length-it-has"),
    ),
    fault(
        "unreadable-bodies-are-served",
        "robustness",
        "A body that is no JSON is answered as a success.",
        dict.fromkeys(JSON_OPERATIONS, _unreadable_is_empty),
        *each("refuses-what-is-no-request", JSON_OPERATIONS),
    ),
    fault(
        "texts-are-served",
        "robustness",
        "JSON that is no object is answered as a success.",
        dict.fromkeys(JSON_OPERATIONS, _texts_will_do),
        *each("refuses-invalid-requests", JSON_OPERATIONS),
    ),
    fault(
        "unusual-requests-are-500",
        "robustness",
        "A null, an empty name or list, or a name beyond ASCII is a 500 where it is allowed.",
        dict.fromkeys(_UNUSUAL, _unusual_fails),
        *each("survives-described-requests", tuple(_UNUSUAL)),
    ),
    fault(
        "refusals-show-a-stack-trace",
        "leaks",
        "Refusals carry a stack trace.",
        {RESPOND: of_operations(refusing(showing(_TRACE), 400, 404), JSON_OPERATIONS)},
        *each("keeps-its-insides-to-itself", JSON_OPERATIONS),
    ),
    fault(
        "refusals-without-a-code",
        "response schema",
        "The JSON body of a refusal has no code.",
        {
            RESPOND: of_operations(
                refusing(lambda answer: Answer(answer.status, b'{"msg":"refused"}'), 400), JSON_OPERATIONS
            )
        },
        *each("refuses-with-the-described-body", JSON_OPERATIONS),
    ),
)
