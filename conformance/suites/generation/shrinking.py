"""From a finding to the smallest sequence that shows it: first fewer exchanges, then smaller values in the last."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from conformance.errors import NoVerdictError
from conformance.model import Exchange, Finding, Request
from conformance.run.session import Session, Trace
from conformance.run.settings import LOOPBACK, Settings
from conformance.suites.generation.replaying import (
    NotAgainError,
    Replayer,
    collapsed,
    dependents,
    givers,
    kept_operations,
    made_name,
    shown_by,
    touching,
    with_body,
    without_models,
)
from conformance.suites.generation.resources import budget_of
from conformance.targets.safety.guard import RefusedError

_COSTLY = frozenset({"pipelines.deploy"})
_TIMES = 3
"""How often a finding is asked in all: what shows once in three is not repeatable, and gates as ever."""


def shrink_all(session: Session, settings: Settings) -> None:
    """Shrink the first finding of each broken requirement, as far as the budget goes; what was shrunk is reported.

    Where the budget ends before a sequence is the smallest, the smallest so far is what is reported.

    Each is asked again as often as says whether it shows always or once. Nothing is raised. On a live target elsewhere
    nothing is deployed for this.
    """
    budget = budget_of(settings)
    if not settings.shrink:
        return
    replayer = Replayer(session, settings.prefix, budget.replays, waits=settings.kind == "live")
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
        self._session, self._replayer, self._until = session, replayer, until
        # What runs on this machine costs nobody money.
        self._may_deploy = settings.kind != "live" or urlsplit(session.target.url).hostname in LOOPBACK

    def shrunk(self, trace: Trace) -> Finding | None:
        finding = trace.finding
        sequence = self._fewest(trace)
        if sequence is None:
            return None
        if not sequence:  # it showed once, and neither of two times it was asked again
            return replace(finding, repeated=(1, _TIMES))
        sequence = self._plainer(sequence, finding)
        smaller = self._smallest_last(sequence, finding)
        if smaller is not sequence[-1]:
            sequence = [*sequence[:-1], smaller]
        asked = [self._asked(sequence, finding)]
        try:
            while len(asked) < _TIMES:
                self._hurry()
                asked.append(self._asked(sequence, finding))
        except (NoVerdictError, RefusedError):
            pass  # fewer times are better than none
        shown = [one for one in asked if one is not None]
        if not shown:
            return replace(finding, repeated=(1, len(asked) + 1))
        return replace(shown[0], repeated=(len(shown), len(asked)))

    def _asked(self, sequence: list[Exchange], finding: Finding) -> Finding | None:
        """The finding that the sequence shows, asked from nothing; None where it shows none."""
        replay = self._replayer.replay(last=True)
        kept: list[Exchange] = []
        replay.session.keep_with(kept.append)
        try:
            replay.send_all(sequence[:-1])
            replay.resend(sequence[-1])
        except NotAgainError:
            pass
        finally:
            shown, sent = shown_by(replay.session, finding), tuple(kept)
            replay.end()
        return replace(shown, evidence=tuple(collapsed(sent)), shrunk=True) if shown else None

    def _fewest(self, trace: Trace) -> list[Exchange] | None:
        """The givers of what the finding's exchanges use; if that is not enough, what speaks of the same things too.

        Empty where neither shows the finding again; None where it may not be asked again.
        """
        finding = trace.finding
        history = collapsed([*self._session.log[: trace.before], *finding.evidence])
        needed = givers(history, finding.evidence)
        if self._cannot(needed):
            return None
        if self._shows(needed, finding):
            return self._without_each(needed, finding, keep={id(e) for e in finding.evidence[-1:]})
        wider = touching(history, needed)
        if self._cannot(wider):
            return None
        if not self._shows(wider, finding):
            return []
        return self._without_each(wider, finding, keep={id(e) for e in finding.evidence[-1:]})

    def _as_described(self, exchange: Exchange, request: Request) -> bool:
        """Whether a request is as described: one that was meant so stays so, and one that was not stays wrong."""
        problems = self._session.rules.validator.request_problems(replace(exchange, request=request))
        return not [problem for problem in problems if problem.kind != "security"]

    def _plainer(self, sequence: list[Exchange], finding: Finding) -> list[Exchange]:
        """The sequence with pipelines of no steps and deploys of no models, where that shows the finding too."""
        plain = [without_models(exchange) for exchange in sequence]
        if all(one is other for one, other in zip(plain, sequence, strict=True)):
            return sequence
        plain = givers(plain, [*kept_operations(plain), plain[-1]])
        try:
            return plain if self._shows(plain, finding) else sequence
        except NoVerdictError:
            return sequence

    def _cannot(self, exchanges: Sequence[Exchange]) -> bool:
        return not self._may_deploy and any(
            e.operation in _COSTLY or "deploy" in (e.question or {}) if isinstance(e.question, dict) else False
            for e in exchanges
        )

    def _without_each(self, exchanges: list[Exchange], finding: Finding, keep: set[int]) -> list[Exchange]:
        """The sequence once no single exchange can be left out, with all that uses what it gave."""
        for exchange in list(reversed(exchanges)):
            if id(exchange) in keep or not any(e is exchange for e in exchanges):
                continue
            gone = dependents(exchanges, exchange)
            if any(id(e) in keep for e in gone):
                continue
            fewer = [e for e in exchanges if not any(e is other for other in gone)]
            try:
                exchanges = fewer if self._shows(fewer, finding) else exchanges
            except NoVerdictError:
                break
        return exchanges

    def _hurry(self) -> None:
        if time.monotonic() > self._until:
            raise NoVerdictError("No more time to shrink.")

    def _shows(self, exchanges: Sequence[Exchange], finding: Finding) -> bool:
        self._hurry()
        return self._replayer.shows(exchanges, finding) is not None

    def _smallest_last(self, sequence: list[Exchange], finding: Finding) -> Exchange:
        """The last exchange with the smallest request that still shows the finding, tried within one replay."""
        last = sequence[-1]
        try:
            replay = self._replayer.replay()
        except NoVerdictError:
            return last
        try:
            replay.send_all(sequence[:-1])
            described = self._as_described(last, last.request)

            def shows(request: Request) -> bool:
                if time.monotonic() > self._until or self._as_described(last, request) != described:
                    return False
                replay.session.traces.clear()
                replay.number += 1000
                replay.known = {t: v for t, v in replay.known.items() if t != made_name(last)}
                replay.send(last, replay.request(replace(last, request=request)))
                return shown_by(replay.session, finding) is not None

            return replace(last, request=smallest(last.request, shows))
        except NotAgainError:
            return last
        finally:
            replay.end()


def smallest(request: Request, shows: Callable[[Request], bool]) -> Request:
    """The smallest request that still `shows`: fewer rows, fewer fields, shorter names. The first is known to."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return request
    if isinstance(body, list) and len(body) > 1:
        count = fewest(len(body), lambda n: shows(with_body(request, body[:n])))
        return with_body(request, body[:count])
    if not isinstance(body, dict):
        return request
    for key in list(body):
        without = {name: value for name, value in body.items() if name != key}
        if len(body) > 1 and shows(with_body(request, without)):
            body = without
    for key, value in list(body.items()):
        for simpler in _simpler(value):
            if shows(with_body(request, body | {key: simpler})):
                body = body | {key: simpler}
                break
        if isinstance(body[key], str) and len(body[key]) >= 50:
            text = body[key]
            length = fewest(len(text), lambda n: shows(with_body(request, body | {key: text[:n]})), least=50)  # noqa: B023
            body = body | {key: text[:length]}
    return with_body(request, body)


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
