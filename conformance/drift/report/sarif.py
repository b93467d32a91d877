"""SARIF 2.1.0, for code scanning: each change at the line of the description where what changed stands.

Code scanning accepts only results with a file whose path is relative: to the root of the repository, the folder that
holds `.git`, else to the folder at hand. What is of no file is told at the description of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.openapi.document import Slip
from conformance.drift.openapi.places import Described, pointer_of
from conformance.drift.report.entries import operation, shortened, witness
from conformance.drift.sources.collection import OfRelease
from conformance.reporting import sarif_log
from conformance.reporting.sarif_log import Result, Rule, message
from conformance.spec.document import BASE_PROFILE, Document

_FINGERPRINT = "conformanceDrift/v1"


def render(
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
        file, line = _place(change, base, revision)
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


def _place(change: Change, base: Described | None, revision: Described | None) -> tuple[str, int]:
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
