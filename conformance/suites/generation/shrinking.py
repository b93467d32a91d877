"""From a finding to the smallest sequence that shows it: first fewer exchanges, then smaller values in the last."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from conformance.errors import NoVerdictError
from conformance.model import Exchange, Finding, Request
from conformance.session import Session, Trace
from conformance.settings import Settings
from conformance.suites.generation.budget import budget_of
from conformance.suites.generation.replaying import NotAgainError, Replayer, shown_by
from conformance.suites.generation.tokens import Token, gives, made_name, uses
from conformance.targets.guard import RefusedError

_TOUCHING = 14
"""Exchanges that merely speak of the same things and are kept to begin with: the last ones."""

_COSTLY = frozenset({"pipelines.deploy"})


def shrink_all(session: Session, settings: Settings) -> None:
    """Shrink the first finding of each broken requirement, as far as the budget goes; what was shrunk is reported.

    Nothing is raised: a finding that does not show itself again stays as it was found. On a live target nothing is
    deployed for this.
    """
    budget = budget_of(settings)
    replayer = Replayer(session, settings.prefix, budget.replays)
    until = time.monotonic() + budget.seconds
    for trace in list(session.traces.values())[: budget.findings]:
        if time.monotonic() > until or trace.finding.shrunk or not trace.finding.evidence:
            continue
        try:
            shrunk = _Shrinker(session, replayer, settings, until).shrunk(trace)
        except (NoVerdictError, RefusedError):
            continue
        if shrunk is not None:
            session.report(shrunk)


class _Shrinker:
    def __init__(self, session: Session, replayer: Replayer, settings: Settings, until: float) -> None:
        self._session, self._replayer, self._settings, self._until = session, replayer, settings, until

    def shrunk(self, trace: Trace) -> Finding | None:
        finding = trace.finding
        sequence = self._fewest(trace)
        if sequence is None:
            return None
        smaller = self._smallest_last(sequence, finding)
        if smaller is not sequence[-1]:
            sequence = [*sequence[:-1], smaller]
        life = self._replayer.life()
        kept: list[Exchange] = []
        life.session.keep_with(kept.append)
        try:
            life.live(sequence[:-1])
            life.again(sequence[-1])
        except NotAgainError:
            pass
        finally:
            shown, sent = shown_by(life.session, finding), tuple(kept)
            life.end()
        return replace(shown, evidence=_without_polls(sent), shrunk=True) if shown else None

    def _fewest(self, trace: Trace) -> list[Exchange] | None:
        """The givers of what the finding's exchanges use; if that is not enough, what speaks of the same things too."""
        finding = trace.finding
        history = _collapsed([*self._session.log[: trace.before], *finding.evidence])
        needed = _givers(history, finding.evidence)
        if self._cannot(needed):
            return None
        if self._shows(needed, finding):
            return self._without_each(needed, finding, keep={id(e) for e in finding.evidence[-1:]})
        wider = _touching(history, needed)
        if len(wider) == len(needed) or self._cannot(wider) or not self._shows(wider, finding):
            return None
        return self._without_each(wider, finding, keep={id(e) for e in finding.evidence[-1:]})

    def _cannot(self, exchanges: Sequence[Exchange]) -> bool:
        return self._settings.kind == "live" and any(
            e.operation in _COSTLY or "deploy" in (e.question or {}) if isinstance(e.question, dict) else False
            for e in exchanges
        )

    def _without_each(self, exchanges: list[Exchange], finding: Finding, keep: set[int]) -> list[Exchange]:
        """The sequence once no single exchange can be left out, with all that uses what it gave."""
        for exchange in list(reversed(exchanges)):
            if id(exchange) in keep or not any(e is exchange for e in exchanges):
                continue
            gone = _dependents(exchanges, exchange)
            if any(id(e) in keep for e in gone):
                continue
            fewer = [e for e in exchanges if not any(e is other for other in gone)]
            if self._shows(fewer, finding):
                exchanges = fewer
        return exchanges

    def _shows(self, exchanges: Sequence[Exchange], finding: Finding) -> bool:
        if time.monotonic() > self._until:
            raise NoVerdictError("No more time to shrink.")
        return self._replayer.shows(exchanges, finding) is not None

    def _smallest_last(self, sequence: list[Exchange], finding: Finding) -> Exchange:
        """The last exchange with the smallest request that still shows the finding, tried within one life."""
        last = sequence[-1]
        life = self._replayer.life()
        try:
            life.live(sequence[:-1])

            def shows(request: Request) -> bool:
                if time.monotonic() > self._until:
                    return False
                life.session.traces.clear()
                life.number += 1000
                life.known = {t: v for t, v in life.known.items() if t != made_name(last)}
                life.send(last, life.request(replace(last, request=request)))
                return shown_by(life.session, finding) is not None

            return replace(last, request=smallest(last.request, shows))
        except NotAgainError:
            return last
        finally:
            life.end()


def smallest(request: Request, shows: Callable[[Request], bool]) -> Request:
    """The smallest request that still `shows`: fewer rows, fewer fields, shorter names. The first is known to."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return request
    if isinstance(body, list) and len(body) > 1:
        count = fewest(len(body), lambda n: shows(_with(request, body[:n])))
        return _with(request, body[:count])
    if not isinstance(body, dict):
        return request
    for key in list(body):
        without = {name: value for name, value in body.items() if name != key}
        if len(body) > 1 and shows(_with(request, without)):
            body = without
    for key, value in list(body.items()):
        for simpler in _simpler(value):
            if shows(_with(request, body | {key: simpler})):
                body = body | {key: simpler}
                break
        if isinstance(body[key], str) and len(body[key]) >= 50:
            text = body[key]
            length = fewest(len(text), lambda n: shows(_with(request, body | {key: text[:n]})), least=50)  # noqa: B023
            body = body | {key: text[:length]}
    return _with(request, body)


def fewest(most: int, holds: Callable[[int], bool], least: int = 1) -> int:
    """The least number from which on `holds` may be counted on, by halving; `most` is known to hold."""
    if most <= least or holds(least):
        return min(most, least)
    low, high = least, most
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _simpler(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield type(value)()


def _with(request: Request, body: Any) -> Request:
    return replace(request, body=json.dumps(body).encode())


def _collapsed(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Each exchange once, and of the polls of one deployment in a row the last."""
    seen: set[int] = set()
    kept: list[Exchange] = []
    for exchange in exchanges:
        if id(exchange) in seen:
            continue
        seen.add(id(exchange))
        if kept and exchange.operation == kept[-1].operation == "status.get-deployment":
            if exchange.request.body == kept[-1].request.body:
                kept.pop()
        kept.append(exchange)
    return kept


def _without_polls(exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
    return tuple(_collapsed(exchanges))


def _tokens_given(exchange: Exchange) -> set[Token]:
    found: set[Token] = {token for token in gives(exchange) if _hashable(token)}
    name = made_name(exchange)
    return found | ({name} if name and exchange.ok else set())


def _hashable(token: Token) -> bool:
    return isinstance(token[1], int | str)


def _givers(history: Sequence[Exchange], evidence: Sequence[Exchange]) -> list[Exchange]:
    """The exchanges that the evidence cannot do without: the givers of what it uses, and theirs."""
    wanted: set[Token] = set()
    chosen: list[Exchange] = []
    running: set[Token] = set()
    for exchange in reversed(history):
        is_evidence = any(exchange is e for e in evidence)
        given = _tokens_given(exchange)
        polled = exchange.operation == "status.get-deployment" and not is_evidence
        if is_evidence or given & wanted or (polled and _runs(exchange) and uses(exchange.request) & running):
            chosen.append(exchange)
            wanted |= uses(exchange.request)
            if exchange.operation == "pipelines.infer":
                running |= {token for token in uses(exchange.request) if token[0] == "deployment"}
            elif polled:
                running -= uses(exchange.request)
    return chosen[::-1]


def _runs(exchange: Exchange) -> bool:
    answer = exchange.answer
    return exchange.ok and isinstance(answer, dict) and answer.get("status") == "Running"


def _touching(history: Sequence[Exchange], needed: Sequence[Exchange]) -> list[Exchange]:
    """Those, and the last exchanges that speak of the same pipelines, deployments and names."""
    about = {t for e in needed for t in uses(e.request) | _tokens_given(e) if t[0] in _TOLD}
    extra = [e for e in history if not any(e is n for n in needed) and (uses(e.request) | _tokens_given(e)) & about]
    extra = [e for e in extra if e.operation != "models.list-versions"][-_TOUCHING:]
    chosen = [*needed, *extra]
    within = [e for e in history if any(e is c for c in chosen)]
    return _givers(history, within)


_TOLD = frozenset({"pipeline", "deployment", "name", "variant"})


def _dependents(exchanges: Sequence[Exchange], removed: Exchange) -> list[Exchange]:
    """The exchange and every later one that uses what only it gave."""
    gone = [removed]
    lost = set(_tokens_given(removed))
    for exchange in exchanges:
        if exchange is removed:
            continue
        others = {t for e in exchanges if not any(e is g for g in gone) and e is not exchange for t in _tokens_given(e)}
        if (uses(exchange.request) & lost) - others:
            gone.append(exchange)
            lost |= _tokens_given(exchange)
    return gone


