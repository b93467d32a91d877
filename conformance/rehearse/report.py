"""The result of a rehearsal for the terminal, as JSON, Markdown and one HTML page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from conformance.reporting import webpage
from conformance.reporting.escaping import cell, code, plain

_FOLDER = Path(str(files("conformance.rehearse") / "page"))
_WORDS = {"works": "WORKS", "breaks": "BREAKS", "none": "NOTHING RUN"}
_MARKS = {"same": "✓", "differs": "≠", "fails": "✗", "not-run": "·"}
_COLOURS = {"works": "conformant", "breaks": "not-conformant", "none": "none"}
_OUTCOMES = {"same": "held", "differs": "warnings", "fails": "broken", "not-run": "untested"}
"""The classes of the shared page."""


def text(result: Mapping[str, Any]) -> str:
    """For the terminal: each file with the cells that are not the same, the verdict last."""
    lines: list[str] = []
    for file in result["files"]:
        lines += [f"{file['path']}: {file['reason']}"]
        for one in told(file):
            lines.append(f"  {_MARKS[one['outcome']]} {_place(one)} {_word(one)}: {one['why']}")
            lines += [f"      {line}" for line in _explained(one)]
        lines.append("")
    return "\n".join([*lines, f"{_WORDS[result['verdict']]}  {result['reason']} {_releases(result)}", ""])


def told(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The cells of a file that something is said of."""
    return [one for one in file["cells"] if one["outcome"] != "same"]


def _word(one: Mapping[str, Any]) -> str:
    return str(one["outcome"]).replace("-", " ")


def _place(one: Mapping[str, Any]) -> str:
    return f"cell {one['index']} (line {one['line']})"


def _explained(one: Mapping[str, Any]) -> Iterator[str]:
    for change in one["changes"]:
        begin = "would meet" if one["outcome"] == "not-run" else "changed"
        yield f"{begin}: {change['message']}"
        if change["now"]:
            yield f"instead: {change['now']}"
    if one["lifted"]:
        yield "The cells after it went on as if this had been mended."


def _releases(result: Mapping[str, Any]) -> str:
    before = f", from {result['from']}" if result["from"] != result["release"] else ""
    return f"On release {result['release']}{before}."


def _json(result: Mapping[str, Any]) -> str:
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


def _markdown(result: Mapping[str, Any]) -> str:
    lines = [f"## {_WORDS[result['verdict']].capitalize()}", "", plain(f"{result['reason']} {_releases(result)}")]
    for file in result["files"]:
        lines += ["", f"### {code(file['path'])}", "", plain(file["reason"])]
        rows = told(file)
        if rows:
            lines += ["", "| cell | outcome | why | what changed | instead |", "|---|---|---|---|---|"]
        for one in rows:
            changes = ["\n".join(change[name] for change in one["changes"]) for name in ("message", "now")]
            columns = [_place(one), _word(one), one["why"], *changes]
            lines.append(f"| {' | '.join(map(cell, columns))} |")
    return "\n".join(lines) + "\n"


def _html(result: Mapping[str, Any]) -> str:
    context = {
        "title": f"Rehearsal: {_WORDS[result['verdict']].lower()}",
        "eyebrow": "Rehearsal",
        "verdict": _COLOURS[result["verdict"]],
        "verdict_words": _WORDS[result["verdict"]].capitalize(),
        "reason": result["reason"],
        "facts": [("Release", result["release"]), ("From", result["from"])],
        "sections": [(f"file-{number}", file["path"]) for number, file in enumerate(result["files"], 1)],
        "files": result["files"],
        "outcomes": _OUTCOMES,
        "marks": _MARKS,
        "told": told,
        "explained": lambda one: list(_explained(one)),
        "word": _word,
        "place": _place,
    }
    return webpage.render("rehearsal.html", context, folder=_FOLDER) + "\n"


FORMS = {"json": _json, "html": _html, "markdown": _markdown}
"""The kinds of report, each a function of the result."""
