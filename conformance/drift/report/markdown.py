"""For a pull request or a release note."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.report import wording


def render(comparison: Comparison) -> str:
    """Markdown; what the descriptions say is escaped."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield "# Drift"
    yield ""
    if comparison.sources:
        yield f"{_code(comparison.sources['base'])} → {_code(comparison.sources['revision'])}"
        yield ""
    yield f"**{wording.verdict(comparison)}** {wording.counted(comparison)}."
    for name, changes in wording.by_operation(comparison):
        yield ""
        yield f"## {_plain(name)}"
        yield ""
        for change in changes:
            yield from _change(change)
    if comparison.ignored or comparison.stale:
        yield ""
        yield "## Ignored"
        yield ""
    for change, entry in comparison.ignored:
        about = _plain(change.operation or "the description")
        yield f"- {_code(change.kind)} at {_code(change.location)} of {about}, until "
        yield f"  {entry.last_day}: {_plain(entry.reason)} ({_plain(entry.owner)})"
    for entry, why in comparison.stale:
        yield f"- Stale: {_plain(entry.about)}; {why}."


def _change(change: Change) -> Iterator[str]:
    yield f"- {'❌' if change.breaking else '✅'} {_code(change.location)} {_plain(change.message)}"
    yield f"  {_code(change.kind)}, {wording.level(change)}"
    shown = wording.witness(change)
    if shown:
        yield ""
        yield f"  {_fenced(shown)}"
        yield ""


def _plain(text: str) -> str:
    for mark in "\\`*_{}[]<>#|":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return " ".join(text.split())


def _code(text: str) -> str:
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}json\n  {text}\n  {fence}"
