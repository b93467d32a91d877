"""What users saw, second by second, so small that it can be sent and added up while a load goes on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.load.judging import GOOD, Judged
from conformance.model import Exchange

STEP = 1.04
"""Each class of latencies is so much wider than the one before: what is read from them is right within 2 %."""

_SLOT = 0.01
"""Seconds: whether a good answer ended in each of these, for the gap between two."""

_SLOTS = round(1 / _SLOT)


@dataclass
class Second:
    """The answers that ended in one second: how many of each kind, their latencies by class, and in which slots."""

    kinds: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)
    slots: int = 0


@dataclass
class Tally:
    """All seconds, by epoch second; `versions` counts answers by the sha of their model, `lost` why none came.

    `unsent` counts arrivals that were due and not sent, since too many were under way. `first` is what was wrong first:
    a moment, a requirement and what came. `cpu` and `judging` are CPU seconds of the users' processes.
    """

    seconds: dict[int, Second] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    rows: int = 0
    unsent: int = 0
    first: list[Any] = field(default_factory=list)
    cpu: float = 0.0
    judging: float = 0.0

    def add(self, exchange: Exchange, judged: Judged, due: float | None = None) -> None:
        """Count one inference; its latency is from when it was due, in open arrival."""
        ended = exchange.ended or 0.0
        second = self.seconds.setdefault(int(ended), Second())
        second.kinds[judged.kind] += 1
        if judged.sha:
            self.versions[judged.sha] += 1
        self.mixed += judged.mixed
        if exchange.response is None:
            self.lost[exchange.failure] += 1
        if judged.kind == GOOD:
            second.slots |= 1 << int((ended % 1) / _SLOT)
            second.latencies[_class_of(ended - (due if due is not None else exchange.started or ended))] += 1
        if judged.broken and (not self.first or ended < self.first[0]):
            one = judged.broken[0]
            self.first = [ended, one.requirement, one.expected, one.actual]

    def merge(self, other: Tally) -> None:
        """Take in what another process, or another stretch, saw."""
        for moment, theirs in other.seconds.items():
            mine = self.seconds.setdefault(moment, Second())
            mine.kinds.update(theirs.kinds)
            mine.latencies.update(theirs.latencies)
            mine.slots |= theirs.slots
        self.versions.update(other.versions)
        self.lost.update(other.lost)
        self.mixed += other.mixed
        self.rows += other.rows
        self.unsent += other.unsent
        self.cpu += other.cpu
        self.judging += other.judging
        self.first = min((one for one in (self.first, other.first) if one), key=lambda one: one[0], default=[])

    def count(self, *kinds: str) -> int:
        """How many inferences were of these kinds."""
        return sum(second.kinds[kind] for second in self.seconds.values() for kind in kinds)

    def percentile(self, share: float, moments: Iterable[int] | None = None) -> float | None:
        """The latency in seconds that this share of good answers did not exceed; None where there were none."""
        return quantile(_summed(self.seconds.get(m) for m in (self.seconds if moments is None else moments)), share)

    def gap(self, since: float = 0.0, until: float = math.inf) -> tuple[float, float]:
        """The longest time without a good answer, and when it began; of gaps that end in that stretch, if only partly.

        It is right within 20 ms.
        """
        longest, began, last = 0.0, 0.0, 0.0
        for second in sorted(self.seconds):
            slots = self.seconds[second].slots
            while slots:
                lowest = slots & -slots
                moment = second + (lowest.bit_length() - 1) * _SLOT
                slots ^= lowest
                if last and moment - last > longest and moment >= since and last <= until:
                    longest, began = moment - last, last
                last = moment
        return round(longest, 3), round(began, 3)

    def as_plain(self) -> dict[str, Any]:
        """Texts, numbers, lists and mappings."""
        seconds = [
            [moment, dict(one.kinds), sorted(one.latencies.items()), hex(one.slots)]
            for moment, one in self.seconds.items()
        ]
        return {
            "seconds": seconds, "versions": dict(self.versions), "lost": dict(self.lost), "mixed": self.mixed,
            "rows": self.rows, "unsent": self.unsent, "first": self.first, "cpu": self.cpu, "judging": self.judging,
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Tally:
        """The tally that `as_plain` wrote down."""
        seconds = {
            int(moment): Second(Counter(kinds), Counter({int(key): count for key, count in latencies}), int(slots, 16))
            for moment, kinds, latencies, slots in plain["seconds"]
        }
        rest = {name: value for name, value in plain.items() if name not in ("seconds", "versions", "lost")}
        return cls(seconds=seconds, versions=Counter(plain["versions"]), lost=Counter(plain["lost"]), **rest)


def _class_of(seconds: float) -> int:
    return math.ceil(math.log(max(seconds, 1e-5) / 1e-5, STEP))


def _summed(seconds: Iterable[Second | None]) -> Counter[int]:
    whole: Counter[int] = Counter()
    for one in seconds:
        if one is not None:
            whole.update(one.latencies)
    return whole


def quantile(latencies: Mapping[int, int], share: float) -> float | None:
    """The latency in seconds that this share of those counted by class did not exceed; None where there are none."""
    left = math.ceil(share * sum(latencies.values()))
    if not left:
        return None
    for one in sorted(latencies):
        left -= latencies[one]
        if left <= 0:
            return float(1e-5 * STEP ** (one - 0.5))
    return None
