"""What the items of a run saw, carried from their reports as plain data, and added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.model import Exchange, Finding
from conformance.run import plain
from conformance.run.session import Sightings
from conformance.run.troubles import Troubles


@dataclass
class Tally:
    """What all items of a run saw, added up from their reports."""

    findings: list[Finding] = field(default_factory=list)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    broke: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: Counter[tuple[str, int]] = field(default_factory=Counter)
    events: list[dict[str, Any]] = field(default_factory=list)
    witnesses: dict[str, Exchange] = field(default_factory=dict)
    incidents: list[str] = field(default_factory=list)
    suites: dict[str, dict[str, Any]] = field(default_factory=dict)
    marks: Counter[str] = field(default_factory=Counter)
    observed: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    troubles: Troubles = field(default_factory=Troubles)
    requests: int = 0

    def absorb(self, seen: Mapping[str, Any]) -> None:
        """Add what one item's report carries (`of_sightings`)."""
        self.findings += [plain.to_finding(finding) for finding in seen["broken"]]
        for requirement, operation, count in seen["held"]:
            self.held[requirement, operation] += count
        for requirement, operation, count in seen["broke"]:
            self.broke[requirement, operation] += count
        for operation, status, count in seen["reached"]:
            self.reached[operation, status] += count
        self.events += seen["events"]
        self.marks.update(seen["marks"])
        self.observed |= seen["observed"]
        self.witnesses = {n: plain.to_exchange(e) for n, e in seen["witnesses"].items()} | self.witnesses
        self.requests += seen["requests"]
        self.notes += seen["notes"]
        self.troubles.add(seen["troubles"])

    def broken(self) -> set[str]:
        """Ids of requirements seen broken so far."""
        return {finding.requirement for finding in self.findings}


def of_sightings(sightings: Sightings, requests: int) -> dict[str, Any]:
    """Sightings as plain data."""
    return {
        "marks": dict(sightings.marks),
        "observed": dict(sightings.observed),
        "witnesses": {name: plain.of_exchange(exchange) for name, exchange in sightings.witnesses.items()},
        "broken": [plain.of_finding(finding) for finding in sightings.broken],
        "held": [[requirement, operation, n] for (requirement, operation), n in sightings.held.items()],
        "broke": [[requirement, operation, n] for (requirement, operation), n in sightings.broke.items()],
        "reached": [[operation, status, n] for (operation, status), n in sightings.reached.items()],
        "events": list(sightings.events),
        "requests": requests,
        "notes": list(sightings.notes),
        "troubles": [list(one) for one in sightings.troubles],
    }
