"""For the terminal: the verdict first, then each operation's changes, a line or three each."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.report import wording


def render(comparison: Comparison) -> str:
    """Plain text without colour."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield wording.verdict(comparison)
    if comparison.changes or comparison.ignored:
        yield f"{wording.counted(comparison)}."
    for name, changes in wording.by_operation(comparison):
        yield ""
        yield name
        for change in changes:
            yield from _change(change)
    for change, entry in comparison.ignored:
        yield ""
        yield f"Ignored until {entry.last_day} ({entry.owner}: {entry.reason})"
        yield from _change(change)
    for entry, why in comparison.stale:
        yield ""
        yield f"Stale in the ignore file: {entry.about}; {why}."


def _change(change: Change) -> Iterator[str]:
    yield f"  {'✗' if change.breaking else '·'} {change.location}: {change.message}"
    yield f"      {change.kind} ({wording.level(change)}) {change.id}"
    if change.row.contested:
        yield f"      Contested: {change.row.contested}"
