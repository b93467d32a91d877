"""The lifecycle's timeline: which exchanges of a run a person would draw, as plain events."""

from __future__ import annotations

from typing import Any

from conformance.ledger import Deployment, Ledger
from conformance.model import Exchange


def event_of(exchange: Exchange, before: Ledger, after: Ledger) -> dict[str, Any] | None:
    """The event an exchange is, None for one that moves no deployment.

    Keys as in specs/result.schema.json; `at` is epoch seconds here and counted from the run's start in the result.
    Of status polls only those that told something new are events.
    """
    if exchange.response is None or exchange.started is None:
        return None
    kind, deployment, word = _what(exchange, before, after)
    if deployment is None:
        return None
    return {
        "event": kind,
        "deployment": deployment.name,
        "at": exchange.started,
        "seconds": round(exchange.response.elapsed or 0.0, 6),
        "status": word or str(exchange.status),
    }


def _what(exchange: Exchange, before: Ledger, after: Ledger) -> tuple[str, Deployment | None, str]:
    question = exchange.question if isinstance(exchange.question, dict) else {}
    if exchange.operation == "pipelines.infer":
        return "infer", after.deployment_served_by(exchange), ""
    if exchange.operation == "pipelines.deploy" and exchange.ok:
        answer = exchange.answer if isinstance(exchange.answer, dict) else {}
        return "deploy", _known(after, answer.get("id")), ""
    if exchange.operation == "pipelines.undeploy":
        return "undeploy", _known(after, question.get("deployment_id")), ""
    if exchange.operation == "status.get-deployment":
        name = question.get("name")
        old, new = (ledger.deployment_named(name) if isinstance(name, str) else None for ledger in (before, after))
        told = new is not None and old is not None and (old.status, old.stage) != (new.status, new.stage)
        return "status", new if told else None, new.status if new else ""
    return "", None, ""


def _known(ledger: Ledger, deployment_id: Any) -> Deployment | None:
    return ledger.deployments.get(deployment_id) if type(deployment_id) is int else None
