"""What every written form says alike: who breaks, how many changes, where."""

from __future__ import annotations

import json
from itertools import groupby

from conformance.drift.openapi.comparison import BREAKING, NON_BREAKING, Change, Comparison
from conformance.drift.schema.values import ABSENT

VERDICTS = {
    BREAKING: "Breaking: a client of the base is refused, or answered something it does not know.",
    NON_BREAKING: "Changed, and nothing breaks: every client of the base goes on working.",
    "none": "No change: both descriptions mean the same.",
}
LONGEST = 2000
"""Characters of a witness shown whole."""


def verdict(comparison: Comparison) -> str:
    """The verdict as a sentence."""
    return VERDICTS[comparison.verdict]


def counted(comparison: Comparison) -> str:
    """How many changes of either level, and how many contested."""
    breaking = sum(change.breaking for change in comparison.changes)
    contested = sum(change.contested for change in comparison.changes)
    told = f"{breaking} breaking, {len(comparison.changes) - breaking} non-breaking"
    told += f", {contested} contested" if contested else ""
    return told + (f", {len(comparison.ignored)} ignored" if comparison.ignored else "")


def by_operation(comparison: Comparison) -> list[tuple[str, list[Change]]]:
    """The changes under their operation, the description's own first."""
    order = {name: i for i, name in enumerate(dict.fromkeys(change.operation for change in comparison.changes))}
    ordered = sorted(
        comparison.changes, key=lambda one: (one.operation is not None, order[one.operation], not one.breaking)
    )
    return [
        (name or "The description itself", list(group)) for name, group in groupby(ordered, lambda one: one.operation)
    ]


def level(change: Change) -> str:
    """`breaking` or `non-breaking`, with `contested` where it is."""
    return ("breaking" if change.breaking else "non-breaking") + (", contested" if change.contested else "")


def witness(change: Change) -> str:
    """The witness as JSON, empty where there is none."""
    if change.witness is ABSENT:
        return ""
    text = json.dumps(change.witness, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
