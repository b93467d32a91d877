"""Inference: from a deployment's URL to its models and back."""

from __future__ import annotations

import time

import orjson

from conformance.emulator.deployments import Deployment, by_name
from conformance.emulator.engine import InferenceFailedError
from conformance.emulator.state import Inference, State
from conformance.emulator.wire import ARROW_FILE, ARROW_STREAM, JSON, Answer, Call, RefusalError

_ARROW = (ARROW_FILE, ARROW_STREAM)
_FORMATS = ("pandas-records", "wallaroo")
"""Formats of JSON. SDKs since 2024.1 send a dict as the second, which is decided to mean columns."""

_OF_THE_MODEL = frozenset({"InvalidArgument", "NoModel"})
"""Kinds of failures of rows that could be read."""


async def infer(call: Call, state: State) -> Answer:
    """Run the rows of the body through the deployment's models.

    Recorded: 404 without a body where nothing is routed, 503 without one where it is not ready, and 500 with an array
    of `{error, error_type}` for bad input.
    """
    if "pipeline" not in call.parameters:
        raise RefusalError(404, "Not found")
    deployment = by_name(state, call.parameters["deployment"])
    if deployment is None or deployment.pipeline != call.parameters["pipeline"] or deployment.stopped is not None:
        return Answer(404, media_type="")
    if deployment.phase(state) != "running":
        return Answer(503, media_type="")
    return await serve(call, state, deployment)


async def serve(call: Call, state: State, deployment: Deployment) -> Answer:
    """Answer the call from this deployment, whatever its phase."""
    _refuse_other_media(call)
    if not deployment.chain:
        return _failed(state, "the pipeline has no model to run", "NoModel")
    task = _task(call, state, deployment)
    try:
        status, media_type, body = await state.engine.run(deployment.chain, task, call.body)
    except InferenceFailedError as failure:
        return _failed(state, str(failure), failure.kind)
    if status == 413:
        raise RefusalError(413, f"Content too large: at most {state.settings.limits.rows} rows.")
    now = int(time.time() * 1000)
    state.log.add(Inference(deployment.pipeline_id, now, deployment.chain, task, call.body))
    return Answer(status, body, media_type)


def _refuse_other_media(call: Call) -> None:
    kind = call.media_parameters.get("format", "pandas-records")
    charset = call.media_parameters.get("charset", "utf-8")
    known = call.media_type == JSON and kind in _FORMATS and charset in ("utf-8", "utf8")
    if not known and call.media_type not in _ARROW:
        raise RefusalError(
            415, f"Unsupported media type: send application/json; format=pandas-records, or {ARROW_FILE}."
        )


def _task(call: Call, state: State, deployment: Deployment) -> dict[str, object]:
    last = deployment.models[-1]
    accept = call.headers.get("accept", "").lower()
    return {
        "arrow_in": call.media_type in _ARROW,
        "arrow_out": ARROW_FILE in accept,
        "columns": call.asked("dataset[]"),
        "excluded": call.asked("dataset.exclude[]"),
        "separator": (call.asked("dataset.separator") or ("",))[-1],
        "last_model": orjson.dumps({"model_name": last.name, "model_sha": last.sha}).decode(),
        "partition": deployment.pods["engine"],
        "anomaly": state.settings.profile.anomaly,
        "rows": state.settings.limits.rows,
    }


def _failed(state: State, sentence: str, kind: str) -> Answer:
    """Decided for releases that may blame bad input by 400: they do where it cannot be read. What the model does not
    take still fails as it was recorded, with 500.
    """
    profile = state.settings.profile
    status = 500 if kind in _OF_THE_MODEL else profile.unreadable_status
    if profile.error_object:
        error = {"code": status, "status": "Error", "error": sentence, "source": "engine"}
        return Answer(status, orjson.dumps(error))
    return Answer(status, orjson.dumps([{"error": sentence, "error_type": kind}]))
