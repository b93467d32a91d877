"""Faults between calls: what one call says, another contradicts."""

from __future__ import annotations

import hashlib
from typing import Any

from conformance.emulator import inference
from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import Fault, succeeding
from conformance.emulator.wire import Answer, Call
from conformance.emulator.world import Step, World

_OTHER_SHA = hashlib.sha256(b"something else").hexdigest()


async def _serve_what_is_gone(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    deployment = by_name(world, call.parameters.get("deployment", "")) if answer.status == 404 else None
    if deployment is None or deployment.pipeline != call.parameters["pipeline"]:
        return answer
    return await inference.serve(call, world, deployment)


def _list_another_sha(versions: Any) -> Any:
    return [version | {"sha": _OTHER_SHA} for version in versions]


FAULTS = (
    Fault(
        "infer-after-undeploy",
        ("pipelines.infer.refused-once-undeployed",),
        "relations",
        "Inference is still answered after undeploy, when status is 404 already.",
        {"pipelines.infer": _serve_what_is_gone},
    ),
    Fault(
        "list-versions-another-sha",
        ("models.list-versions.sha-is-of-the-uploaded-bytes",),
        "relations",
        "Listed versions carry the SHA-256 of something other than the uploaded bytes.",
        {"models.list-versions": succeeding(_list_another_sha)},
    ),
)
