"""A comparison in the forms people and machines read it in."""

from __future__ import annotations

import json
from collections.abc import Sequence

from conformance.drift.openapi.comparison import Comparison
from conformance.drift.openapi.document import Slip
from conformance.drift.openapi.places import Described
from conformance.drift.report import html, markdown, sarif, text
from conformance.drift.report.sections import Section

FORMS = ("text", "json", "markdown", "html", "sarif")
"""What `--format` may be."""


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
        return sarif.render(comparison, *described, slips)
    partial = bool(slips)
    if form == "html":
        return html.render(comparison, sections, partial)
    if form == "markdown":
        return markdown.render(comparison, sections, partial, whole)
    return text.render(comparison, sections, partial, whole)


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
