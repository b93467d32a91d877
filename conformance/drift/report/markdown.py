"""For a pull request or a release note."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.report import wording
from conformance.reporting.escaping import code, fenced, plain


def render(comparison: Comparison) -> str:
    """Markdown; what the descriptions say is escaped."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield "# Drift"
    yield ""
    if comparison.sources:
        yield f"{code(comparison.sources['base'])} → {code(comparison.sources['revision'])}"
        yield ""
    yield f"**{wording.verdict(comparison)}** {wording.counted(comparison)}."
    for name, changes in wording.by_operation(comparison):
        yield ""
        yield f"## {plain(name)}"
        yield ""
        for change in changes:
            yield from _change(change)
    if comparison.ignored or comparison.stale:
        yield ""
        yield "## Ignored"
        yield ""
    for change, entry in comparison.ignored:
        about = plain(change.operation or "the description")
        yield f"- {code(change.kind)} at {code(change.location)} of {about}, until "
        yield f"  {entry.last_day}: {plain(entry.reason)} ({plain(entry.owner)})"
    for entry, why in comparison.stale:
        yield f"- Stale: {plain(entry.about)}; {why}."


def _change(change: Change) -> Iterator[str]:
    yield f"- {'❌' if change.breaking else '✅'} {code(change.location)} {plain(change.message)}"
    yield f"  {code(change.kind)}, {wording.level(change)}"
    shown = wording.witness(change)
    if shown:
        yield ""
        yield from (f"  {line}" for line in fenced(shown, "json"))
        yield ""
