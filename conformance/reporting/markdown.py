"""The result as Markdown, for a pull request or a CI job's summary page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.reporting.escaping import code, fenced, plain
from conformance.reporting.reproduction import leads

_FINDINGS = 3
_REQUIREMENTS = 50
_LONGEST = 900_000
"""Bytes of a summary: the service that shows it refuses more than 1 MiB for one step."""

_HEADINGS = {"conformant": "✅ Conformant", "not-conformant": "❌ Not conformant", "none": "⚠️ No verdict"}


def render(result: Mapping[str, Any]) -> str:
    """A summary, every broken requirement with its command, waivers, what was reached, what was not tested."""
    sections = (_head, _broken, _waivers, _baseline, _untested, _reached)
    return "\n".join(line for section in sections for line in section(result)) + "\n"


def append_step_summary(result: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> bool:
    """Append the report to the file GITHUB_STEP_SUMMARY names, where that is set; say whether it was."""
    name = environment.get("GITHUB_STEP_SUMMARY", "")
    if not name:
        return False
    text = render(result)
    try:
        taken = Path(name).stat().st_size  # by earlier commands of the same step
    except OSError:
        taken = 0
    if len(text.encode("utf-8", "backslashreplace")) > _LONGEST - taken:
        text = "\n".join(
            [*_head(result), "", "The whole report is too long for this page; it is among the run's files.", ""]
        )
    try:
        with Path(name).open("ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError:
        return False
    return True


def _head(result: Mapping[str, Any]) -> Iterator[str]:
    counts, target = result["counts"], result["target"]
    yield f"## {_HEADINGS[result['verdict']]}"
    yield ""
    yield plain(result["reason"])
    yield ""
    for note in result.get("notes", ()):
        yield from (f"**{plain(note)}**", "")
    yield "| broken | warnings | waived | held | untested |"
    yield "| ---: | ---: | ---: | ---: | ---: |"
    names = ("broken", "warnings", "waived", "held", "untested")
    yield f"| {' | '.join(str(counts[name]) for name in names)} |"
    yield ""
    facts = [f"Target {target['kind']}" + (f" {code(target['url'])}" if target["url"] else "")]
    facts += [
        f"profile {plain(result['profile'])}",
        f"scope {plain(result['scope'])}",
        f"{result['requests']} requests",
    ]
    facts += [f"seed {result['seed']}"] if result["seed"] is not None else []
    facts += ["strict"] if result["strict"] else []
    yield " · ".join(facts)
    if result.get("command"):
        yield from ("", f"Run it again: {code(result['command'])}")


def _broken(result: Mapping[str, Any]) -> Iterator[str]:
    broken = [row for row in result["requirements"] if row["outcome"] == "broken"]
    gating = [row for row in broken if row["gates"]]
    known = [row for row in broken if row.get("known")]
    warnings = [row for row in broken if not row["gates"] and not row.get("known")]
    for heading, rows in (("Broken", gating), ("Broken as before", known), ("Warnings", warnings)):
        if rows:
            yield from ("", f"### {heading}")
        for row in rows[:_REQUIREMENTS]:
            yield from _requirement(row)
        if len(rows) > _REQUIREMENTS:
            yield from (
                "",
                f"… and {len(rows) - _REQUIREMENTS} more: " + ", ".join(code(r["id"]) for r in rows[_REQUIREMENTS:]),
            )


def _requirement(row: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"#### {code(row['id'])}", "", plain(row["text"]))
    yield from ("", f"*{row['level']}, {row['basis']}*: {plain(row['source'])}")
    if row["reason"]:
        yield from ("", plain(row["reason"]))
    for finding in row["findings"][:_FINDINGS]:
        yield from ("", f"- expected: {plain(finding['expected'])}", f"- actual: {plain(finding['actual'])}")
        if finding["operation"] != row["operation"]:
            yield f"- at: {code(finding['operation'])}"
        if shown := leads(finding, row):
            yield f"- shown by: {plain(shown)}"
        if finding["curl"]:
            yield from (
                "",
                "<details><summary>Request</summary>",
                "",
                *fenced(finding["curl"], "bash"),
                "",
                "</details>",
            )
    if len(row["findings"]) > _FINDINGS:
        yield from ("", f"… and {len(row['findings']) - _FINDINGS} more findings.")


def _waivers(result: Mapping[str, Any]) -> Iterator[str]:
    if not result.get("waivers"):
        return
    yield from (
        "",
        "### Waivers",
        "",
        "| requirement | standing | owner | last day | reason |",
        "| --- | --- | --- | --- | --- |",
    )
    for waiver in result["waivers"]:
        standing = f"**{waiver['standing']}**" if waiver["standing"] in ("stale", "expired") else waiver["standing"]
        cells = (
            code(waiver["requirement"]),
            standing,
            plain(waiver["owner"]),
            waiver["last_day"],
            plain(waiver["reason"]),
        )
        yield f"| {' | '.join(cells)} |"


def _baseline(result: Mapping[str, Any]) -> Iterator[str]:
    changes = result.get("baseline")
    if not changes:
        return
    yield from ("", "### Since the baseline", "")
    for name, label in (("newly_broken", "Newly broken"), ("fixed", "Fixed"), ("newly_untested", "Newly untested")):
        ids = dict.fromkeys(entry["requirement"] for entry in changes.get(name, ()))
        yield f"- {label}: {_listed(list(ids)) or 'none'}"


def _untested(result: Mapping[str, Any]) -> Iterator[str]:
    rows = [row for row in result["requirements"] if row["outcome"] == "untested"]
    if not rows:
        return
    yield from ("", f"<details><summary>Untested ({len(rows)})</summary>", "")
    for row in rows:
        yield f"- {code(row['id'])}: {plain(row['reason'] or 'nothing in this run tested it')}"
    yield from ("", "</details>")


def _reached(result: Mapping[str, Any]) -> Iterator[str]:
    if not result["reached"]:
        return
    yield from ("", "<details><summary>Answers by operation</summary>", "", "| operation | answers |", "| --- | --- |")
    for operation, statuses in result["reached"].items():
        answers = ", ".join(f"{status}: {count}" for status, count in statuses.items()) or "not reached"
        yield f"| {code(operation)} | {plain(answers)} |"
    yield from ("", "</details>")


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(map(code, ids))
