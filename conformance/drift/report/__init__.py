"""A comparison in the forms people and machines read it in."""

from __future__ import annotations

from collections.abc import Callable

from conformance.drift.openapi.comparison import Comparison
from conformance.drift.report import html, markdown, sarif, text
from conformance.drift.report import json as json_form

FORMS: dict[str, Callable[[Comparison], str]] = {
    "text": text.render,
    "json": json_form.render,
    "markdown": markdown.render,
    "html": html.render,
    "sarif": sarif.render,
}
"""What `--format` may be."""


def render(comparison: Comparison, form: str) -> str:
    """The comparison in one of FORMS, ending in a newline."""
    return FORMS[form](comparison)
