"""The result as SARIF 2.1.0: findings at the line of the document where their operation is described.

Locations are relative to the repository; the target's URL is never one, for code scanning accepts files only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.errors import UsageError
from conformance.spec.document import BASE_PROFILE, Document, profiles

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "conformanceFinding/v1"


def render(result: Mapping[str, Any]) -> str:
    """A log of one run; its results are what is broken, waived ones suppressed."""
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(result)]}, indent=2) + "\n"


def _run(result: Mapping[str, Any]) -> dict[str, Any]:
    rows = [row for row in result["requirements"] if row["outcome"] in ("broken", "waived")]
    document = Document.load(result["profile"] if result["profile"] in profiles() else BASE_PROFILE)
    driver = {"name": "conformance", "version": str(result.get("version", "0")), "rules": [_rule(row) for row in rows]}
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"conformance/{result['profile']}/"},
        "invocations": [_invocation(result)],
        "columnKind": "unicodeCodePoints",
        "results": [entry for index, row in enumerate(rows) for entry in _results(row, index, document, result)],
        "properties": {
            "verdict": result["verdict"],
            "reason": result["reason"],
            "profile": result["profile"],
            "scope": result["scope"],
            "counts": dict(result["counts"]),
        },
    }


def _rule(row: Mapping[str, Any]) -> dict[str, Any]:
    help_text = f"{row['text']}\n\n{row['level']}, {row['basis']}: {row['source']}"
    return {
        "id": row["id"],
        "shortDescription": {"text": message(row["text"])},
        "fullDescription": {"text": message(help_text)},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": _level(row)},
        "properties": {"tags": [row["level"], row["basis"]], "source": row["source"]},
    }


def _level(row: Mapping[str, Any]) -> str:
    return "error" if row["gates"] else "note" if row["level"] == "may" else "warning"


def _invocation(result: Mapping[str, Any]) -> dict[str, Any]:
    reached = result["verdict"] != "none"
    invocation: dict[str, Any] = {"executionSuccessful": reached, "exitCode": result["exit_code"]}
    if result.get("started"):
        invocation["startTimeUtc"] = result["started"]
    failed = [w for w in result.get("waivers", ()) if w["standing"] in ("stale", "expired")]
    notes = [f"The waiver for {w['requirement']} is {w['standing']}." for w in failed]
    notes += [] if reached else [result["reason"]]
    if notes:
        invocation["toolExecutionNotifications"] = [{"level": "error", "message": {"text": message(n)}} for n in notes]
    return invocation


def _results(
    row: Mapping[str, Any], index: int, document: Document, result: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for finding in row["findings"]:
        text = f"{row['text']} Expected: {finding['expected']} Actual: {finding['actual']}"
        entry: dict[str, Any] = {
            "ruleId": row["id"],
            "ruleIndex": index,
            "level": _level(row),
            "message": {"text": message(text)},
            "locations": [_location(finding["operation"], document)],
            "partialFingerprints": {_FINGERPRINT: finding["fingerprint"]},
            "properties": {"curl": finding["curl"], "operation": finding["operation"]},
        }
        if row["outcome"] == "waived":
            entry["suppressions"] = [{"kind": "external", "justification": row["reason"]}]
        if result.get("baseline"):
            entry["baselineState"] = _state(row["id"], finding["operation"], result["baseline"])
        yield entry


def _state(requirement: str, operation: str, baseline: Mapping[str, Any]) -> str:
    pair = {"requirement": requirement, "operation": operation}
    return "new" if pair in baseline["newly_broken"] else "unchanged"


def _location(operation: str, document: Document) -> dict[str, Any]:
    try:
        line = document.line_of(operation)
    except UsageError:
        line = 1
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": document.path, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line},
        },
        "logicalLocations": [{"fullyQualifiedName": operation, "kind": "function"}],
    }


def message(text: str) -> str:
    """SARIF reads `[text](target)` in a message as a link (section 3.11.6); brackets of others are escaped."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
