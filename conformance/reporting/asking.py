"""How a person gets from a finding in a report to the same request sent again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from itertools import pairwise
from typing import Any


def leads(finding: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Where a finding was seen, by which request and answer, after how many others, and how often its promise broke."""
    requests = finding.get("requests", ())
    parts = [f"in {finding['where']}"] if finding.get("where") else []
    if requests:
        last, earlier = requests[-1], len(requests) - 1
        came = f"answered {last['status']}" if last["status"] else last.get("failure") or "no answer"
        parts.append(f"{last['method']} {last['path']}: {came}")
        parts += [f"after {earlier} earlier request{'' if earlier == 1 else 's'}"] if earlier else []
    if row.get("broke"):
        parts.append(f"broke in {row['broke']} of {row['evidence']}")
    if said := repeated(finding):
        parts.append(said)
    return "; ".join(parts)


def how_to_ask(result: Mapping[str, Any]) -> str:
    """One line on what the commands of a report's findings need, commands in backticks; empty where there are none."""
    if not any(finding["curl"] for row in result["requirements"] for finding in row["findings"]):
        return ""
    target = result["target"]
    if target["kind"] == "recorded" or not target["url"]:
        return "`$TOKEN` in a command stands for a token of yours."
    files = _certificates(str(result.get("command", "")))
    token = f'`eval "$(conformance token --target {shlex.quote(target["url"])}{files} --export)"`'
    if target["kind"] == "emulated":
        return f"The instance ended with its run: start one by `conformance emulate`, then set `$TOKEN` by {token}."
    return f"Before you paste a command, set `$TOKEN` by {token}."


_CERTIFICATES = ("--ca-file", "--client-cert", "--client-key")


def _certificates(command: str) -> str:
    """The PEM files of a run's command, as options, each after a space."""
    words = shlex.split(command)
    pairs = pairwise(words)
    return "".join(f" {option} {shlex.quote(file)}" for option, file in pairs if option in _CERTIFICATES)


def repeated(finding: Mapping[str, Any]) -> str:
    """Whether a finding showed each time its smallest sequence was asked; empty where it was not asked again."""
    times = str(finding.get("repeated", ""))
    shown, _, asked = times.partition(" of ")
    return (
        "" if not times else f"asked by itself it shows {times}" if shown == asked else f"not repeatable: shown {times}"
    )
