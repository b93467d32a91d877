"""Judges traffic as it came: exchanges in order, each with the ledger it may be judged by, and all checks over each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from conformance.api.operations import Kind, changing, mentioned, row_of
from conformance.checks import Rules, judge
from conformance.ledger import Deployment, Ledger
from conformance.model import Exchange, Finding, Mark
from conformance.recording.traffic import Series

if TYPE_CHECKING:
    from conformance.spec.crosscheck import SecondJudge


Thing = tuple[Kind, Any]
"""What an exchange is about: a pipeline's primary key or name, or a deployment's id."""

_THINGS = frozenset({Kind.PIPELINE, Kind.PIPELINE_NAME, Kind.DEPLOYMENT})


@dataclass
class _Open:
    """An exchange whose end lies ahead: the ledger when it began, what it is about, and whether its order is unsure.

    `things` is None where it may be about anything: the capture did not keep what was asked.
    """

    exchange: Exchange
    before: Ledger
    things: frozenset[Thing] | None
    unsure: bool = False


def in_order(exchanges: Iterable[Exchange]) -> Iterator[tuple[Exchange, Ledger]]:
    """Each exchange with what was known when it began. `exchanges` come in order of start.

    Two exchanges overlap where each began before the other ended. Where they are about the same thing and either
    changes it, neither came first: both are judged as if nothing were known of that thing, and after them nothing is.
    One whose end is unknown ends at the latest when its answer's id is used. Exchanges without a start stand in the
    order given. A change of which the request or the answer was not kept leaves nothing known of what it may concern.
    """
    ledger, pending = Ledger(), list[_Open]()
    for exchange in exchanges:
        now = exchange.started
        while due := next((p for p in pending if now is None or _end(p.exchange) <= now or _leads(p, exchange)), None):
            pending.remove(due)
            ledger = _after(ledger, due)
            yield due.exchange, _before(due)
        opened = _Open(exchange, ledger, _things(exchange, ledger) if _names(exchange) else None)
        for other in pending:
            if _clash(opened, other):
                opened.unsure = other.unsure = True
        pending.append(opened)
        pending.sort(key=lambda entry: _end(entry.exchange))
    for settled in pending:
        yield settled.exchange, _before(settled)


def _names(exchange: Exchange) -> bool:
    """Whether it is known what an exchange is about: what a change was asked for must have been kept."""
    return exchange.request.body_known or exchange.operation not in changing() or _is_refused(exchange)


def _is_refused(exchange: Exchange) -> bool:
    return exchange.status is not None and exchange.status >= 400


def _end(exchange: Exchange) -> float:
    if exchange.started is None:
        return float("-inf")
    return exchange.ended if exchange.ended is not None else float("inf")


def _leads(earlier: _Open, exchange: Exchange) -> bool:
    """Whether an exchange uses an id that an earlier one's answer gave, so that this had ended."""
    if earlier.exchange.ended is not None or earlier.exchange.operation not in changing():
        return False
    known = _things(earlier.exchange, earlier.before) if earlier.exchange.response else frozenset()
    before = _things(replace(earlier.exchange, response=None), earlier.before)
    return bool((known - before) & _things(replace(exchange, response=None), Ledger()))


def _clash(one: _Open, other: _Open) -> bool:
    changes = {one.exchange.operation, other.exchange.operation} & changing()
    return bool(changes) and (one.things is None or other.things is None or bool(one.things & other.things))


def _before(settled: _Open) -> Ledger:
    return _without(settled.before, settled.things) if settled.unsure else settled.before


def _after(ledger: Ledger, settled: _Open) -> Ledger:
    after = ledger.after(settled.exchange)
    if not settled.unsure and not _is_doubtful(settled.exchange):
        return after
    return _without(after, None if settled.things is None else settled.things | _things(settled.exchange, after))


def _is_doubtful(exchange: Exchange) -> bool:
    """Whether nobody knows what a change changed: no answer came or was kept, or what was asked was not kept."""
    if exchange.operation not in changing() or _is_refused(exchange):
        return False
    response = exchange.response
    told = response is not None and (response.body_known or not row_of(exchange.operation).gives)
    return not told or not exchange.request.body_known


def _things(exchange: Exchange, ledger: Ledger) -> frozenset[Thing]:
    """Pipelines and deployments a request or its answer speaks of, with the ones the ledger knows to belong to them."""
    named = [thing for thing in mentioned(exchange) if thing[0] in _THINGS]
    known = [ledger.deployments.get(value) for kind, value in named if kind is Kind.DEPLOYMENT]
    named += [(Kind.PIPELINE, one.pipeline_pk) for one in known if one and one.pipeline_pk is not None]
    pipelines = [ledger.pipelines.get(value) for kind, value in named if kind is Kind.PIPELINE]
    return frozenset([*named, *((Kind.PIPELINE_NAME, one.name) for one in pipelines if one)])


def _without(ledger: Ledger, things: frozenset[Thing] | None) -> Ledger:
    """The ledger as if it had never heard of these, of anything where they are None."""
    if things is None:
        return Ledger(absent=ledger.absent)
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


MOST = 1_000
"""Broken findings kept; more unlike ones than these tell nobody more, and each holds its exchanges."""


@dataclass
class Tally:
    """What came of some traffic.

    `broken` holds one finding per requirement, operation and expectation, that with the least evidence; `held` counts
    every sighting that is not in `broken`, by requirement and operation. `reached` counts answers by operation and
    status, where the status was recorded. `passed_over` counts exchanges that are of no operation, `answered` those of
    an operation to which the traffic holds an answer. `contradictions` are the sentences of a second judge.
    """

    exchanges: int = 0
    answered: int = 0
    passed_over: int = 0
    broken: dict[str, Finding] = field(default_factory=dict)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: Counter[tuple[str, int]] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)

    @property
    def judged(self) -> int:
        """Exchanges that are of an operation of the document."""
        return self.exchanges - self.passed_over

    @property
    def incident(self) -> str:
        """Why nothing can be said of the target, as a sentence; empty where a promise was judged."""
        if not self.judged:
            return f"None of {self.exchanges} exchanges is of an operation of this API, so nothing can be said."
        if self.contradictions:
            return self.contradictions[0]
        if self.held or self.broken:
            return ""
        of_this_api = f"No promise was judged: {self.judged} of {self.exchanges} exchanges are of this API"
        if not self.answered:
            return f"{of_this_api}, and the traffic holds an answer to none of them."
        return f"{of_this_api}, and what the traffic holds of their answers is not enough to judge any promise."

    def add(self, finding: Finding) -> None:
        """Count a finding; a broken one is kept unless its like is kept already."""
        fingerprint = "" if finding.held else finding.fingerprint
        known = self.broken.get(fingerprint)
        if fingerprint and known is None and len(self.broken) < MOST:
            self.broken[fingerprint] = finding
            return
        if known is not None and len(finding.evidence) < len(known.evidence):
            self.broken[fingerprint] = finding
        self.held[finding.requirement, finding.operation] += 1


def judge_traffic(traffic: Iterable[Series], rules: Rules, second: SecondJudge | None = None) -> Tally:
    """Judge every series by a ledger of its own, the first message of each kind by `second` too. Sends nothing."""
    tally = Tally()
    for _, exchanges in traffic:
        for exchange, before in in_order(exchanges):
            tally.exchanges += 1
            if exchange.operation is None:
                tally.passed_over += 1
                continue
            tally.answered += exchange.response is not None
            if exchange.status is not None and Mark.STATUS_INFERRED not in exchange.labels:
                tally.reached[exchange.operation, exchange.status] += 1
            for finding in judge(exchange, before, rules):
                tally.add(finding)
            if second is not None:
                tally.contradictions += second.contradictions(exchange)
    return tally
