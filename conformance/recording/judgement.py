"""Judges traffic as it came: all checks over each exchange in its place, counted so that memory stays bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conformance.checks import Rules, judge
from conformance.model import Finding, Mark
from conformance.recording.sequence import in_order
from conformance.recording.traffic import Series

if TYPE_CHECKING:
    from conformance.spec.crosscheck import SecondJudge

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
