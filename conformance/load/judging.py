"""Answers under load, judged by the checks of every run; what came before is not judged twice."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from conformance.api.gateway import is_gateways, writer_of
from conformance.api.operations import INFER
from conformance.api.tensors import arrow_table
from conformance.checks import CHECKS, Check, Rules, inference, judge, pods, records, standards, timing
from conformance.ledger import Ledger
from conformance.load.asking import Question
from conformance.load.plan import Plan
from conformance.model import Exchange, Finding, Mark, Response
from conformance.reporting.facts import Facts
from conformance.targets.target import GATEWAY

GOOD, WRONG, STALE, LOST_ANSWER, REFUSED, BY_GATEWAY = "good", "wrong", "stale", "lost", "refused", "gateway"
KINDS = (GOOD, WRONG, STALE, LOST_ANSWER, REFUSED, BY_GATEWAY)
"""What became of an inference: answered as promised; answered, and a promise that gates is broken, or by a version that
should be gone; not answered; refused, as where nothing is routed; or answered by what stands before the API."""

_EACH_TIME: tuple[Check, ...] = (
    standards.content_length,
    standards.dated,
    records.time_is_epoch_ms,
    records.time_is_of_the_answer,
    records.elapsed_fits,
)
"""Checks of what differs from one answer to the next: they see every one."""

_NOT_HERE = frozenset({timing.in_time})
"""Checks that are not for load: how long answers take is a matter of how much is asked, and of objectives."""

_ALL = tuple(check for check in CHECKS if check not in _NOT_HERE)

_DIFFERS = re.compile(rb'"(?:time|elapsed)"\s*:\s*(?:\d+|\[[\d\s,]*\])')
_FIELDS_THAT_DIFFER = ("date", "content-length")
_COLUMNS_THAT_DIFFER = ("time", "metadata.time", "metadata.elapsed")
_MOST_ANSWERS = 4
"""Different answers to one question that are remembered: more are not the same answer again and again."""

_MOST_SHOWN = 5
"""Findings of one requirement that are kept whole."""


@dataclass
class _Known:
    """An answer that was judged whole and in which all holds, and how often the same came."""

    held: tuple[Finding, ...]
    sha: str
    count: int = 0
    swapped: tuple[Finding, ...] | None = None


@dataclass(frozen=True)
class Judged:
    """What became of one inference: its kind, the version that answered, whether more than one did, what is broken."""

    kind: str
    sha: str = ""
    mixed: bool = False
    broken: tuple[Finding, ...] = ()


@dataclass
class Judge:
    """Judges the answers to the questions of one process. `settled` is when the last version alone may answer."""

    plan: Plan
    rules: Rules
    settled: float | None = None
    facts: Facts = field(default_factory=Facts)
    seconds: float = 0.0
    """CPU time of judging."""

    def __post_init__(self) -> None:
        self._ledgers: Mapping[str, Ledger] = self.plan.ledgers()
        self._over = self.plan.over()
        self._due = self.plan.versions[-1].sha
        self._known: dict[int, dict[Any, _Known]] = {}
        self._shown: Counter[tuple[str, str]] = Counter()
        self._troubles: dict[tuple[str, str], list[Any]] = {}

    def take(self, question: Question, exchange: Exchange) -> Judged:
        """Judge one answer and count it."""
        began = time.thread_time()
        judged = self._judged(question, exchange)
        for finding in judged.broken:
            self._count(finding)
        self.facts.requests += 1
        if exchange.status is not None and judged.kind != BY_GATEWAY:
            self.facts.reached[INFER, exchange.status] += 1
        self.seconds += time.thread_time() - began
        return judged

    def drain(self) -> Facts:
        """What was seen since the last time."""
        for answers in self._known.values():
            for known in answers.values():
                for finding in known.held if known.count else ():
                    self.facts.held[finding.requirement, finding.operation] += known.count
                known.count = 0
        self.facts.troubles = [(kind, what, count, example) for (kind, what), (count, example) in
                               self._troubles.items()]  # fmt: skip
        self._troubles.clear()
        drained, self.facts = self.facts, Facts()
        return drained

    def _judged(self, question: Question, exchange: Exchange) -> Judged:
        response = exchange.response
        if response is None or (exchange.status in (404, 503) and not response.body):
            kind = REFUSED if response is not None else LOST_ANSWER
            answered = inference.answered_among_many(exchange, self._over, self.rules)
            return Judged(kind, broken=tuple(one for one in answered if not one.held))
        if is_gateways(exchange):
            writer = writer_of(response, exchange.operation)
            self._trouble(GATEWAY, f"{exchange.status} by {writer}", exchange)
            return Judged(BY_GATEWAY)
        exchange = replace(exchange, intent="valid")
        answers, key = self._known.setdefault(question.number, {}), _signature(response)
        known = answers.get(key)
        if known is None:
            sha, mixed, found = self._whole(exchange)
            broken = tuple(finding for finding in found if not finding.held)
            if broken:
                kind = GOOD if exchange.ok and not self._gates(broken) else WRONG if exchange.ok else REFUSED
                self._hold(finding for finding in found if finding.held)
                return Judged(kind, sha, mixed, broken)
            if len(answers) >= _MOST_ANSWERS:
                self._forget(answers)
            known = answers[key] = _Known(tuple(_bare(finding) for finding in found), sha)
        else:
            broken = tuple(one for check in _EACH_TIME for one in check(exchange, self._ledgers[known.sha], self.rules)
                           if not one.held and self.rules.holds(one.requirement))  # fmt: skip
            if broken:
                return Judged(WRONG if self._gates(broken) else GOOD, known.sha, False, broken)
        known.count += 1
        stale = self._stale(exchange, known)
        return Judged(STALE if stale else GOOD, known.sha, False, stale)

    def _whole(self, exchange: Exchange) -> tuple[str, bool, list[Finding]]:
        """Which version answered, whether several did, and all findings, by what that version promises."""
        named = shas_named(exchange)
        by_version = {sha: self._by(exchange, ledger) for sha, ledger in self._ledgers.items()}
        sha = min(by_version, key=lambda sha: (sum(not f.held for f in by_version[sha]), sha not in named))
        return sha, len(named & self._ledgers.keys()) > 1, by_version[sha]

    def _by(self, exchange: Exchange, ledger: Ledger) -> list[Finding]:
        return judge(exchange, ledger, self.rules, _ALL)

    def _stale(self, exchange: Exchange, known: _Known) -> tuple[Finding, ...]:
        """What is broken by an answer of a version that another was deployed over, once that had its time."""
        if self.settled is None or exchange.started is None or exchange.started <= self.settled:
            return ()
        if known.swapped is None:
            asked = replace(exchange, labels=exchange.labels | {Mark.SWAPPED})
            known.swapped = tuple(pods.version_swapped(asked, self._over, self.rules))
        self._hold(finding for finding in known.swapped if finding.held)
        return tuple(replace(one, evidence=(exchange,)) for one in known.swapped if not one.held)

    def _gates(self, broken: Iterable[Finding]) -> bool:
        rows = self.rules.catalogue.by_id
        return any(rows[finding.requirement].gates for finding in broken)

    def _hold(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.facts.held[finding.requirement, finding.operation] += 1

    def _forget(self, answers: dict[Any, _Known]) -> None:
        for known in answers.values():
            for finding in known.held:
                self.facts.held[finding.requirement, finding.operation] += known.count
        answers.clear()

    def _count(self, finding: Finding) -> None:
        key = (finding.requirement, finding.operation)
        self.facts.broke[key] += 1
        self._shown[key] += 1
        if self._shown[key] <= _MOST_SHOWN:
            self.facts.broken.append(finding)

    def _trouble(self, kind: str, what: str, exchange: Exchange) -> None:
        number = exchange.request.headers.get("x-request-id", "")
        example = f"{exchange.request.method} {exchange.request.path} (request id {number})"
        self._troubles.setdefault((kind, what), [0, example])[0] += 1


def _bare(finding: Finding) -> Finding:
    """Without its exchange, which would be kept for nothing."""
    return replace(finding, evidence=())


def shas_named(exchange: Exchange) -> set[str]:
    """The SHA-256 of each model that the records name as the last one."""
    return {sha for model in records.last_models(exchange) if isinstance(sha := model.get("model_sha"), str)}


def _signature(response: Response) -> Any:
    """What two answers have in common that are the same but for the moment of each."""
    fields = tuple(
        (name.lower(), value)
        for name, value in response.headers.fields
        if name.lower() not in _FIELDS_THAT_DIFFER and not name.lower().startswith("x-")
    )
    table = arrow_table(response)
    return response.status, fields, _DIFFERS.sub(b"", response.body) if table is None else _content(table)


def _content(table: pa.Table) -> bytes:
    """The table without what differs from one answer to the next, as bytes."""
    flat = table
    while any(pa.types.is_struct(column.type) for column in flat.schema):
        flat = flat.flatten()
    flat = flat.drop_columns([name for name in flat.column_names if name in _COLUMNS_THAT_DIFFER])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, flat.schema) as writer:
        writer.write_table(flat)
    content: bytes = sink.getvalue().to_pybytes()
    return content
