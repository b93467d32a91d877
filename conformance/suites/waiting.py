"""Waiting for a deployment: by polling its status, with a deadline, and saying what was seen."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from conformance.api.client import ApiError, PipelineClient, Reply
from conformance.api.gateway import is_gateways
from conformance.ledger import Stage
from conformance.model import Mark
from conformance.run.session import Session
from conformance.targets.waits import WaitBudget, awaiting

ERROR_SECONDS = 60.0
"""How long `Error` may last before the wait gives up: recorded while a cluster has no room, and the vendor's client
waits on through it."""

RUNNING, GONE, ROUTED, SHOWN = "Running", "404", "routed", "shown"
"""What is waited for."""

ROUTING_SECONDS = 10.0
_NOT_ROUTED = (404, 503)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


def until_running(client: PipelineClient, name: str, budget: WaitBudget, since: float | None = None) -> float:
    """Poll until Running; returns the seconds it took. Raises ApiError with what was seen where it does not come.

    The wait counts from `since` on time.monotonic, by default from now.
    """
    began, seconds = time.monotonic() if since is None else since, budget.seconds(RUNNING)
    with awaiting(f"{name} to run", seconds, began):
        return _polled_until_running(client, name, budget, began, seconds)


def _polled_until_running(client: PipelineClient, name: str, budget: WaitBudget, began: float, seconds: float) -> float:
    pause, error_since, seen = _FIRST_PAUSE, None, "nothing"
    polling = replace(client, intent="")
    while True:
        waited = time.monotonic() - began
        last = waited >= seconds or (error_since is not None and time.monotonic() - error_since >= ERROR_SECONDS)
        reply = polling.meaning("", Mark.DEADLINE).deployment_status(name) if last else polling.deployment_status(name)
        status = _status(reply.exchange.answer) if reply.ok else ""
        if status == RUNNING:
            return time.monotonic() - began
        seen = f"status '{status}'" if status else (reply.exchange.failure or f"HTTP status {reply.status}")
        if last:
            budget.ran_out(RUNNING)
            raise ApiError(f"{name} did not become Running within {waited:.0f} s; last seen: {seen}.", reply.exchange)
        error_since = (error_since or time.monotonic()) if status == "Error" else None
        time.sleep(min(pause, max(0.0, seconds - waited)))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def until_gone(client: PipelineClient, name: str, budget: WaitBudget, since: float | None = None) -> float:
    """Poll until status answers 404; returns the seconds it took. Raises ApiError where it does not come."""
    began, seconds = time.monotonic() if since is None else since, budget.seconds(GONE)
    with awaiting(f"{name} to be gone", seconds, began):
        return _polled_until_gone(client, name, budget, began, seconds)


def _polled_until_gone(client: PipelineClient, name: str, budget: WaitBudget, began: float, seconds: float) -> float:
    pause = _FIRST_PAUSE
    while True:
        waited = time.monotonic() - began
        last = waited >= seconds
        polling = client.meaning("", Mark.DEADLINE) if last else client.meaning("")
        reply = polling.deployment_status(name)
        if reply.status == 404 and not is_gateways(reply.exchange):
            return time.monotonic() - began
        if last:
            budget.ran_out(GONE)
            came = reply.exchange.failure or f"HTTP status {reply.status}"
            raise ApiError(f"{name} was not gone {waited:.0f} s after its undeploy; last seen: {came}.", reply.exchange)
        time.sleep(min(pause, max(0.0, seconds - waited)))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def until_shown(client: PipelineClient, name: str, sha: str, budget: WaitBudget) -> None:
    """Poll until a Running status shows that model and no other, for as long as a deployment may take to run."""
    began, pause, seconds = time.monotonic(), _FIRST_PAUSE, budget.seconds(SHOWN)
    while True:
        answer = client.meaning("").deployment_status(name).exchange.answer
        if _status(answer) == RUNNING and _shas(answer) == {sha}:
            return
        if time.monotonic() - began >= seconds:
            budget.ran_out(SHOWN)
            return
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _shas(answer: Any) -> set[str]:
    try:
        models = [model for engine in answer["engines"] for model in engine["model_statuses"]["models"]]
        return {str(model.get("sha")) for model in models}
    except (KeyError, TypeError, AttributeError):
        return set()


def until_routed(client: PipelineClient, url: str, column: str, row: list[float], budget: WaitBudget) -> Reply[Any]:
    """Ask for one row until that is no longer refused as of what is not there yet, for ten seconds at most.

    The gateway may learn of a deployment a moment after its status says Running: 404 and 503, both without a body, were
    recorded. What is refused later is judged. Returns the last reply.
    """
    began, pause = time.monotonic(), _FIRST_PAUSE
    seconds = 0.0 if budget.gave_up(ROUTED) else min(ROUTING_SECONDS, budget.seconds(ROUTED))
    with awaiting("the gateway to know a running deployment", seconds, began):
        while (reply := client.meaning("").infer(url, column, [row])).status in _NOT_ROUTED:
            if time.monotonic() - began >= seconds:
                budget.ran_out(ROUTED)
                break
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
    return reply


def _status(answer: Any) -> str:
    return str(answer.get("status", "")) if isinstance(answer, dict) else ""


def undeploy_all(session: Session) -> list[str]:
    """Undeploy whatever this session left running; the names of what was not gone after one wait for them all."""
    client = PipelineClient(session.send)
    ending = list(session.ledger.live())
    for deployment in ending:
        if deployment.stage is Stage.DEPLOYED:
            client.undeploy(deployment_id=deployment.id)
    left, end = [], time.monotonic() + session.wait_budget.seconds(GONE)
    for deployment in ending:
        try:
            until_gone(client, deployment.name, WaitBudget(max(0.0, end - time.monotonic())))
        except ApiError:
            left.append(deployment.name)
    return left
