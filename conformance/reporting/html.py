"""The result as a page: what the template shows, made from a result alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conformance.reporting import lifecycle, webpage
from conformance.reporting.reproduction import how_to_ask

_VERDICTS = {"conformant": "Conformant", "not-conformant": "Not conformant", "none": "No verdict"}
_KINDS = {"broken": "Broken", "warnings": "Warnings", "waived": "Waived", "untested": "Untested", "held": "Held"}
"""Outcomes as the page tells them apart, in the order it lists them; `warnings` are broken and do not gate."""

_MEANINGS = {
    "broken": "a requirement that is broken and decides the verdict",
    "warnings": "broken, but does not decide this verdict",
    "waived": "broken, and excused by a waiver",
    "untested": "nothing in this run tests it",
    "held": "it was tested and always held",
}
_BAR = ("held", "waived", "warnings", "broken", "untested")
_WEIGHTS = {
    True: "Gates: if it is broken, the target is not conformant.",
    False: "A warning: if it is broken, that is shown and counted.",
}
_LONG_GROUP = 60
"""More requirements than these, held or untested, are folded away when the page opens."""

_OPEN_FIRST = 3
"""So many of the broken requirements stand open when the page opens, those that gate first."""


def render(result: Mapping[str, Any]) -> str:
    """The page. It shows what the result holds and leaves out the sections the result has nothing for."""
    return webpage.render("page.html", context(result), script=True)


def context(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows, from a result alone."""
    rows = [_row(requirement) for requirement in result["requirements"]]
    _open_first(rows)
    counts = Counter(row["kind"] for row in rows)
    operations = list(dict.fromkeys(row["operation"] for row in rows))
    page = {
        "result": {"version": "", "suites": (), "waivers": (), "drift": None, **result},
        "title": f"{_VERDICTS[result['verdict']]}: {result['target']['url'] or result['target']['kind']}",
        "verdict_words": _VERDICTS[result["verdict"]],
        "verdict": result["verdict"],
        "eyebrow": f"API conformance · {result['target']['kind']} target · profile {result['profile']}",
        "reason": result["reason"],
        "notes": result.get("notes", ()),
        "command": result.get("command", ""),
        "how_to_ask": how_to_ask(result),
        "left_out": result.get("left_out", ()),
        "counts": [
            {"name": kind, "label": _label(kind, counts[kind]), "count": counts[kind], "means": _MEANINGS[kind]}
            for kind in _KINDS
        ],
        "bar": _bar(counts),
        "bar_label": ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS),
        "facts": _facts(result),
        "operations": operations,
        "total": len(rows),
        "groups": _groups(rows),
        "matrix": _matrix(rows, operations),
        "timeline": lifecycle.drawn(result.get("timeline") or ()),
        "reached": _reached(result, operations),
        "baseline": _baseline(result.get("baseline")),
        "failed_waivers": [w for w in result.get("waivers", ()) if w["standing"] in ("stale", "expired")],
    }
    return {**page, "sections": _sections(page)}


def _row(requirement: Mapping[str, Any]) -> dict[str, Any]:
    operation = requirement.get("operation") or requirement["id"].rpartition(".")[0]
    broken, gates = requirement["outcome"] == "broken", requirement["gates"]
    labels = {"waived": "Waiver", "untested": "Why it is untested", "broken": "Why it does not gate"}
    findings = requirement["findings"]
    return {
        **requirement,
        "operation": operation,
        "slug": requirement["id"].removeprefix(f"{operation}."),
        "kind": "warnings" if broken and not gates else requirement["outcome"],
        "weight": _WEIGHTS[gates],
        "reason": requirement.get("reason", ""),
        "reason_label": labels.get(requirement["outcome"], "Remark"),
        "seen": _seen(requirement),
        "findings": [_finding(finding) for finding in findings],
        "witness": _snippets(requirement["witness"]) if requirement.get("witness") else None,
        "open": False,
    }


def _finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {"requests": (), **finding, **_snippets(finding)}


def _snippets(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item.get(name, "") for name in ("curl", "python", "script", "pytest")}


def _seen(requirement: Mapping[str, Any]) -> str:
    evidence, broke = requirement["evidence"], requirement.get("broke", len(requirement["findings"]))
    if not evidence:
        return "never seen"
    return f"broke in {broke:,} of {evidence:,}" if broke else f"held in {evidence:,} of {evidence:,}"


def _open_first(rows: Iterable[dict[str, Any]]) -> None:
    broken = [row for kind in ("broken", "warnings") for row in rows if row["kind"] == kind]
    for row in broken[:_OPEN_FIRST]:
        row["open"] = True


def _label(kind: str, count: int) -> str:
    return "warning" if kind == "warnings" and count == 1 else kind


def _bar(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    total, x, parts = sum(counts.values()) or 1, 0.0, []
    for kind in _BAR:
        width = counts[kind] / total * 1000
        if width:
            parts.append({"name": kind, "x": round(x, 2), "width": round(width, 2)})
        x += width
    return parts


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("Target", f"{result['target']['url'] or result['target']['kind']}"),
        ("Profile", result["profile"]),
        ("Scope", result["scope"]),
        ("Requests", f"{result['requests']:,}"),
        ("Seed", "" if result["seed"] is None else str(result["seed"])),
        ("Budget", result.get("budget", "")),
        ("Strict", "yes" if result["strict"] else ""),
        ("Started", str(result.get("started", "")).replace("T", " ").replace("+00:00", " UTC").replace("Z", " UTC")),
        ("Took", lifecycle.duration(result["seconds"]) if result.get("seconds") else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _groups(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    groups = []
    for kind, label in _KINDS.items():
        members = [row for row in rows if row["kind"] == kind]
        unfolded = kind not in ("held", "untested") or len(members) <= _LONG_GROUP
        groups.append({"name": kind, "label": label, "rows": members, "open": unfolded, "means": _MEANINGS[kind]})
    return [group for group in groups if group["rows"]]


def _matrix(rows: Sequence[dict[str, Any]], operations: Sequence[str]) -> dict[str, Any]:
    """Promises that more than one operation makes, in columns, and those of one operation alone."""
    slugs = Counter(row["slug"] for row in rows)
    columns = [slug for slug, count in slugs.most_common() if count > 1]
    by_place = {(row["operation"], row["slug"]): row for row in rows}
    shared = [{"operation": name, "cells": [by_place.get((name, slug)) for slug in columns]} for name in operations]
    own = [
        {"operation": name, "cells": [r for r in rows if r["operation"] == name and slugs[r["slug"]] == 1]}
        for name in operations
    ]
    return {
        "columns": columns,
        "shared": [line for line in shared if any(line["cells"])],
        "own": [line for line in own if line["cells"]],
    }


def _reached(result: Mapping[str, Any], operations: Sequence[str]) -> dict[str, Any]:
    reached = result["reached"]  # what is promised of the API as a whole stands under no operation, and has no dot
    statuses = sorted({status for counts in reached.values() for status in counts})
    lines = [
        {
            "operation": operation,
            "missed": not reached.get(operation),
            "counts": [reached.get(operation, {}).get(status, 0) for status in statuses],
        }
        for operation in dict.fromkeys([*(name for name in operations if "." in name), *reached])
    ]
    return {"statuses": statuses, "lines": lines}


def _baseline(changes: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if not changes:
        return []
    names = {
        "newly_broken": "Newly broken",
        "fixed": "Fixed",
        "newly_untested": "Newly untested",
        "remaining": "Still broken",
    }
    return [
        {
            "name": label,
            "entries": [{"requirement": e["requirement"], "at": e.get("operation", "")} for e in changes.get(name, ())],
        }
        for name, label in names.items()
    ]


def _sections(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    known = (
        ("requirements", "Requirements", True),
        ("matrix", "Matrix", True),
        ("lifecycle", "Lifecycle", page["timeline"]),
        ("reached", "Reached", True),
        ("baseline", "Baseline", page["baseline"]),
        ("waivers", "Waivers", page["result"]["waivers"]),
        ("left-out", "Left out", page["left_out"]),
        ("drift", "Drift", page["result"]["drift"]),
    )
    return [(name, label) for name, label, shown in known if shown]
