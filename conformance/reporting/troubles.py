"""What stood between a run and the API: gateways that answered in its place, refusals for haste, lost answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.targets.target import GATEWAY, HASTE, LOST, UNKNOWN

_MOST_SHARE = 0.05
"""The share of a run's answers that a gateway may have written; beyond, the rest says too little of the API."""

_FEW = 10
"""So few answers of a gateway are a passing trouble, however short the run."""

_KINDS_SHOWN = 3


class Troubles:
    """They are counted by kind and by what each was, with the first request of each for instance."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}

    def add(self, seen: Iterable[Sequence[Any]]) -> None:
        """Take in what a target told of (`Target.troubles`)."""
        for kind, what, count, example in seen:
            self._counts[kind, what] += count
            self._examples.setdefault((kind, what), example)

    def count(self, kind: str) -> int:
        """How often there was trouble of a kind: `gateway`, `haste`, `lost` or `unknown`."""
        return sum(count for (one, _), count in self._counts.items() if one == kind)

    def as_json(self, requests: int) -> dict[str, Any]:
        """For the result: counts, and the gateway's answers by status and writer."""
        kinds = {what: count for (kind, what), count in self._counts.items() if kind == GATEWAY}
        return {
            "answers": self.count(GATEWAY),
            "share": round(self.count(GATEWAY) / requests, 4) if requests else 0.0,
            "kinds": kinds,
            "throttled": self.count(HASTE),
            "lost": self.count(LOST),
            "unknown": self.count(UNKNOWN),
        }

    def notes(self, requests: int) -> list[str]:
        """A sentence for each kind of trouble there was, for the verdict."""
        notes = []
        if count := self.count(GATEWAY):
            notes.append(
                f"{count} of {requests} answers ({_percent(count, requests)}) were a gateway's and not the API's "
                f"({self._shown(GATEWAY)}); nothing is concluded from them."
            )
        if count := self.count(HASTE):
            notes.append(
                f"{_times(count, 'request was', 'requests were')} refused for haste ({self._shown(HASTE)}), and sent "
                "again more slowly. --rate N sends N a second from the start."
            )
        if count := self.count(LOST):
            notes.append(
                f"{_times(count, 'answer was', 'answers were')} lost on the way ({self._shown(LOST)}); what does no "
                "harm was asked again."
            )
        if count := self.count(UNKNOWN):
            notes.append(
                f"What came of {_times(count, 'request', 'requests')} is not known ({self._shown(UNKNOWN)}): the "
                "answer was lost, and what was asked may have been done. Nothing is concluded from it."
            )
        return notes

    def incident(self, requests: int) -> str:
        """Why there can be no verdict for so many answers of a gateway; empty where they are few."""
        count = self.count(GATEWAY)
        if count <= _FEW or count <= _MOST_SHARE * requests:
            return ""
        return (
            f"{count} of {requests} answers ({_percent(count, requests)}) were a gateway's and not the API's "
            f"({self._shown(GATEWAY)}): too many to judge it by the rest. Ask it where no gateway refuses the suite."
        )

    def _shown(self, kind: str) -> str:
        found = [(count, what) for (one, what), count in self._counts.items() if one == kind]
        found.sort(key=lambda pair: (-pair[0], pair[1]))
        shown = [f"{count} × {what}, first to {self._examples[kind, what]}" for count, what in found[:_KINDS_SHOWN]]
        return "; ".join([*shown, *([f"and {len(found) - _KINDS_SHOWN} kinds more"] if found[_KINDS_SHOWN:] else [])])


def _percent(count: int, whole: int) -> str:
    return f"{100 * count / max(1, whole):.1f} %"


def _times(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {many}"
