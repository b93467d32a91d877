"""For a pull request or a release note: as much as a comment may hold, what breaks first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.drift.openapi.comparison import Comparison
from conformance.drift.report.entries import (
    Entry,
    by_kind,
    by_operation,
    counted,
    entries,
    level,
    place,
    verdict,
    witness,
)
from conformance.drift.report.sections import Section
from conformance.reporting.escaping import cell, code, fenced, plain

_MOST = 65_000
"""Characters: a comment on GitHub may hold 65,536, and its reader may count some of them otherwise."""

_COUNTED, _ROWS, _PLACES = 8, 10, 5
_WITNESS = 400


def render(comparison: Comparison, sections: Sequence[Section] = (), partial: bool = False, whole: bool = False) -> str:
    """Markdown in which what the descriptions say is escaped; `whole` names every place and heeds no limit."""
    head = "\n".join(_head(comparison, partial))
    beside = "".join(map(_section, sections))
    left = _MOST - len(head)
    if not whole and len(beside) > left // 2:
        beside = _cut(beside, left // 2)
    left -= len(beside)
    told: list[str] = []
    pieces = list(_pieces(comparison, whole))
    for number, piece in enumerate(pieces):
        left -= len(piece) + 1
        if left < 200 and not whole:
            told.append(f"\n… and {len(pieces) - number:,} more entries; `--all` or `--format json` has them.")
            break
        told.append(piece)
    return "\n".join([head, *told]) + "\n" + beside


def _cut(text: str, most: int) -> str:
    kept = text[: most - 200]
    return kept[: kept.rindex("\n") + 1] + "\nThe rest is too long for this page; `--all` or `--format json` has it.\n"


def _head(comparison: Comparison, partial: bool) -> Iterator[str]:
    yield "# Drift"
    yield ""
    if comparison.sources:
        yield f"{code(comparison.sources['base'])} → {code(comparison.sources['revision'])}"
        yield ""
    yield f"**{verdict(comparison, partial)}** {counted(comparison)}."
    breaking = [one for one in comparison.changes if one.breaking]
    if len(breaking) > _COUNTED:
        for title, rows in (("kind", by_kind(breaking)), ("operation", by_operation(breaking))):
            yield from ("", f"| what breaks, by {title} | changes |", "|---|---:|")
            yield from (f"| {cell(name)} | {count:,} |" for name, count in rows[:_ROWS])
            if len(rows) > _ROWS:
                yield f"| {len(rows) - _ROWS:,} more | {sum(count for _, count in rows[_ROWS:]):,} |"


def _pieces(comparison: Comparison, whole: bool) -> Iterator[str]:
    """What must not be cut apart: headings with their first entry, and entries."""
    gathered = entries(comparison.changes)
    for title, breaking in (("What breaks", True), ("What changed and breaks nobody", False)):
        told = [one for one in gathered if one.first.breaking is breaking]
        for number, one in enumerate(told):
            heading = f"\n## {title}\n\n" if number == 0 else ""
            yield heading + "\n".join(_entry(one, whole))
    for number, (change, entry) in enumerate(comparison.ignored):
        heading = "\n## Ignored\n\n" if number == 0 else ""
        told_of = f"{code(change.kind)} at {plain(place(change))}, until {entry.last_day}"
        yield f"{heading}- {told_of}: {plain(entry.reason)} ({plain(entry.owner)})"
    for entry, why in comparison.stale:
        yield f"- Stale: {plain(entry.about)}; {plain(why)}."


def _entry(entry: Entry, whole: bool) -> Iterator[str]:
    first, places = entry.first, entry.places
    mark = "❌" if first.breaking else "✅"
    yield f"- {mark} {code(first.location)} {plain(first.message if whole else entry.words)}"
    if len(places) == 1:
        yield f"  {plain(places[0])}; {code(first.kind)}, {level(first)}"
    else:
        yield f"  In {len(places):,} places; {code(first.kind)}, {level(first)}"
        shown = places if whole else places[:_PLACES]
        yield from (f"  - {plain(one)}" for one in shown)
        if len(places) > len(shown):
            yield f"  - and {len(places) - len(shown):,} more"
    shown_value = witness(first)
    if shown_value and (whole or len(shown_value) <= _WITNESS):
        yield ""
        yield from (f"  {line}" for line in fenced(shown_value, "json"))
        yield ""


def _section(section: Section) -> str:
    lines = ["", f"## {section.title}", ""]
    lines += [f"- {plain(sentence)}" for sentence in section.sentences]
    if section.rows:
        lines += ["", f"| {' | '.join(section.header)} |", f"|{'---|' * len(section.header)}"]
        lines += [f"| {' | '.join(map(cell, row))} |" for row in section.rows]
    return "\n".join(lines) + "\n"
