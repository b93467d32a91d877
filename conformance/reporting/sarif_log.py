"""SARIF 2.1.0 as every report of ours writes it: rules, results at places in files, and what the run was.

Locations are relative to the repository; a URL is never one, for code scanning accepts files only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True)
class Rule:
    """What may be broken. `level` is error, warning or note; `help_text` is read in full where a result is opened."""

    id: str
    text: str
    level: str
    help_text: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One finding of a rule. `fingerprint` is a name and a value that stay the same from run to run.

    `file` is a path in the repository, empty where there is none, and `line` counts from 1; `named` says what it is
    about. `excuse` is why it is suppressed, None where it is not; `state` is new or unchanged, empty where unknown.
    """

    rule: str
    level: str
    text: str
    fingerprint: tuple[str, str]
    named: str
    file: str = ""
    line: int = 1
    excuse: str | None = None
    state: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


def render(name: str, rules: Sequence[Rule], results: Iterable[Result], *, run: Mapping[str, Any] | None = None) -> str:
    """A log of one run of the driver `name`; `run` adds properties of SARIF's run object, such as `invocations`."""
    places = {rule.id: index for index, rule in enumerate(rules)}
    driver = {"name": name, "version": _version(), "rules": [_rule(rule) for rule in rules]}
    body = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(result, places[result.rule]) for result in results],
        **(run or {}),
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [body]}, indent=2) + "\n"


def message(text: str) -> str:
    """SARIF reads `[text](target)` in a message as a link (section 3.11.6); brackets of others are escaped."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _rule(rule: Rule) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": rule.id,
        "shortDescription": {"text": message(rule.text)},
        "defaultConfiguration": {"level": rule.level},
    }
    if rule.help_text:
        entry |= {"fullDescription": {"text": message(rule.help_text)}, "help": {"text": rule.help_text}}
    return entry | ({"properties": dict(rule.properties)} if rule.properties else {})


def _result(result: Result, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": result.named, "kind": "function"}]}
    if result.file:
        place["physicalLocation"] = {
            "artifactLocation": {"uri": result.file, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": result.line},
        }
    entry: dict[str, Any] = {
        "ruleId": result.rule,
        "ruleIndex": index,
        "level": result.level,
        "message": {"text": message(result.text)},
        "locations": [place],
        "partialFingerprints": dict([result.fingerprint]),
        "properties": dict(result.properties),
    }
    if result.excuse is not None:
        entry["suppressions"] = [{"kind": "external", "justification": result.excuse}]
    return entry | ({"baselineState": result.state} if result.state else {})


def _version() -> str:
    try:
        return version("wallaroo-conformance")
    except PackageNotFoundError:
        return "0"
