"""SARIF 2.1.0, for code scanning: each change at the line of the description where it stands.

Locations are relative to the repository's root, the folder that holds `.git`; a file outside one has none, for code
scanning accepts no other.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conformance.drift.openapi.comparison import Change, Comparison
from conformance.drift.openapi.syntax import lines
from conformance.drift.report import wording

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "conformanceDrift/v1"


def render(comparison: Comparison) -> str:
    """A log of one run; ignored changes are results that are suppressed."""
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(comparison)]}, indent=2) + "\n"


def _run(comparison: Comparison) -> dict[str, Any]:
    files = {name: _File(comparison.sources.get(name, "")) for name in ("base", "revision")}
    everything = [(change, None) for change in comparison.changes] + list(comparison.ignored)
    kinds = list(dict.fromkeys(change.kind for change, _ in everything))
    results = []
    for change, entry in everything:
        result = _result(change, kinds.index(change.kind), files)
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
    return {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"verdict": comparison.verdict},
    }


def _result(change: Change, index: int, files: dict[str, _File]) -> dict[str, Any]:
    name = "revision" if change.revision else "base"
    place: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": f"{change.operation or ''} {change.location}".strip()}]
    }
    physical = files[name].place(change.revision or change.base)
    if physical:
        place["physicalLocation"] = physical
    message = f"{change.operation or 'The description'}, {change.location}: {change.message}"
    return {
        "ruleId": change.kind,
        "ruleIndex": index,
        "level": "error" if change.breaking else "note",
        "message": {"text": message},
        "locations": [place],
        "partialFingerprints": {_FINGERPRINT: change.id},
        "properties": {"contested": change.contested, "witness": wording.witness(change)},
    }


class _File:
    """One description's file: its path in the repository, and its lines by JSON pointer."""

    def __init__(self, name: str) -> None:
        path = Path(name) if name else None
        self.uri = _relative(path.resolve()) if path is not None and path.is_file() else ""
        self.lines = lines(path.read_text(encoding="utf-8-sig")) if self.uri and path is not None else {}

    def place(self, pointer: str) -> dict[str, Any]:
        """The physical location of a node, or of the nearest node around it that stands in the file."""
        if not self.uri:
            return {}
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return {
            "artifactLocation": {"uri": quote(self.uri), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": self.lines.get(pointer, 1)},
        }


def _relative(path: Path) -> str:
    root = next((parent for parent in path.parents if (parent / ".git").exists()), None)
    return path.relative_to(root).as_posix() if root else ""
