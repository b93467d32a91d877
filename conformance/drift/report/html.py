"""One self-contained page in the style of the run's: nothing fetched, every string of the descriptions escaped."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from conformance.drift.openapi.comparison import Comparison
from conformance.drift.report.entries import (
    Entry,
    by_kind,
    by_operation,
    counted,
    entries,
    operation,
    place,
    verdict,
    witness,
)
from conformance.drift.report.sections import Section
from conformance.reporting import webpage

_FOLDER = Path(str(files("conformance.drift.report") / "page"))
_WORDS = {"breaking": "Breaking", "non-breaking": "Nothing breaks", "none": "No change"}
_COLOURS = {"breaking": "not-conformant", "non-breaking": "none", "none": "conformant"}


def render(comparison: Comparison, sections: Sequence[Section] = (), partial: bool = False) -> str:
    """The page."""
    gathered = [_row(one) for one in entries(comparison.changes)]
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


def _row(entry: Entry) -> dict[str, Any]:
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
