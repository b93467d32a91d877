"""The result as SARIF: findings at the line of the document where their operation is described."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.errors import UsageError
from conformance.reporting import sarif_log
from conformance.reporting.sarif_log import Result, Rule, message
from conformance.spec.document import BASE_PROFILE, Document, profiles

_FINGERPRINT = "conformanceFinding/v1"


def render(result: Mapping[str, Any]) -> str:
    """A log of one run; its results are what is broken, waived ones suppressed."""
    rows = [row for row in result["requirements"] if row["outcome"] in ("broken", "waived")]
    document = Document.load(result["profile"] if result["profile"] in profiles() else BASE_PROFILE)
    about = {
        "automationDetails": {"id": f"conformance/{result['profile']}/"},
        "invocations": [_invocation(result)],
        "properties": {
            **{name: result[name] for name in ("verdict", "reason", "profile", "scope")},
            "counts": dict(result["counts"]),
        },
    }
    found = (finding for row in rows for finding in _results(row, document, result))
    return sarif_log.render("conformance", [_rule(row) for row in rows], found, run=about)


def _rule(row: Mapping[str, Any]) -> Rule:
    help_text = f"{row['text']}\n\n{row['level']}, {row['basis']}: {row['source']}"
    properties = {"tags": [row["level"], row["basis"]], "source": row["source"]}
    return Rule(row["id"], row["text"], _level(row), help_text, properties)


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


def _results(row: Mapping[str, Any], document: Document, result: Mapping[str, Any]) -> Iterator[Result]:
    for finding in row["findings"]:
        yield Result(
            rule=row["id"],
            level=_level(row),
            text=f"{row['text']} Expected: {finding['expected']} Actual: {finding['actual']}",
            fingerprint=(_FINGERPRINT, finding["fingerprint"]),
            named=finding["operation"],
            file=document.path,
            line=_line(finding["operation"], document),
            excuse=row["reason"] if row["outcome"] == "waived" else None,
            state=_state(row["id"], finding["operation"], result["baseline"]) if result.get("baseline") else "",
            properties={"curl": finding["curl"], "operation": finding["operation"]},
        )


def _state(requirement: str, operation: str, baseline: Mapping[str, Any]) -> str:
    pair = {"requirement": requirement, "operation": operation}
    return "new" if pair in baseline["newly_broken"] else "unchanged"


def _line(operation: str, document: Document) -> int:
    try:
        return document.line_of(operation)
    except UsageError:
        return 1
