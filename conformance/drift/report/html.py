"""One self-contained page in the style of the run's: nothing fetched, every string of the descriptions escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

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

_PAGE = files("conformance.drift.report") / "page"
_STYLE = files("conformance.reporting") / "page" / "page.css"
_MORE = """
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 0 2rem; }
.columns > div { min-width: 0; }
.columns .scroll { max-height: 20rem; overflow: auto; }
.columns th { font-weight: 400; overflow-wrap: anywhere; }
section .group { margin-top: 1.25rem; }
.value { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 20rem; overflow: auto; }
.plain li { overflow-wrap: anywhere; }
#filter { padding-bottom: 0; }
#filter + section { padding-top: 1rem; }
@media (max-width: 40rem) { .requirement > summary { grid-template-columns: auto minmax(0, 1fr); }
  .requirement > summary .standing { grid-column: 2; justify-content: flex-start; }
  .requirement .body { padding-left: 1rem; } }
"""


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
    script, style = ((_PAGE / "drift.js").read_text(encoding="utf-8"), _STYLE.read_text(encoding="utf-8") + _MORE)
    page: str = _template().render(
        verdict=comparison.verdict,
        sentence=verdict(comparison, partial),
        counted=counted(comparison),
        sources=comparison.sources,
        entries=gathered,
        groups=groups,
        contested=sum(1 for one in gathered if one["contested"]),
        operations=sorted({name for one in gathered for name in one["operations"]}),
        kinds=by_kind(breaking),
        by_operation=by_operation(breaking),
        ignored=comparison.ignored,
        stale=comparison.stale,
        place=place,
        sections=sections,
        contents=[*contents, *((one.key, one.title) for one in sections)],
        script=Markup(script),  # noqa: S704 - our own file
        style=Markup(style),  # noqa: S704 - our own file
        script_hash=_hash(script),
        style_hash=_hash(style),
    )
    return page + "\n"


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


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(str(_PAGE)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("drift.html")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
