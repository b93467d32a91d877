"""Several results side by side: releases and instances against groups of requirements, and a badge for each verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from conformance.reporting.escaping import cell
from conformance.reporting.webpage import render

Result = Mapping[str, Any]

_WORDS = {"conformant": "conformant", "not-conformant": "not conformant", "none": "no verdict"}
_COLOURS = {"conformant": "#1b6e3c", "not-conformant": "#b3261e", "none": "#6b5b00"}
_DIGESTS = ("catalogue", "suite")


@dataclass(frozen=True)
class Cell:
    """One group of requirements in one result: how many were held, broken and untested, and whether one gates."""

    held: int = 0
    broken: int = 0
    untested: int = 0
    gates: bool = False

    @property
    def sign(self) -> str:
        """What stands in the table: the same words with and without colour."""
        if not self.held + self.broken + self.untested:
            return "–"
        if self.broken:
            return f"{'✗' if self.gates else '!'} {self.broken} broken, {self.held} held"
        return f"✓ {self.held} held" if self.held else f"? {self.untested} untested"


@dataclass(frozen=True)
class Matrix:
    """Columns are results, named; rows are groups of requirements (their operation), each with a cell a column."""

    columns: tuple[str, ...]
    verdicts: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()


def matrix_of(results: Sequence[Result]) -> Matrix:
    """The matrix of results, in the order given."""
    counted = [_cells(result) for result in results]
    groups = list(dict.fromkeys(group for cells in counted for group in cells))
    names = [f"{result['profile']} · {result['target']['url'] or result['target']['kind']}" for result in results]
    return Matrix(
        tuple(names),
        tuple(result["verdict"] for result in results),
        tuple((group, tuple(cells.get(group, Cell()) for cells in counted)) for group in sorted(groups)),
        tuple(_notes(results)),
    )


def _cells(result: Result) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for row in result["requirements"]:
        group = ".".join(row["id"].split(".")[:2]) if row["id"].count(".") > 1 else row["id"].split(".")[0]
        cell_ = found.get(group, Cell())
        outcome, held = row["outcome"], row["outcome"] == "held"
        found[group] = Cell(
            cell_.held + held,
            cell_.broken + (outcome == "broken"),
            cell_.untested + (outcome == "untested"),
            cell_.gates or (outcome == "broken" and bool(row["gates"])),
        )
    return found


def _notes(results: Sequence[Result]) -> list[str]:
    """What a reader must know before comparing columns: results that were judged differently."""
    notes = []
    known = [result["digests"] for result in results if isinstance(result.get("digests"), Mapping)]
    if len({digests.get("suite") for digests in known}) > 1:
        notes.append("These results were made by different versions of the suite.")
    if any(result.get("scope", "everything") != "everything" for result in results):
        notes.append("Some results are of a narrowed scope: what was not asked counts as untested.")
    return notes


def markdown(matrix: Matrix) -> str:
    """The matrix as a Markdown table."""
    lines = [
        "| requirements | " + " | ".join(cell(name) for name in matrix.columns) + " |",
        "|---|" + "---|" * len(matrix.columns),
        "| **verdict** | " + " | ".join(f"**{_WORDS[verdict]}**" for verdict in matrix.verdicts) + " |",
    ]
    lines += [f"| `{group}` | {' | '.join(one.sign for one in cells)} |" for group, cells in matrix.rows]
    return "\n".join([*lines, *(f"\n{note}" for note in matrix.notes)]) + "\n"


def page(matrix: Matrix) -> str:
    """The matrix as one self-contained HTML page."""
    worst = next((word for word in ("not-conformant", "none") if word in matrix.verdicts), "conformant")
    conformant = matrix.verdicts.count("conformant")
    context = {
        "title": "Conformance matrix",
        "eyebrow": "Conformance matrix",
        "verdict": worst,
        "verdict_words": f"{conformant} of {len(matrix.columns)} conformant",
        "notes": matrix.notes,
        "matrix": matrix,
        "words": _WORDS,
    }
    return render("matrix.html", context)


def badge(result: Result) -> str:
    """An SVG badge of one result: the release and the verdict, readable without colour."""
    label, word = f"conformance {result['profile']}", _WORDS[result["verdict"]]
    left, right = 7 * len(label) + 12, 7 * len(word) + 12
    title = escape(f"{label}: {word}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_COLOURS[result["verdict"]]}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{escape(label)}</text><text x="{left + right / 2}" y="14">{escape(word)}</text>'
        "</g></svg>\n"
    )
