"""A comparison in the forms people and machines read: text, JSON, Markdown, HTML and SARIF 2.1.0.

What breaks comes first. Code scanning accepts only results with a file whose path is relative: to the root of the
repository, the folder that holds `.git`, else to the folder at hand. What is of no file is told at our own description.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from conformance.drift.changes import Change, Comparison
from conformance.drift.openapi.bundling import Described, pointer_of
from conformance.drift.openapi.document import Slip
from conformance.drift.report.entries import (
    Entry,
    by_kind,
    by_operation,
    counted,
    entries,
    level,
    operation,
    place,
    shortened,
    verdict,
    witness,
)
from conformance.drift.report.sections import Section
from conformance.drift.sources.collection import OfRelease
from conformance.reporting import sarif_log, webpage
from conformance.reporting.escaping import cell, code, fenced, plain
from conformance.reporting.sarif_log import Result, Rule, message
from conformance.spec.document import BASE_PROFILE, Document

FORMS = ("text", "json", "markdown", "html", "sarif")
"""What `--format` may be."""

_COUNTED = 8
"""More breaking changes than these are counted by kind and operation before they are told."""

_ROWS = 10
"""So many kinds and operations are counted."""

_WIDTH = 140
"""Columns of the text form."""


def render(
    comparison: Comparison,
    form: str,
    sections: Sequence[Section] = (),
    *,
    described: tuple[Described | None, Described | None] = (None, None),
    slips: Sequence[Slip] = (),
    whole: bool = False,
) -> str:
    """The comparison in one of FORMS, ending in a newline, with sections after its changes.

    `described` are the base and the revision where they are of files; `slips` what in them is not valid; `whole` names
    every place of every change, which JSON always does.
    """
    if form == "json":
        return _json(comparison, sections)
    if form == "sarif":
        return as_sarif(comparison, *described, slips)
    partial = bool(slips)
    if form == "html":
        return as_html(comparison, sections, partial)
    if form == "markdown":
        return as_markdown(comparison, sections, partial, whole)
    return as_text(comparison, sections, partial, whole)


def _json(comparison: Comparison, sections: Sequence[Section]) -> str:
    """The form of specs/drift.schema.json; what was ignored and which entries are stale where there are any."""
    whole = comparison.as_dict()
    if comparison.ignored or comparison.stale:
        whole["ignored"] = [
            {**one.as_dict(), "reason": entry.reason, "owner": entry.owner} for one, entry in comparison.ignored
        ]
        whole["stale"] = [{"entry": entry.about, "why": why} for entry, why in comparison.stale]
    whole |= {one.key: one.value for one in sections}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_text(
    comparison: Comparison, sections: Sequence[Section] = (), partial: bool = False, whole: bool = False
) -> str:
    """Plain text without colour; `whole` names every place of every change."""
    return "\n".join(_text_lines(comparison, partial, whole)) + "\n" + "".join(map(_text_section, sections))


def _text_section(section: Section) -> str:
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


def _text_lines(comparison: Comparison, partial: bool, whole: bool) -> Iterator[str]:
    yield verdict(comparison, partial)
    if comparison.sources:
        yield f"{comparison.sources['base']} → {comparison.sources['revision']}"
    if comparison.changes or comparison.ignored:
        yield f"{counted(comparison)}."
    breaking = [one for one in comparison.changes if one.breaking]
    if len(breaking) > _COUNTED:
        yield from _text_table("What breaks, by kind", by_kind(breaking))
        yield from _text_table("What breaks, by operation", by_operation(breaking))
    gathered = entries(comparison.changes)
    for title, level_breaking in (("What breaks", True), ("What changed and breaks nobody", False)):
        told = [one for one in gathered if one.first.breaking is level_breaking]
        if told:
            yield from ("", title)
        for one in told:
            yield from _text_entry(one, whole)
    for change, entry in comparison.ignored:
        yield ""
        yield f"Ignored until {entry.last_day} ({entry.owner}: {entry.reason})"
        yield from _text_entry(Entry((change,)), whole)
    for entry, why in comparison.stale:
        yield ""
        yield f"Stale in the ignore file: {entry.about}; {why}."


def _text_table(title: str, rows: list[tuple[str, int]]) -> Iterator[str]:
    yield from ("", title)
    yield from (f"  {count:>7,}  {name}" for name, count in rows[:_ROWS])
    if len(rows) > _ROWS:
        yield f"  {sum(count for _, count in rows[_ROWS:]):>7,}  in {len(rows) - _ROWS:,} more"


def _text_entry(entry: Entry, whole: bool) -> Iterator[str]:
    first = entry.first
    yield f"  {'✗' if first.breaking else '·'} {first.location}: {first.message if whole else entry.words}"
    places = entry.places
    if len(places) == 1:
        yield f"      of {operation(first)}"
    else:
        yield f"      in {len(places):,} places:"
        shown = places if whole else places[:3]
        yield from (f"        {one}" for one in shown)
        if len(places) > len(shown):
            yield f"        and {len(places) - len(shown):,} more; --all names them"
    ids = f" {first.id}" if len(entry.changes) == 1 else ""
    yield f"      {first.kind} ({level(first)}){ids}"
    if whole and len(entry.changes) > 1:
        yield from (f"      {one.id} {place(one)}" for one in entry.changes)
    if first.row.contested:
        yield f"      Contested: {first.row.contested}"


_MOST = 65_000
"""Characters: a comment on GitHub may hold 65,536, and its reader may count some of them otherwise."""

_PLACES, _WITNESS = 5, 400
"""Places of a change, and characters of its witness, shown unless everything is asked for."""


def as_markdown(
    comparison: Comparison, sections: Sequence[Section] = (), partial: bool = False, whole: bool = False
) -> str:
    """Markdown in which what the descriptions say is escaped; `whole` names every place and heeds no limit."""
    head = "\n".join(_markdown_head(comparison, partial))
    beside = "".join(map(_markdown_section, sections))
    left = _MOST - len(head)
    if not whole and len(beside) > left // 2:
        beside = _cut(beside, left // 2)
    left -= len(beside)
    told: list[str] = []
    pieces = list(_markdown_pieces(comparison, whole))
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


def _markdown_head(comparison: Comparison, partial: bool) -> Iterator[str]:
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


def _markdown_pieces(comparison: Comparison, whole: bool) -> Iterator[str]:
    """What must not be cut apart: headings with their first entry, and entries."""
    gathered = entries(comparison.changes)
    for title, breaking in (("What breaks", True), ("What changed and breaks nobody", False)):
        told = [one for one in gathered if one.first.breaking is breaking]
        for number, one in enumerate(told):
            heading = f"\n## {title}\n\n" if number == 0 else ""
            yield heading + "\n".join(_markdown_entry(one, whole))
    for number, (change, entry) in enumerate(comparison.ignored):
        heading = "\n## Ignored\n\n" if number == 0 else ""
        told_of = f"{code(change.kind)} at {plain(place(change))}, until {entry.last_day}"
        yield f"{heading}- {told_of}: {plain(entry.reason)} ({plain(entry.owner)})"
    for entry, why in comparison.stale:
        yield f"- Stale: {plain(entry.about)}; {plain(why)}."


def _markdown_entry(entry: Entry, whole: bool) -> Iterator[str]:
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


def _markdown_section(section: Section) -> str:
    lines = ["", f"## {section.title}", ""]
    lines += [f"- {plain(sentence)}" for sentence in section.sentences]
    if section.rows:
        lines += ["", f"| {' | '.join(section.header)} |", f"|{'---|' * len(section.header)}"]
        lines += [f"| {' | '.join(map(cell, row))} |" for row in section.rows]
    return "\n".join(lines) + "\n"


_FOLDER = Path(str(files("conformance.drift.report") / "page"))
_WORDS = {"breaking": "Breaking", "non-breaking": "Nothing breaks", "none": "No change"}
_COLOURS = {"breaking": "not-conformant", "non-breaking": "none", "none": "conformant"}


def as_html(comparison: Comparison, sections: Sequence[Section] = (), partial: bool = False) -> str:
    """One page in the style of the run's: nothing is fetched, every string of the descriptions is escaped."""
    gathered = [_html_row(one) for one in entries(comparison.changes)]
    breaking = [one for one in comparison.changes if one.breaking]
    groups = {
        "breaking": [one for one in gathered if one["breaking"]],
        "rest": [one for one in gathered if not one["breaking"]],
    }
    known = (("breaking", "What breaks", groups["breaking"]), ("rest", "What breaks nobody", groups["rest"]))
    contents = [(name, label) for name, label, shown in known if shown]
    contents += [("ignored", "Ignored")] if comparison.ignored or comparison.stale else []
    context = {
        "title": f"Drift: {_WORDS[comparison.verdict]}",
        "eyebrow": "Drift",
        "verdict": _COLOURS[comparison.verdict],
        "verdict_words": _WORDS[comparison.verdict],
        "reason": f"{verdict(comparison, partial)} {counted(comparison)}.",
        "facts": [(name.capitalize(), told) for name, told in comparison.sources.items()],
        "sections": [*contents, *((one.key, one.title) for one in sections)],
        "beside": sections,
        "entries": gathered,
        "groups": groups,
        "contested": sum(1 for one in gathered if one["contested"]),
        "operations": sorted({name for one in gathered for name in one["operations"]}),
        "kinds": by_kind(breaking),
        "by_operation": by_operation(breaking),
        "ignored": comparison.ignored,
        "stale": comparison.stale,
        "place": place,
    }
    return webpage.render("drift.html", context, script="drift.js", folder=_FOLDER) + "\n"


def _html_row(entry: Entry) -> dict[str, Any]:
    first = entry.first
    return {
        "breaking": first.breaking,
        "contested": first.row.contested,
        "kind": first.kind,
        "location": first.location,
        "words": entry.words,
        "message": first.message,
        "witness": witness(first),
        "operations": list(dict.fromkeys(operation(one) for one in entry.changes)),
        "places": [{"location": one.location, "operation": operation(one), "id": one.id} for one in entry.changes],
    }


_FINGERPRINT = "conformanceDrift/v1"


def as_sarif(
    comparison: Comparison,
    base: Described | None = None,
    revision: Described | None = None,
    slips: Sequence[Slip] = (),
) -> str:
    """A log of one run; ignored changes are results that are suppressed, slips notifications of the tool."""
    rows = {one.kind: one.row for one in (*comparison.changes, *(change for change, _ in comparison.ignored))}
    rules = [Rule(kind, row.sentence, "error" if row.breaking else "note") for kind, row in rows.items()]
    run: dict[str, Any] = {"properties": {"verdict": comparison.verdict}}
    if slips:
        notes = list(map(_notification, slips))
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": notes}]
    if base is None and revision is None:
        base = OfRelease(Document.load(BASE_PROFILE))
    return sarif_log.render("conformance drift", rules, _results(comparison, base, revision), run=run)


def _notification(slip: Slip) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(uri_of(slip.file)), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": max(slip.line, 1)},
    }
    return {"level": "warning", "message": {"text": message(slip.text)}, "locations": [{"physicalLocation": place}]}


def _results(comparison: Comparison, base: Described | None, revision: Described | None) -> Iterator[Result]:
    everything = [(change, None) for change in comparison.changes] + list(comparison.ignored)
    for change, entry in everything:
        file, line = _sarif_place(change, base, revision)
        text = f"{operation(change)}, {change.location}: {shortened(change.message)}"
        yield Result(
            rule=change.kind,
            level="error" if change.breaking else "note",
            text=text[:1].upper() + text[1:],
            fingerprint=(_FINGERPRINT, change.id),
            named=f"{change.operation or ''} {change.location}".strip(),
            file=quote(file),
            line=line,
            excuse=f"{entry.owner}: {entry.reason}" if entry is not None else None,
            properties={"contested": change.contested, "witness": witness(change)},
        )


def _sarif_place(change: Change, base: Described | None, revision: Described | None) -> tuple[str, int]:
    """File and line: in the revision, which a pull request changes, or in the base where only that has it."""
    in_revision = revision is not None and (bool(change.revision) or base is None)
    described = revision if in_revision else base
    if described is None:
        raise ValueError("a change of no description")
    pointer = change.revision if in_revision else change.base
    file, line, _ = described.whereabouts(pointer_of(change, described.root, pointer))
    return uri_of(file), max(line, 1)


def uri_of(file: str) -> str:
    """The file as code scanning takes it: relative to the repository's root or the folder at hand, never a URL."""
    if urlsplit(file).scheme in ("http", "https"):
        return PurePosixPath(unquote(urlsplit(file).path)).name or "openapi.json"
    path = Path(file)
    if not path.is_absolute() and not path.exists():
        return file
    whole = path.resolve()
    root = next((parent for parent in whole.parents if (parent / ".git").exists()), Path.cwd())
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.name
