"""One self-contained page: no script, nothing fetched, every string of the descriptions escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.report import wording

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #7fd7a0; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
code, pre { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; border: 1px solid var(--line); border-radius: 4px; padding: 0.5rem; }
pre { max-height: 20rem; overflow: auto; }
ul { list-style: none; padding: 0; }
li { padding: 0.5rem 0 0.5rem 0.75rem; border-left: 4px solid var(--line); margin: 0.5rem 0; }
li.breaking { border-color: var(--bad); } li.non-breaking { border-color: var(--good); }
.level { font-weight: 600; } .breaking .level { color: var(--bad); } .non-breaking .level { color: var(--good); }
.quiet { opacity: 0.75; font-size: 0.9em; } p { margin: 0.25rem 0; }
"""


def render(comparison: Comparison) -> str:
    """The page."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
    yield f"<title>Drift: {escape(comparison.verdict)}</title><style>{_STYLE}</style></head><body><main>"
    yield "<h1>Drift</h1>"
    if comparison.sources:
        base, revision = comparison.sources["base"], comparison.sources["revision"]
        yield f"<p><code>{escape(base)}</code> → <code>{escape(revision)}</code></p>"
    yield f"<p><strong>{escape(wording.verdict(comparison))}</strong> {escape(wording.counted(comparison))}.</p>"
    for name, changes in wording.by_operation(comparison):
        yield f"<section><h2>{escape(name)}</h2><ul>"
        for change in changes:
            yield from _change(change)
        yield "</ul></section>"
    yield from _ignored(comparison)
    yield "</main></body></html>"


def _change(change: Change) -> Iterator[str]:
    yield f'<li class="{"breaking" if change.breaking else "non-breaking"}">'
    yield f'<p><span class="level">{wording.level(change)}</span> <code>{escape(change.location)}</code></p>'
    yield f"<p>{escape(change.message)}</p>"
    shown = wording.witness(change)
    if shown:
        yield f"<details><summary>Witness</summary><pre>{escape(shown)}</pre></details>"
    if change.row.contested:
        yield f'<p class="quiet">Contested: {escape(change.row.contested)}</p>'
    yield f'<p class="quiet"><code>{escape(change.kind)}</code> <code>{change.id}</code></p></li>'


def _ignored(comparison: Comparison) -> Iterator[str]:
    if not comparison.ignored and not comparison.stale:
        return
    yield "<section><h2>Ignored</h2><ul>"
    for change, entry in comparison.ignored:
        yield f"<li><code>{escape(change.kind)}</code> <code>{escape(change.location)}</code> until {entry.last_day}: "
        yield f"{escape(entry.reason)} ({escape(entry.owner)})</li>"
    for entry, why in comparison.stale:
        yield f"<li>Stale: {escape(entry.about)}; {escape(why)}.</li>"
    yield "</ul></section>"
