"""Faults of headers and media types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from conformance.emulator.faults.fault import (
    JSON_OPERATIONS,
    Fault,
    answering,
    each,
    of_operations,
    refusing,
)
from conformance.emulator.wire import ARROW_FILE, JSON, Answer, Call, RefusalError
from conformance.emulator.world import RESPOND, Step, World

KIND = "media types and headers"
_WITH_PARAMETERS = (*(each for each in JSON_OPERATIONS if each != "pipelines.undeploy"), "pipelines.infer")


def _with(name: str, value: str) -> Callable[[Answer], Answer]:
    """Another value of a header; the empty one leaves it out."""
    return lambda answer: replace(answer, headers={**answer.headers, name: value})


async def _dateless(call: Call, proceed: Step, world: World) -> Answer:
    return _with("date", "")(await proceed(call))


def _too_long(answer: Answer) -> Answer:
    return _with("content-length", str(len(answer.body) + 7))(answer)


def _framed_twice(answer: Answer) -> Answer:
    """In chunks, and with a Content-Length beside them."""
    length = str(len(answer.body))
    return replace(answer, headers={**answer.headers, "content-length": length, "transfer-encoding": "chunked"})


async def _any_media_type(call: Call, proceed: Step, world: World) -> Answer:
    """Whatever the body is declared to be, it is read as JSON."""
    if call.media_type == JSON or call.operation not in JSON_OPERATIONS:
        return await proceed(call)
    return await proceed(replace(call, headers={**call.headers, "content-type": JSON}))


async def _unknown_is_json(call: Call, proceed: Step, world: World) -> Answer:
    known = call.media_type in (JSON, ARROW_FILE) or "arrow" in call.media_type
    return await proceed(call if known else replace(call, headers={**call.headers, "content-type": JSON}))


async def _no_parameters(call: Call, proceed: Step, world: World) -> Answer:
    """A media type with a charset is not known."""
    declared = call.headers.get("content-type", "")
    if "charset" in declared.lower() or declared != declared.lower():
        return RefusalError(415, "Unsupported media type").answer()
    return await proceed(call)


async def _arrow_is_answered_in_json(call: Call, proceed: Step, world: World) -> Answer:
    return await proceed(replace(call, headers={**call.headers, "accept": "*/*"}))


FAULTS = (
    Fault(
        "successes-declared-as-text",
        each("answers-in-its-described-media-type"),
        KIND,
        "Successes are declared to be text/plain.",
        {RESPOND: of_operations(answering(lambda answer: replace(answer, media_type="text/plain")))},
    ),
    Fault(
        "no-challenge",
        each("challenges-the-unauthorized"),
        KIND,
        "A 401 has no WWW-Authenticate.",
        {RESPOND: of_operations(refusing(_with("www-authenticate", ""), 401))},
    ),
    Fault(
        "no-allow",
        each("names-the-methods-it-knows"),
        KIND,
        "A 405 has no Allow.",
        {RESPOND: of_operations(refusing(_with("allow", ""), 405))},
    ),
    Fault(
        "no-date",
        each("says-when-it-answered"),
        KIND,
        "Answers have no Date.",
        {RESPOND: of_operations(_dateless)},
    ),
    Fault(
        "byte-order-mark",
        each("writes-its-json-in-utf-8"),
        KIND,
        "JSON begins with a byte order mark.",
        {
            RESPOND: of_operations(
                answering(
                    lambda answer: replace(answer, body=b"\xef\xbb\xbf" + answer.body),
                    lambda answer: answer.media_type == JSON,
                )
            )
        },
    ),
    Fault(
        "any-media-type",
        each("refuses-another-media-type", JSON_OPERATIONS),
        KIND,
        "A body is read as JSON whatever it is declared to be.",
        {RESPOND: _any_media_type},
    ),
    Fault(
        "no-media-type-parameters",
        each("takes-parameters-of-media-types", _WITH_PARAMETERS),
        KIND,
        "A media type in capitals, or with a charset, is refused.",
        {RESPOND: of_operations(_no_parameters, _WITH_PARAMETERS)},
    ),
    Fault(
        "arrow-answered-in-json",
        ("pipelines.infer.answers-arrow-in-arrow",),
        KIND,
        "Who sends Arrow and accepts only that is answered in JSON.",
        {"pipelines.infer": _arrow_is_answered_in_json},
    ),
    Fault(
        "content-length-too-long",
        ("workspaces.list.declares-the-length-it-has", "workspaces.list.serves-valid-requests"),
        KIND,
        "The list of workspaces is shorter than its Content-Length says.",
        {RESPOND: of_operations(answering(_too_long), ("workspaces.list",))},
    ),
    Fault(
        "framed-twice",
        each("declares-the-length-it-has"),
        KIND,
        "Successes come in chunks, and declare a length as well.",
        {RESPOND: of_operations(answering(_framed_twice, lambda answer: bool(answer.body)))},
    ),
    Fault(
        "infer-of-any-media-type",
        ("pipelines.infer.refuses-another-media-type",),
        KIND,
        "Rows of an unknown media type are read as JSON.",
        {"pipelines.infer": _unknown_is_json},
    ),
)
