"""The lifecycle as events: what exchanges say about when a deployment started, ran, answered and ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from conformance.model import Exchange

_INFER = re.compile(r"/pipelines/infer/([^/]+)/")

Event = dict[str, Any]
"""`event` (deploy, status, infer, undeploy), `deployment` (its name, as status calls it; for undeploy its id), `at`
(seconds on the exchange's clock), `seconds` (how long the answer took), `status` (what came)."""


def event_of(exchange: Exchange) -> Event | None:
    """The event an exchange is, None where it says nothing of a deployment or its time is unknown."""
    if exchange.started is None or exchange.response is None:
        return None
    kind, name = _named(exchange)
    if not name:
        return None
    event: Event = {"event": kind, "deployment": name, "at": exchange.started, "status": str(exchange.status)}
    if exchange.ended is not None:
        event["seconds"] = round(exchange.ended - exchange.started, 6)
    if kind == "status" and exchange.ok and isinstance(exchange.answer, dict):
        event["status"] = str(exchange.answer.get("status"))
    return event


def _named(exchange: Exchange) -> tuple[str, str]:
    question = exchange.question if isinstance(exchange.question, dict) else {}
    answer = exchange.answer if isinstance(exchange.answer, dict) else {}
    match exchange.operation:
        case "pipelines.deploy" if exchange.ok:
            return "deploy", f"{question.get('deploy_id')}-{answer.get('id')}"
        case "status.get-deployment" if exchange.ok or exchange.status == 404:
            return "status", str(question.get("name", ""))
        case "pipelines.undeploy" if exchange.ok and question.get("deployment_id") is not None:
            return "undeploy", str(question["deployment_id"])
        case "pipelines.infer" if match := _INFER.search(exchange.request.path):
            return "infer", unquote(match[1])
    return "", ""


def condensed(events: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Events in order of time, counted from the first, of deployments that were seen to be deployed.

    Polls that repeat what the one before said are left out, and undeployments get their deployment's name. `gap` is the
    seconds since the deployment was last looked at: what a status tells came about within them.
    """
    ordered = sorted((dict(event) for event in events if "at" in event), key=lambda event: float(event["at"]))
    origin = ordered[0]["at"] if ordered else 0.0
    names = {
        event["deployment"].rpartition("-")[2]: event["deployment"] for event in ordered if event["event"] == "deploy"
    }
    last: dict[str, str] = {}
    seen: dict[str, float] = {}
    kept = []
    for event in ordered:
        event["at"] = round(event["at"] - origin, 6)
        if event["event"] == "undeploy":
            event["deployment"] = names.get(event["deployment"], event["deployment"])
        if event["deployment"] not in names.values():
            continue
        name, is_status = event["deployment"], event["event"] == "status"
        repeated = is_status and last.get(name) == event["status"]
        if is_status:
            last[name] = event["status"]
            event["gap"] = round(event["at"] - seen.get(name, event["at"]), 6)
        if event["event"] != "infer":
            seen[name] = event["at"]
        if not repeated:
            kept.append(event)
    return kept
