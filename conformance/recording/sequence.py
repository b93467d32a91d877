"""Exchanges in order: each with the ledger it may be judged by, where requests that overlap assert no order."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.api.operations import Kind, changing, mentioned
from conformance.ledger import Deployment, Ledger
from conformance.model import Exchange

Thing = tuple[Kind, Any]
"""What an exchange is about: a pipeline's primary key or name, or a deployment's id."""

_THINGS = frozenset({Kind.PIPELINE, Kind.PIPELINE_NAME, Kind.DEPLOYMENT})


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
    changes = {one.exchange.operation, other.exchange.operation} & changing()
    return bool(changes) and bool(one.things & other.things)


def _before(settled: _Open) -> Ledger:
    return _without(settled.before, settled.things) if settled.unsure else settled.before


def _after(ledger: Ledger, settled: _Open) -> Ledger:
    after = ledger.after(settled.exchange)
    return _without(after, settled.things | _things(settled.exchange, after)) if settled.unsure else after


def _things(exchange: Exchange, ledger: Ledger) -> frozenset[Thing]:
    """Pipelines and deployments a request or its answer speaks of, with the ones the ledger knows to belong to them."""
    named = [thing for thing in mentioned(exchange) if thing[0] in _THINGS]
    known = [ledger.deployments.get(value) for kind, value in named if kind is Kind.DEPLOYMENT]
    named += [(Kind.PIPELINE, one.pipeline_pk) for one in known if one and one.pipeline_pk is not None]
    pipelines = [ledger.pipelines.get(value) for kind, value in named if kind is Kind.PIPELINE]
    return frozenset([*named, *((Kind.PIPELINE_NAME, one.name) for one in pipelines if one)])


def _without(ledger: Ledger, things: frozenset[Thing]) -> Ledger:
    """The ledger as if it had never heard of these."""
    pks = {value for kind, value in things if kind is Kind.PIPELINE}
    names = {value for kind, value in things if kind is Kind.PIPELINE_NAME}
    ids = {value for kind, value in things if kind is Kind.DEPLOYMENT}

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
