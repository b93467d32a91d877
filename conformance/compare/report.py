"""The result of a comparison in the forms that people and machines read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from conformance.compare.result import operations_of
from conformance.reporting import sarif_log, webpage
from conformance.reporting.escaping import cell, code, fenced, plain
from conformance.reporting.files import write_whole

_LONGEST = 40
_PAGE = Path(str(files("conformance.compare") / "page"))
_WORDS = {"same": "Same", "breaking": "Breaking", "non-breaking": "Nothing breaks", "none": "No verdict"}
_COLOURS = {"same": "conformant", "breaking": "not-conformant", "non-breaking": "none", "none": "none"}

_SIGNS = {
    "no-answer": "no answer", "status": "another status", "gone": "gone", "new": "new", "type": "another type",
    "null": "null", "format": "another format", "enum": "a value never seen", "value": "another value",
    "range": "out of range", "unit": "another unit", "order": "another order", "length": "another length",
    "precision": "another precision",
    "null-share": "another share of null",
}  # fmt: skip


def write_reports(result: Mapping[str, Any], reports: Mapping[str, Path]) -> None:
    """Write each report whole. Raises UsageError where a file cannot be written."""
    for kind, path in reports.items():
        write_whole(path, _FORMS[kind](result), f"The {kind} report")


def text(result: Mapping[str, Any], *, verbose: bool = False) -> str:
    """For the terminal: differences by operation, the verdict last."""
    lines: list[str] = []
    for reason in _left_out(result) if verbose or result["verdict"] == "none" else ():
        lines.append(f"Not asked: {reason}")
    for entry in result["stale"]:
        lines.append(f"Stale: {entry['difference']} ({entry['why']}; owner {entry['owner']})")
    roots = [one for one in result["differences"] if verbose or not one["follows"]]
    if len(roots) > _LONGEST:
        lines.append(f"({len(roots) - _LONGEST} more differences: --report json=FILE has them all)")
    following = Counter(one["follows"] for one in result["differences"])
    for heading, differences in _headed(list(reversed(roots[:_LONGEST]))).items():
        lines += ["", heading]
        for one in differences:
            mark = "✗" if one["breaking"] else "!"
            lines.append(f"  {mark} {one['location']}: {_SIGNS[one['kind']]}, seen {one['seen']}")
            lines += [f"      old  {_short(one['old'])}", f"      new  {_short(one['new'])}"]
            for row in one["requirements"][:2]:
                lines.append(f"      {row['id']}: the {row['kept_by']} side keeps it")
            if following[one["id"]]:
                lines.append(f"      {_more(following[one['id']])} may follow from it (-v shows them)")
    slower = [row for row in result["latency"] if row["p"] < 0.001 and row["new_ms"] > 2 * row["old_ms"]]
    for row in slower if verbose else ():
        lines.append(f"Slower, for information: {row['operation']} {row['old_ms']} ms → {row['new_ms']} ms (median)")
    skipped = sum(row["requests"] for row in result["left_out"])
    if skipped and not verbose:
        lines += ["", f"{_requests(skipped)} could not be asked of one side (-v says why)."]
    lines += ["", result["reason"], _closing(result)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _headed(differences: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The differences below their operation; one that several operations show alike once, below all of these."""
    alike: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for one in differences:
        where = one["location"] if one["kind"] == "status" else one["location"].partition("response.")[2][3:]
        alike.setdefault((where, one["kind"], one["new"]), []).append(one)
    shared = [group for group in alike.values() if len({one["operation"] for one in group}) > 2]
    told = {id(one) for group in shared for one in group}
    headed = dict(operations_of([one for one in differences if id(one) not in told]))
    for group in shared:
        names = list(dict.fromkeys(one["operation"] for one in group))
        headed[f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"] = [group[-1]]
    return headed


def _more(number: int) -> str:
    return f"{number} more difference{'' if number == 1 else 's'}"


def _requests(number: int) -> str:
    return f"{number} request{'' if number == 1 else 's'}"


def _closing(result: Mapping[str, Any]) -> str:
    word = {"same": "SAME", "breaking": "BREAKING", "non-breaking": "NON-BREAKING", "none": "NO VERDICT"}
    count = sum(not one["follows"] for one in result["differences"])
    return (
        f"{word[result['verdict']]}  {count} difference{'' if count == 1 else 's'} in {result['asked']} requests · "
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
    told = [(one, None) for one in result["differences"]] + [(one, one["reason"]) for one in result["accepted"]]
    breaking = {one["kind"] for one, _ in told if one["breaking"]}
    rules = [
        sarif_log.Rule(kind, _SIGNS[kind], "error" if kind in breaking else "note")
        for kind in dict.fromkeys(one["kind"] for one, _ in told)
    ]
    results = [
        sarif_log.Result(
            rule=one["kind"],
            level="error" if one["breaking"] else "note",
            text=f"{one['operation']}, {one['location']}: {one['old']} became {one['new']}; seen {one['seen']}",
            fingerprint=("conformanceCompare/v1", one["id"]),
            named=f"{one['operation']} {one['location']}",
            file="specs/pipelines.openapi.yaml",
            excuse=excuse,
        )
        for one, excuse in told
    ]
    return sarif_log.render("conformance compare", rules, results, run={"properties": {"verdict": result["verdict"]}})


def _curls(one: Mapping[str, Any]) -> str:
    return f"# The old side\n{one['old_curl']}\n\n# The new side\n{one['curl']}" if one["old_curl"] else one["curl"]


def _html(result: Mapping[str, Any]) -> str:
    differences = result["differences"]
    groups = {
        "breaking": [one for one in differences if one["breaking"]],
        "told": [one for one in differences if not one["breaking"]],
    }
    known = (("breaking", "What breaks", groups["breaking"]), ("told", "What breaks nobody", groups["told"]))
    more = (
        ("accepted", "Accepted", result["accepted"] or result["stale"]),
        ("left-out", "Not asked", result["left_out"]),
        ("latency", "Latency", result["latency"]),
    )
    context = {
        "title": f"Comparison: {_WORDS[result['verdict']]}",
        "eyebrow": f"Comparison of two instances, by the operations of {result['profile']}",
        "verdict": _COLOURS[result["verdict"]],
        "verdict_words": _WORDS[result["verdict"]],
        "reason": result["reason"],
        "facts": [
            ("Old", result["old"]),
            ("New", result["new"]),
            ("Answered by both", f"{result['asked']:,} requests"),
            ("Budget and seed", f"{result['budget']}, {result['seed']}"),
            ("A planted difference", f"was {result['canary']}"),
        ],
        "sections": [(name, label) for name, label, shown in (*known, *more) if shown],
        "groups": {name: [row | {"curls": _curls(row)} for row in rows] for name, rows in groups.items()},
        "operations": sorted({one["operation"] for one in differences}),
        "signs": _SIGNS,
        "result": result,
    }
    return webpage.render("comparison.html", context, script=bool(differences), folder=_PAGE) + "\n"


_FORMS = {"json": _json, "junit": _junit, "html": _html, "markdown": _markdown, "sarif": _sarif}
