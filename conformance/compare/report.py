"""The result of a comparison in the forms that people and machines read."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from conformance.compare.result import operations_of
from conformance.errors import UsageError
from conformance.reporting.escaping import cell, code, fenced, plain
from conformance.reporting.files import write_whole

KINDS = ("json", "junit", "html", "markdown", "sarif")
_LONGEST = 40

_SIGNS = {
    "no-answer": "no answer", "status": "another status", "gone": "gone", "new": "new", "type": "another type",
    "null": "null", "format": "another format", "enum": "a value never seen", "value": "another value",
    "range": "out of range", "unit": "another unit", "order": "another order", "length": "another length",
    "null-share": "another share of null",
}  # fmt: skip


def parse_reports(specs: tuple[str, ...]) -> dict[str, Path]:
    """`KIND=FILE` texts as files by kind. Raises UsageError for an unknown kind or a folder that is not there."""
    files: dict[str, Path] = {}
    for spec in specs:
        kind, separator, name = spec.partition("=")
        if not separator or not name or kind not in KINDS:
            raise UsageError(f"'{spec}' is not KIND=FILE with a kind of {', '.join(KINDS)}.")
        path = Path(name)
        if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise UsageError(f"The {kind} report cannot be written to {path}; name a file in a folder that is there.")
        files[kind] = path
    return files


def write_reports(result: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    """Write each report whole. Raises UsageError where a file cannot be written."""
    for kind, path in files.items():
        write_whole(path, _FORMS[kind](result), f"The {kind} report")


def text(result: Mapping[str, Any], *, verbose: bool = False) -> str:
    """For the terminal: differences by operation, the verdict last."""
    lines: list[str] = []
    for reason in _left_out(result) if verbose or result["verdict"] == "none" else ():
        lines.append(f"Not asked: {reason}")
    for entry in result["stale"]:
        lines.append(f"Stale: {entry['difference']} ({entry['why']}; owner {entry['owner']})")
    shown = list(reversed(result["differences"][:_LONGEST]))
    if len(result["differences"]) > _LONGEST:
        lines.append(f"({len(result['differences']) - _LONGEST} more differences: --report json=FILE has them all)")
    for operation, differences in operations_of(shown).items():
        lines += ["", operation]
        for one in differences:
            mark = "✗" if one["breaking"] else "!"
            lines.append(f"  {mark} {one['location']}: {_SIGNS.get(one['kind'], one['kind'])}, seen {one['seen']}")
            lines += [f"      old  {_short(one['old'])}", f"      new  {_short(one['new'])}"]
            for row in one["requirements"][:2]:
                lines.append(f"      {row['id']}: the {row['kept_by']} side keeps it")
    slower = [row for row in result["latency"] if row["p"] < 0.001 and row["new_ms"] > 2 * row["old_ms"]]
    for row in slower:
        lines.append(f"Slower, for information: {row['operation']} {row['old_ms']} ms → {row['new_ms']} ms (median)")
    skipped = sum(row["requests"] for row in result["left_out"])
    if skipped and not verbose:
        lines += ["", f"{_requests(skipped)} could not be asked of one side (-v says why)."]
    lines += ["", result["reason"], _closing(result)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _requests(number: int) -> str:
    return f"{number} request{'' if number == 1 else 's'}"


def _closing(result: Mapping[str, Any]) -> str:
    word = {"same": "SAME", "breaking": "BREAKING", "non-breaking": "NON-BREAKING", "none": "NO VERDICT"}
    return (
        f"{word[result['verdict']]}  {len(result['differences'])} differences in {result['asked']} requests · "
        f"old {result['old']} · new {result['new']} · profile {result['profile']} · seed {result['seed']}"
    )


def _short(value: str, most: int = 100) -> str:
    one_line = " ".join(value.split())
    return one_line if len(one_line) <= most else f"{one_line[:most]}…"


def _left_out(result: Mapping[str, Any]) -> Iterator[str]:
    for row in result["left_out"]:
        yield f"{_requests(row['requests'])}, {row['reason']}"


def _json(result: Mapping[str, Any]) -> str:
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


def _markdown(result: Mapping[str, Any]) -> str:
    lines = [f"## {_closing(result).partition('  ')[0]}", "", plain(result["reason"]), ""]
    lines += [f"Old {code(result['old'])}, new {code(result['new'])}, {result['asked']} requests of each.", ""]
    if result["differences"]:
        lines += ["| operation | where | what | seen | old | new |", "|---|---|---|---|---|---|"]
    for one in result["differences"][:200]:
        mark = "**breaking**: " if one["breaking"] else ""
        cells = (one["operation"], one["location"], mark + _SIGNS.get(one["kind"], one["kind"]), one["seen"])
        lines.append(f"| {' | '.join(map(cell, cells))} | {cell(_short(one['old']))} | {cell(_short(one['new']))} |")
    for one in result["differences"][:20]:
        if one["curl"]:
            lines += [
                "",
                f"<details><summary>{plain(one['id'])}</summary>",
                "",
                *fenced(one["curl"], "sh"),
                "</details>",
            ]
    return "\n".join(lines) + "\n"


def _junit(result: Mapping[str, Any]) -> str:
    cases = result["differences"]
    failures = sum(1 for one in cases if one["breaking"])
    errors = int(result["verdict"] == "none")
    counts = {"tests": str(len(cases) + 1), "failures": str(failures), "errors": str(errors)}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "compare", **counts, "skipped": "0", "time": "0"})
    whole = ET.SubElement(
        suite, "testcase", {"classname": "compare", "name": f"{result['asked']} requests", "time": "0"}
    )
    if errors:
        ET.SubElement(whole, "error", {"message": result["reason"]})
    for one in cases:
        name = f"{one['location']} {one['kind']}"
        case = ET.SubElement(suite, "testcase", {"classname": one["operation"], "name": name, "time": "0"})
        told = f"seen {one['seen']}\nold {one['old']}\nnew {one['new']}\n{one['curl']}"
        if one["breaking"]:
            ET.SubElement(case, "failure", {"message": _short(f"{one['old']} → {one['new']}")}).text = _printable(told)
        else:
            ET.SubElement(case, "system-out").text = _printable(told)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _printable(value: str) -> str:
    return "".join(char if char in "\n\t" or char.isprintable() else "�" for char in value)


def _sarif(result: Mapping[str, Any]) -> str:
    kinds = sorted({one["kind"] for one in result["differences"]})
    rules = [{"id": kind, "shortDescription": {"text": _SIGNS.get(kind, kind)}} for kind in kinds]
    results = [
        {
            "ruleId": one["kind"],
            "level": "error" if one["breaking"] else "note",
            "message": {"text": f"{one['operation']}: {one['location']}: {one['old']} → {one['new']} ({one['seen']})"},
            "partialFingerprints": {"difference/v1": one["id"]},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "specs/pipelines.openapi.yaml"},
                        "region": {"startLine": 1},
                    }
                }
            ],
        }
        for one in result["differences"]
    ]
    driver = {"name": "conformance compare", "rules": rules}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


def _html(result: Mapping[str, Any]) -> str:
    environment = Environment(loader=PackageLoader("conformance.compare", "page"), autoescape=True)
    template = environment.get_template("comparison.html")
    return template.render(
        result=result, groups=operations_of(result["differences"]), signs=_SIGNS, closing=_closing(result)
    )


_FORMS = {"json": _json, "junit": _junit, "html": _html, "markdown": _markdown, "sarif": _sarif}
