"""For the terminal: the verdict first, then what breaks, counted and by cause, then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from conformance.drift.openapi.comparison import Comparison
from conformance.drift.report.entries import (
    Entry,
    by_kind,
    by_operation,
    counted,
    entries,
    level,
    operation,
    place,
    verdict,
)
from conformance.drift.report.sections import Section

_COUNTED = 8
"""More breaking changes than these are counted by kind and operation before they are told."""

_ROWS = 10
_PLACES = 3


_WIDTH = 140


def render(comparison: Comparison, sections: Sequence[Section] = (), partial: bool = False, whole: bool = False) -> str:
    """Plain text without colour; `whole` names every place of every change."""
    return "\n".join(_lines(comparison, partial, whole)) + "\n" + "".join(map(_section, sections))


def _section(section: Section) -> str:
    out = StringIO()
    console = Console(file=out, width=_WIDTH, color_system=None, highlight=False, emoji=False, markup=False)
    console.print(f"\n{section.title}")
    for sentence in section.sentences:
        console.print(f"  {sentence}", soft_wrap=True)
    for line in section.lines:
        console.print(f"  {line}" if line else "", soft_wrap=True)
    if section.rows and not section.lines:
        grid = Grid(*section.header, box=box.SIMPLE, show_edge=False, pad_edge=False)
        for row in section.rows:
            grid.add_row(*row)
        console.print(grid)
    return out.getvalue()


def _lines(comparison: Comparison, partial: bool, whole: bool) -> Iterator[str]:
    yield verdict(comparison, partial)
    if comparison.sources:
        yield f"{comparison.sources['base']} → {comparison.sources['revision']}"
    if comparison.changes or comparison.ignored:
        yield f"{counted(comparison)}."
    breaking = [one for one in comparison.changes if one.breaking]
    if len(breaking) > _COUNTED:
        yield from _table("What breaks, by kind", by_kind(breaking))
        yield from _table("What breaks, by operation", by_operation(breaking))
    gathered = entries(comparison.changes)
    for title, level_breaking in (("What breaks", True), ("What changed and breaks nobody", False)):
        told = [one for one in gathered if one.first.breaking is level_breaking]
        if told:
            yield from ("", title)
        for one in told:
            yield from _entry(one, whole)
    for change, entry in comparison.ignored:
        yield ""
        yield f"Ignored until {entry.last_day} ({entry.owner}: {entry.reason})"
        yield from _entry(Entry((change,)), whole)
    for entry, why in comparison.stale:
        yield ""
        yield f"Stale in the ignore file: {entry.about}; {why}."


def _table(title: str, rows: list[tuple[str, int]]) -> Iterator[str]:
    yield from ("", title)
    yield from (f"  {count:>7,}  {name}" for name, count in rows[:_ROWS])
    if len(rows) > _ROWS:
        yield f"  {sum(count for _, count in rows[_ROWS:]):>7,}  in {len(rows) - _ROWS:,} more"


def _entry(entry: Entry, whole: bool) -> Iterator[str]:
    first = entry.first
    yield f"  {'✗' if first.breaking else '·'} {first.location}: {first.message if whole else entry.words}"
    places = entry.places
    if len(places) == 1:
        yield f"      of {operation(first)}"
    else:
        yield f"      in {len(places):,} places:"
        shown = places if whole else places[:_PLACES]
        yield from (f"        {one}" for one in shown)
        if len(places) > len(shown):
            yield f"        and {len(places) - len(shown):,} more; --all names them"
    ids = f" {first.id}" if len(entry.changes) == 1 else ""
    yield f"      {first.kind} ({level(first)}){ids}"
    if whole and len(entry.changes) > 1:
        yield from (f"      {one.id} {place(one)}" for one in entry.changes)
    if first.row.contested:
        yield f"      Contested: {first.row.contested}"
