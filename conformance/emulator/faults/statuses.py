"""Faults of statuses: the answer is right, or wrong, under a number that says otherwise."""

from __future__ import annotations

import re
from dataclasses import replace

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import (
    JSON_OPERATIONS,
    OPERATIONS,
    Fault,
    answering,
    each,
    of_operations,
    question,
    refusing,
)
from conformance.emulator.wire import Answer, Call, answered
from conformance.emulator.world import RESPOND, Around, Step, World

KIND = "statuses"


def _as(status: int) -> Around:
    return answering(lambda answer: replace(answer, status=status))


async def _copy_is_gone(call: Call, proceed: Step, world: World) -> Answer:
    return Answer(404, b'{"msg":"Not found","code":404}')


async def _an_ending_is_needed(call: Call, proceed: Step, world: World) -> Answer:
    """A file whose name has no ending is refused."""
    named = re.search(rb'filename="([^"]*)"', call.body)
    if named and b"." not in named[1]:
        return Answer(400, b'{"msg":"Bad request: the file\'s name has no known ending.","code":400}')
    return await proceed(call)


async def _any_method_will_do(call: Call, proceed: Step, world: World) -> Answer:
    """A GET, PUT or DELETE does what POST does."""
    return await proceed(replace(call, method="POST") if call.method not in ("HEAD", "OPTIONS") else call)


async def _head_and_options_fail(call: Call, proceed: Step, world: World) -> Answer:
    if call.method in ("HEAD", "OPTIONS"):
        return Answer(500, b'{"msg":"Internal Server Error","code":500}')
    return await proceed(call)


async def _nowhere_is_somewhere(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    unknown = answer.status == 404 and not call.operation and not re.search(r"/v1/api/\w+/\w+", call.path)
    return answered({"status": "ok"}) if unknown else answer


async def _longer_paths_are_taken(call: Call, proceed: Step, world: World) -> Answer:
    """A path that goes on after an operation's own is answered as if it were that operation's."""
    answer = await proceed(call)
    longer = answer.status == 404 and not call.operation and re.match(r"/v1/api/\w+/\w+.", call.path)
    return answered({}) if longer else answer


async def _without_documentation(call: Call, proceed: Step, world: World) -> Answer:
    if call.path.startswith("/v1/api/docs"):
        return Answer(404, b'{"msg":"Not found","code":404}')
    return await proceed(call)


async def _unknown_deployment_is_a_400(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    never = answer.status == 404 and by_name(world, str(question(call).get("name"))) is None
    return Answer(400, b'{"msg":"Bad request: no such deployment","code":400}') if never else answer


async def _unknown_url_is_made_up(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    name = question(call).get("pipeline_name")
    known = world.store.one("SELECT 1 FROM pipeline WHERE name = ?", name)
    if answer.status != 404 or known:
        return answer
    return answered({"url": f"{call.base}/v1/api/pipelines/infer/{name}-0/{name}"})


async def _unrouted_is_400(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    routed = by_name(world, call.parameters.get("deployment", ""))
    return Answer(400, media_type="") if answer.status == 404 and routed is None else answer


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

FAULTS = (
    *(
        Fault(
            f"{name}-answers-{status}",
            (f"{operation}.succeeds-with-its-documented-status",),
            KIND,
            f"A success of {operation} is answered by {status}.",
            {operation: _as(status)},
        )
        for name, operation, status in _OTHERWISE
    ),
    Fault(
        "upload-answers-200",
        (
            "models.upload-and-convert.succeeds-with-its-documented-status",
            "models.upload-and-convert.is-accepted-not-done",
        ),
        KIND,
        "An upload is answered by 200, as the tutorial leaves one to think.",
        {"models.upload-and-convert": _as(200)},
    ),
    Fault(
        "copy-is-gone",
        ("pipelines.copy.serves-valid-requests", "pipelines.copy.stands-where-its-examples-send-to"),
        "regressions",
        "Copy is answered by 404, as in releases since 2024.1.",
        {"pipelines.copy": _copy_is_gone},
    ),
    Fault(
        "upload-needs-an-ending",
        ("models.upload-and-convert.takes-any-file-name",),
        "regressions",
        "A file whose name has no ending is refused, as in releases since 2025.2.",
        {"models.upload-and-convert": _an_ending_is_needed},
    ),
    Fault(
        "refusals-redirect-to-a-login",
        each("refuses-with-a-declared-status", JSON_OPERATIONS),
        KIND,
        "Bad requests are answered by a redirection to a login page.",
        {
            RESPOND: of_operations(
                refusing(lambda answer: Answer(303, media_type="", headers={"location": "/login"}), 400),
                JSON_OPERATIONS,
            )
        },
    ),
    Fault(
        "bad-input-is-a-500",
        (
            *each("blames-bad-input-on-the-client", JSON_OPERATIONS),
            *each("no-name-brings-it-down", ("pipelines.create", "pipelines.copy", "workspaces.create")),
        ),
        KIND,
        "Bad requests are answered by 500.",
        {
            RESPOND: of_operations(
                refusing(lambda answer: Answer(500, b'{"msg":"Internal Server Error","code":500}'), 400),
                JSON_OPERATIONS,
            )
        },
    ),
    Fault(
        "infer-redirects-to-a-login",
        ("pipelines.infer.refuses-with-a-declared-status",),
        KIND,
        "Rows that cannot be computed are answered by a redirection to a login page.",
        {"pipelines.infer": refusing(lambda answer: Answer(303, media_type="", headers={"location": "/login"}), 500)},
    ),
    Fault(
        "infer-blames-itself-for-bad-input",
        ("pipelines.infer.blames-bad-input-on-the-client",),
        KIND,
        "Rows that cannot be computed are answered by 503.",
        {"pipelines.infer": refusing(lambda answer: Answer(503, media_type=""), 500)},
    ),
    Fault(
        "upload-blames-itself-for-bad-input",
        (
            "models.upload-and-convert.blames-bad-input-on-the-client",
            "models.upload-and-convert.refuses-with-a-declared-status",
        ),
        KIND,
        "Bad uploads are answered by 501.",
        {"models.upload-and-convert": refusing(lambda answer: replace(answer, status=501), 400)},
    ),
    Fault(
        "any-method-serves",
        each("serves-no-other-method"),
        KIND,
        "GET, PUT and DELETE do what POST does.",
        {RESPOND: of_operations(_any_method_will_do, OPERATIONS)},
    ),
    Fault(
        "head-and-options-fail",
        each("answers-head-and-options"),
        KIND,
        "HEAD and OPTIONS are answered by 500.",
        {RESPOND: of_operations(_head_and_options_fail, OPERATIONS)},
    ),
    Fault(
        "unknown-paths-are-ok",
        ("api.unknown-paths-are-404",),
        KIND,
        "A path that nothing has is answered by 200.",
        {RESPOND: _nowhere_is_somewhere},
    ),
    Fault(
        "longer-paths-are-taken",
        each("is-found-at-its-own-path-only", tuple(each for each in OPERATIONS if each != "pipelines.infer")),
        KIND,
        "A path that goes on after an operation's own is answered by 200.",
        {RESPOND: _longer_paths_are_taken},
    ),
    Fault(
        "documentation-is-gone",
        ("api.documentation-is-served",),
        KIND,
        "Nothing is served at /v1/api/docs.",
        {RESPOND: _without_documentation},
    ),
    Fault(
        "status-of-the-unknown-is-400",
        ("status.get-deployment.knows-nothing-of-what-never-was",),
        KIND,
        "The status of a deployment that never was is answered by 400.",
        {"status.get-deployment": _unknown_deployment_is_a_400},
    ),
    Fault(
        "url-of-the-unknown-is-made-up",
        (
            "admin.get-pipeline-external-url.knows-nothing-of-what-never-was",
            "admin.get-pipeline-external-url.is-404-for-the-unknown",
        ),
        KIND,
        "The URL of a pipeline that never was is answered all the same.",
        {"admin.get-pipeline-external-url": _unknown_url_is_made_up},
    ),
    Fault(
        "infer-unrouted-is-400",
        ("pipelines.infer.nothing-routed-is-404",),
        KIND,
        "Inference where nothing was ever routed is answered by 400.",
        {"pipelines.infer": _unrouted_is_400},
    ),
    Fault(
        "infer-404-has-a-body",
        ("pipelines.infer.says-nothing-where-nothing-is-routed",),
        KIND,
        "A 404 of inference carries an explanation where its body is empty in every recording.",
        {"pipelines.infer": refusing(lambda answer: Answer(404, b'{"msg":"Not found","code":404}'), 404)},
    ),
)
