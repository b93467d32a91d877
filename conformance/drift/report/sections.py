"""Sections beside the changes: the table of sources, and what a user's files touch, each in every form but SARIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.drift.changes import Change
from conformance.drift.openapi.document import Slip
from conformance.drift.sources.collection import Narrowed
from conformance.drift.sources.table import AGREES, PROSE, UNEXERCISED, Cell, Row, Table
from conformance.drift.usage.calls import CALL
from conformance.drift.usage.reading import Concern


@dataclass(frozen=True)
class Section:
    """One section: a title, sentences, and a grid of texts; `key` and `value` are what JSON carries for it.

    `lines` stand in place of the grid where text is as narrow as a terminal.
    """

    key: str
    value: Any
    title: str
    sentences: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()


def table_section(table: Table) -> Section:
    """The rows in which some source differs, and a count of the others; JSON carries them all."""
    counts = [
        f"{column}: {table.count(column, AGREES)} agree, {sum(column in row.differs for row in table.rows)} differ, "
        f"{table.count(column, UNEXERCISED)} unexercised."
        for column in table.columns
    ]
    rows = tuple(
        (
            row.operation or "the document",
            row.location,
            row.spec,
            *(_cell(row.cells[column]) for column in table.columns),
            row.breaks,
            row.cause,
        )
        for row in _instance_first(table)
    )
    header = ("operation", "field", "spec", *table.columns, "who breaks", "why")
    prose = sum(row.differs == (PROSE,) for row in table.differing)
    beside = f", and {prose} more by the tutorial's prose alone" if prose else ""
    sentences = (f"{len(table.rows)} places; {len(rows) - prose} differ{beside}.", *counts)
    lines = tuple(line for row in _instance_first(table) for line in _row_lines(row, table.columns))
    return Section("table", table.as_dict(), "What every source says", sentences, header, rows, lines)


def _instance_first(table: Table) -> list[Row]:
    """The rows that differ, those last in which the tutorial's prose alone does."""
    return sorted(table.differing, key=lambda row: row.differs == (PROSE,))


def _row_lines(row: Row, columns: Sequence[str]) -> Iterator[str]:
    """A row for a terminal: its place and who breaks, then a line for each source, then the cause.

    Where the prose alone differs, a line says it.
    """
    if row.differs == (PROSE,):
        yield f"{row.operation}  {row.location}  prose: {row.cells[PROSE].text}"
        return
    yield ""
    yield f"{row.operation or 'the document'}  {row.location}  (breaks {row.breaks})"
    yield f"    {'spec':<8} {row.spec or 'says nothing'}"
    for column in columns:
        yield f"    {column:<8} {_cell(row.cells[column])}"
    yield f"    {row.cause}"


def _cell(cell: Cell) -> str:
    return f"{cell.state}: {cell.text}" if cell.text else cell.state


def usage_section(narrowed: Narrowed, becomes: Mapping[str, str]) -> Section:
    """What in the files each change concerns, and what each call must become; the rest was not seen in these files."""
    usage = narrowed.usage
    value = {
        "files": list(usage.files),
        "operations": list(usage.operations),
        "calls": [
            {**_concern(one.change, becomes, [_use(use) for use in one.uses]), "becomes": _now(one, becomes)}
            for one in narrowed.concerns
        ],
        "not_seen_in_these_files": [_concern(change, becomes, []) for change in narrowed.not_seen],
        "notes": list(usage.notes),
    }
    sentences = [
        f"{len(usage.files)} files read; operations seen: {', '.join(usage.operations) or 'none'}.",
        "A call may be made where no file shows it: what is not listed was not seen in these files.",
        *usage.notes,
    ]
    rows = tuple(_used_row(one, becomes) for one in narrowed.concerns)
    rows += tuple(("not seen in these files", _place(one), one.message, _weight(one), "") for one in narrowed.not_seen)
    header = ("where", "operation and field", "what changed", "today's call", "what it must become")
    lines = [line for one in narrowed.concerns for line in _used_lines(one, becomes)]
    lines += ["", f"Not seen in these files: {len(narrowed.not_seen)} changes, of which these would break:"]
    lines += [f"    {_place(one)}: {one.message}" for one in narrowed.not_seen if one.breaking]
    return Section("used_in", value, "Used in these files", tuple(sentences), header, rows, tuple(lines))


def _used_row(one: Concern, becomes: Mapping[str, str]) -> tuple[str, ...]:
    where = "\n".join(dict.fromkeys(str(use.place) for use in one.uses))
    return where, _place(one.change), one.change.message, _today(one), _now(one, becomes)


def _used_lines(one: Concern, becomes: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"{_place(one.change)}: {_today(one)}"
    for place in dict.fromkeys(str(use.place) for use in one.uses):
        yield f"    {place}"
    yield f"    {one.change.message}"
    yield f"    → {_now(one, becomes)}"


_BY_SDK = "Nothing in this file: the SDK does this itself. Install the SDK of the release you go to."


def _now(one: Concern, becomes: Mapping[str, str]) -> str:
    """What the caller has to change: nothing where the vendor's SDK sends or reads it."""
    if one.of_sdk and one.change.breaking:
        return _BY_SDK
    told = becomes.get(one.change.id, "")
    mixed = one.change.breaking and any(use.by == "sdk" and use.location == CALL for use in one.uses)
    return f"{told} At calls of the SDK nothing, once the SDK is of the release you go to." if mixed else told


def _today(one: Concern) -> str:
    """What becomes of the call as it is; a narrower value breaks only a call that sends one outside of it."""
    change = one.change
    if not change.breaking:
        return "works on"
    if one.of_sdk:
        return "works on with the SDK of the release you go to"
    narrower = change.direction == "request" and change.kind.endswith(("-tightened", "-changed"))
    return "breaks, unless what it sends is still accepted" if narrower else "breaks"


def _place(change: Change) -> str:
    return f"{change.operation or 'the document'} {change.location}"


def _weight(change: Change) -> str:
    return "breaking" if change.breaking else "non-breaking"


def _concern(change: Change, becomes: Mapping[str, str], uses: list[dict[str, Any]]) -> dict[str, Any]:
    told = {
        "change": change.id,
        "operation": change.operation,
        "location": change.location,
        "breaking": change.breaking,
        "message": change.message,
    }
    return {**told, "uses": uses, "becomes": becomes.get(change.id, "")} if uses else told


def _use(use: Any) -> dict[str, Any]:
    place = use.place
    told = {"file": place.file, place.unit: place.line, "location": use.location, "by": use.by}
    return {**told, "cell": place.cell} if place.cell else told


def becoming_section(changes: Iterable[Change], becomes: Mapping[str, str]) -> Section:
    """What calls must become for the breaking changes of an upgrade."""
    rows = tuple(
        (change.operation or "the document", change.location, becomes[change.id])
        for change in changes
        if change.breaking and becomes.get(change.id)
    )
    value = {change.id: becomes[change.id] for change in changes if becomes.get(change.id)}
    return Section("becomes", value, "What calls must become", (), ("operation", "field", "now"), rows)


def notes_section(notes: Sequence[str]) -> Section:
    """What could not be read, or was read otherwise than it stands."""
    return Section("notes", list(notes), "Notes on the sources", tuple(notes))


def slips_section(slips: Sequence[Slip]) -> Section:
    """Where the descriptions are not valid; these places are left out of the comparison."""
    value = [{"file": one.file, "line": one.line, "pointer": one.pointer, "text": one.text} for one in slips]
    return Section("slips", value, "Not valid, and left out of the comparison", tuple(map(str, slips)))
