"""SARIF 2.1.0, for code scanning: each change at the line of the description where what changed stands.

Code scanning accepts only results with a file whose path is relative: to the root of the repository, the folder that
holds `.git`, else to the folder at hand. What is of no file is told at the description of ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.openapi.document import Slip
from conformance.drift.report.entries import operation, shortened, witness
from conformance.drift.report.places import Described, OfRelease, pointer_of, uri_of
from conformance.reporting.sarif import message
from conformance.spec.document import BASE_PROFILE, Document

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "conformanceDrift/v1"


def render(
    comparison: Comparison,
    base: Described | None = None,
    revision: Described | None = None,
    slips: Sequence[Slip] = (),
) -> str:
    """A log of one run; ignored changes are results that are suppressed, slips notifications of the tool."""
    run = _run(comparison, base, revision, slips)
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _run(
    comparison: Comparison, base: Described | None, revision: Described | None, slips: Sequence[Slip]
) -> dict[str, Any]:
    everything = [(change, None) for change in comparison.changes] + list(comparison.ignored)
    kinds = list(dict.fromkeys(change.kind for change, _ in everything))
    ours = OfRelease(Document.load(BASE_PROFILE)) if base is None and revision is None else None
    results = []
    for change, entry in everything:
        result = _result(change, kinds.index(change.kind), base or ours, revision)
        if entry is not None:
            result["suppressions"] = [{"kind": "external", "justification": f"{entry.owner}: {entry.reason}"}]
        results.append(result)
    rows = {change.kind: change.row for change, _ in everything}
    driver = {
        "name": "conformance drift",
        "version": version("wallaroo-conformance"),
        "rules": [
            {
                "id": kind,
                "shortDescription": {"text": rows[kind].sentence},
                "defaultConfiguration": {"level": "error" if rows[kind].breaking else "note"},
            }
            for kind in kinds
        ],
    }
    notes = [
        {
            "level": "warning",
            "message": {"text": message(slip.text)},
            "locations": [{"physicalLocation": _physical(slip.file, slip.line)}],
        }
        for slip in slips
    ]
    told = {"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}]} if notes else {}
    return {
        "tool": {"driver": driver},
        **told,
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"verdict": comparison.verdict},
    }


def _result(change: Change, index: int, base: Described | None, revision: Described | None) -> dict[str, Any]:
    text = f"{operation(change)}, {change.location}: {shortened(change.message)}"
    return {
        "ruleId": change.kind,
        "ruleIndex": index,
        "level": "error" if change.breaking else "note",
        "message": {"text": message(text[:1].upper() + text[1:])},
        "locations": [
            {
                "physicalLocation": _place(change, base, revision),
                "logicalLocations": [{"fullyQualifiedName": f"{change.operation or ''} {change.location}".strip()}],
            }
        ],
        "partialFingerprints": {_FINGERPRINT: change.id},
        "properties": {"contested": change.contested, "witness": witness(change)},
    }


def _place(change: Change, base: Described | None, revision: Described | None) -> dict[str, Any]:
    """In the revision, which a pull request changes, or in the base where only that has it."""
    in_revision = revision is not None and (bool(change.revision) or base is None)
    described = revision if in_revision else base
    if described is None:
        raise ValueError("a change of no description")
    pointer = change.revision if in_revision else change.base
    file, line, _ = described.whereabouts(pointer_of(change, described.root, pointer))
    return _physical(file, line)


def _physical(file: str, line: int) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": quote(uri_of(file)), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": max(line, 1)},
    }
