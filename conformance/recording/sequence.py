"""Exchanges in order: each with the ledger it may be judged by, where requests that overlap assert no order."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeGuard
from urllib.parse import unquote

from conformance.ledger import Deployment, Ledger
from conformance.model import Exchange

Thing = tuple[str, Hashable]
"""What an exchange is about: ("pipeline", pk), ("pipeline name", name) or ("deployment", id)."""

_CHANGING = frozenset(
    {
        "pipelines.create",
        "pipelines.copy",
        "pipelines.deploy",
        "pipelines.undeploy",
        "models.upload-and-convert",
        "workspaces.create",
    }
)
_NAME_FIELDS = {
    "pipelines.create": "pipeline_id",
    "pipelines.copy": "name",
    "admin.get-pipeline-external-url": "pipeline_name",
}
"""Where a request names a pipeline, by operation."""

_NAMED = re.compile(r"-(\d{1,18})$")


@dataclass
class _Open:
    """An exchange whose end lies ahead: the ledger when it began, what it is about, and whether its order is unsure."""

    exchange: Exchange
    before: Ledger
    things: frozenset[Thing]
    unsure: bool = False


def in_order(exchanges: Iterable[Exchange]) -> Iterator[tuple[Exchange, Ledger]]:
    """Each exchange with what was known when it began. `exchanges` come in order of start.

    Two exchanges overlap where each began before the other ended. Where they are about the same thing and either
    changes it, neither came first: both are judged as if nothing were known of that thing, and after them nothing is.
    Exchanges without a start stand in the order given.
    """
    ledger, pending = Ledger(), list[_Open]()
    for exchange in exchanges:
        now = exchange.started
        while pending and (now is None or _end(pending[0].exchange) <= now):
            settled = pending.pop(0)
            ledger = _after(ledger, settled)
            yield settled.exchange, _before(settled)
        opened = _Open(exchange, ledger, _things(exchange, ledger))
        for other in pending:
            if _clash(opened, other):
                opened.unsure = other.unsure = True
        pending.append(opened)
        pending.sort(key=lambda entry: _end(entry.exchange))
    for settled in pending:
        yield settled.exchange, _before(settled)


def _end(exchange: Exchange) -> float:
    end = exchange.ended if exchange.ended is not None else exchange.started
    return float("-inf") if end is None else end


def _clash(one: _Open, other: _Open) -> bool:
    changing = one.exchange.operation in _CHANGING or other.exchange.operation in _CHANGING
    return changing and bool(one.things & other.things)


def _before(settled: _Open) -> Ledger:
    return _without(settled.before, settled.things) if settled.unsure else settled.before


def _after(ledger: Ledger, settled: _Open) -> Ledger:
    after = ledger.after(settled.exchange)
    return _without(after, settled.things | _things(settled.exchange, after)) if settled.unsure else after


def _things(exchange: Exchange, ledger: Ledger) -> frozenset[Thing]:
    """Pipelines and deployments a request or its answer speaks of, with the ones the ledger knows to belong to them."""
    question, answer = _fields(exchange.question), _fields(exchange.answer)
    ids = [question.get("deployment_id"), _number(question.get("name")), _number(exchange.parameters.values())]
    if exchange.operation == "pipelines.deploy":
        ids.append(answer.get("id"))
    deployments = {value for value in ids if _is_id(value)}
    pks = [question.get("pipeline_id"), question.get("source_pipeline"), answer.get("pipeline_pk_id")]
    pks += [d.pipeline_pk for d in (ledger.deployments.get(id_) for id_ in deployments) if d is not None]
    pipelines = {value for value in pks if _is_id(value)}
    names = [question.get(_NAME_FIELDS.get(exchange.operation or "", ""))]
    names += [pipeline.name for pipeline in (ledger.pipelines.get(pk) for pk in pipelines) if pipeline]
    return frozenset(
        [("deployment", value) for value in deployments]
        + [("pipeline", value) for value in pipelines]
        + [("pipeline name", value) for value in names if isinstance(value, str)]
    )


def _without(ledger: Ledger, things: frozenset[Thing]) -> Ledger:
    """The ledger as if it had never heard of these."""
    pks = {value for kind, value in things if kind == "pipeline"}
    names = {value for kind, value in things if kind == "pipeline name"}
    ids = {value for kind, value in things if kind == "deployment"}

    def theirs(deployment: Deployment) -> bool:
        return deployment.id in ids or deployment.pipeline_pk in pks

    lost = {pipeline.pk for pipeline in ledger.pipelines.values() if pipeline.pk in pks or pipeline.name in names}
    return replace(
        ledger,
        deployments=_dropped(ledger.deployments, [d.id for d in ledger.deployments.values() if theirs(d)]),
        current=_dropped(ledger.current, [pk for pk, id_ in ledger.current.items() if pk in pks or id_ in ids]),
        pipelines=_dropped(ledger.pipelines, lost),
        pipeline_pks=_dropped(ledger.pipeline_pks, [key for key, pk in ledger.pipeline_pks.items() if pk in lost]),
        variants=_dropped(ledger.variants, [variant for variant, pk in ledger.variants.items() if pk in lost]),
    )


def _dropped(entries: Any, keys: Iterable[Hashable]) -> Any:
    for key in keys:
        entries = entries.discard(key)
    return entries


def _fields(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> int | None:
    """The deployment's id at the end of its name, `{deploy_id}-{id}`."""
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else []
    numbers = [match for name in names if (match := _NAMED.search(unquote(str(name))))]
    return int(numbers[0][1]) if numbers else None
