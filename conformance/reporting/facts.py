"""What a run saw: one value, filled where exchanges are judged and added up until it is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from conformance.model import Exchange, Finding
from conformance.reporting.troubles import Troubles


@dataclass
class Facts:
    """What an item saw, or all items of a run.

    `broken` are findings kept whole; `broke` counts all that broke, kept or not, and `held` what held, by (requirement,
    operation); `reached` counts answers by (operation, status). `marks` are what was met of the document (`run.reach`),
    `events` the lifecycle's (`reporting.timeline`). `observed` says of requirements that hold in more than one way
    which way was seen; `witnesses` gives the first exchange in which a requirement was seen to hold. `notes` are
    sentences on the run itself, `incidents` those that keep it from a verdict, `troubles` what stood between us and the
    API (`Target.troubles`). `suites` and `left_out` tell of items: by suite, and skipped ones by reason; of the
    suites in `partial` pytest was told to run only a part.
    """

    broken: list[Finding] = field(default_factory=list)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    broke: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: Counter[tuple[str, int]] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    events: list[dict[str, Any]] = field(default_factory=list)
    observed: dict[str, str] = field(default_factory=dict)
    witnesses: dict[str, Exchange] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str, int, str]] = field(default_factory=list)
    requests: int = 0
    suites: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    partial: list[str] = field(default_factory=list)

    def add(self, other: Facts) -> None:
        """Take in what another stretch of the run saw; of what is told once, the first stays."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            elif isinstance(mine, dict):
                mine.update({key: value for key, value in theirs.items() if key not in mine})
            else:
                setattr(self, one.name, mine + theirs)

    def suite(self, name: str) -> dict[str, Any]:
        """What is told of a suite: its name, items and failed items, and seconds once an item has run."""
        return self.suites.setdefault(name, {"name": name, "items": 0, "failed": 0})

    @property
    def trouble(self) -> Troubles:
        """What stood between us and the API, counted."""
        counted = Troubles()
        counted.add(self.troubles)
        return counted

    def statuses(self) -> dict[str, dict[str, int]]:
        """How often each operation answered with each status: `{"pipelines.deploy": {"200": 4}}`."""
        told: dict[str, dict[str, int]] = {}
        for (operation, status), count in sorted(self.reached.items()):
            told.setdefault(operation, {})[str(status)] = count
        return told
