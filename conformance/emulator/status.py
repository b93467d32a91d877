"""Status of a deployment, and the URLs it is reached at."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from conformance.emulator import fields
from conformance.emulator.deployments import Deployment, by_name, live_name
from conformance.emulator.state import State
from conformance.emulator.wire import Answer, Call, RefusalError, answered

INFER = "/v1/api/pipelines/infer"
_UNREADY = ["containers with unready status: [engine]"] * 2


async def get_deployment(call: Call, state: State) -> Answer:
    """Status of `{deploy_id}-{deployment id}`, in the flat shape every recording has; 404 once it is gone."""
    name = fields.text(fields.json_object(call), "name")
    deployment = by_name(state, name)
    phase = deployment.phase(state) if deployment else "gone"
    if deployment is None or phase == "gone":
        raise RefusalError(404, "Deployment not found")
    return answered(_described(deployment, phase, state))


def _described(deployment: Deployment, phase: str, state: State) -> dict[str, Any]:
    if phase == "starting":
        return _starting(deployment, state)
    status = "Error" if phase == "failed" else "Running"
    engine = {
        **_pod(deployment.pods["engine"], deployment.pods["engine_ip"]),
        "pipeline_statuses": {"pipelines": [_pipeline(deployment, state)]},
        "model_statuses": {"models": _models(deployment, state)},
    }
    details = ["a model could not be loaded"] if phase == "failed" else []
    return _body(status, details, [engine], [_pod(deployment.pods["lb"], deployment.pods["lb_ip"])])


def _starting(deployment: Deployment, state: State) -> dict[str, Any]:
    """The two recorded shapes: at first no pod at all, then an engine that is pending behind a running balancer."""
    if state.clock() < deployment.started + state.settings.start_seconds / 2:
        return _body("Starting", [], [], [])
    pending = {
        "ip": None,
        "name": deployment.pods["engine"],
        "status": "Pending",
        "reason": None,
        "details": _UNREADY,
        "pipeline_statuses": None,
        "model_statuses": None,
    }
    return _body("Starting", ["Scaling"], [pending], [_pod(deployment.pods["lb"], deployment.pods["lb_ip"])])


def _body(status: str, details: list[str], engines: list[Any], balancers: list[Any]) -> dict[str, Any]:
    return {"status": status, "details": details, "engines": engines, "engine_lbs": balancers, "sidekicks": []}


def _pod(name: str, address: str) -> dict[str, Any]:
    return {"ip": address, "name": name, "status": "Running", "reason": None, "details": []}


def _pipeline(deployment: Deployment, state: State) -> dict[str, Any]:
    shown = {"version": deployment.variant} if state.settings.profile.pipeline_version_shown else {}
    return {"id": deployment.pipeline, "status": "Running", **shown}


def _models(deployment: Deployment, state: State) -> list[dict[str, Any]]:
    return [
        {
            "name": model.name,
            "version": model.version,
            "sha": model.sha,
            "status": "Running" if model.status == "ready" else "Error",
            **({"model_version_id": model.id} if state.settings.profile.model_version_id else {}),
        }
        for model in deployment.models
    ]


async def external_url(call: Call, state: State) -> Answer:
    """The inference URL of a deployed pipeline, on the host the request itself was sent to."""
    name, pipeline = _live(call, state)
    base = call.base
    if not state.settings.profile.api_label:
        base = base.replace("://api.", "://", 1).replace(".api.", ".", 1)
    return answered({"url": f"{base}{INFER}/{quote(name, safe='')}/{quote(pipeline, safe='')}"})


async def internal_url(call: Call, state: State) -> Answer:
    """The inference URL inside the cluster, in the form the vendor's client uses."""
    name, pipeline = _live(call, state)
    return answered({"url": f"http://engine-lb.{quote(name, safe='')}:29502/pipelines/{quote(pipeline, safe='')}"})


def _live(call: Call, state: State) -> tuple[str, str]:
    body = fields.json_object(call)
    workspace_id, pipeline = fields.integer(body, "workspace_id"), fields.text(body, "pipeline_name")
    if state.store.one("SELECT 1 FROM pipeline WHERE workspace_id = ? AND name = ?", workspace_id, pipeline) is None:
        raise RefusalError(404, "Pipeline not found")
    name = live_name(state, workspace_id, pipeline)
    if name is None:
        raise RefusalError(404, "Deployment not found")
    return name, pipeline
