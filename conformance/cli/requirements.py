"""`conformance requirements`: the catalogue, and how often the last run saw each row."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from conformance.cli.options import profile_option
from conformance.model import Requirement
from conformance.run.baseline import read_result
from conformance.targets.safety.journal import default_folder

LAST_RESULT = "last-result.json"
"""The file of the user's state folder that keeps what the last run concluded."""


@click.command()
@profile_option("The release whose requirements to list.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--result", "result_file", default="", metavar="FILE", help="Take the evidence from this result.")
def requirements(profile: str, form: str, result_file: str) -> int:
    """List every requirement, with the last run's evidence.

    Each with its level and basis, whether it gates, and how often the last run (or --result) saw it.
    """
    from conformance.spec.requirements import load

    seen = evidence(result_file)
    rows = [_row(row, seen.get(row.id, {})) for row in load(profile)]
    if form == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print(rows)
    return 0


def remember(result: Mapping[str, Any]) -> None:
    """Keep a result as the last one; where the state folder cannot be written, nothing is kept and nothing said."""
    try:
        folder = default_folder()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LAST_RESULT).write_text(json.dumps(result), encoding="utf-8")
    except OSError:
        return


def evidence(result_file: str = "") -> dict[str, dict[str, Any]]:
    """By requirement: outcome, count of evidence, and the reading seen where the row has several.

    Empty where no run was remembered. Raises UsageError where a file that was named is no result.
    """
    path = Path(result_file) if result_file else default_folder() / LAST_RESULT
    if not result_file and not path.is_file():
        return {}
    result = read_result(path)
    readings = result.get("readings", {})
    return {
        row["id"]: {"outcome": row["outcome"], "evidence": row["evidence"], "reading": readings.get(row["id"], "")}
        for row in result["requirements"]
    }


def _row(row: Requirement, seen: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "level": str(row.level),
        "basis": str(row.basis),
        "gates": row.gates,
        "text": row.text,
        "source": row.source,
        "check": row.check,
        "outcome": seen.get("outcome", ""),
        "evidence": seen.get("evidence"),
        "reading": seen.get("reading", ""),
    }


_WIDTH = 200


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name, justify in (("requirement", "left"), ("level", "left"), ("basis", "left"), ("gates", "left")):
        table.add_column(name, justify="left" if justify == "left" else "right", no_wrap=True)
    table.add_column("evidence", justify="right")
    table.add_column("last run")
    for row in rows:
        count = "" if row["evidence"] is None else str(row["evidence"])
        last = f"{row['outcome']} ({row['reading']})" if row["reading"] else row["outcome"]
        table.add_row(row["id"], row["level"], row["basis"], "gates" if row["gates"] else "", count, last)
    wide = not sys.stdout.isatty()
    console = Console(file=sys.stdout, width=_WIDTH if wide else None, highlight=False, markup=False)
    console.print(table)
    console.print(f"{len(rows)} requirements, {sum(row['gates'] for row in rows)} of which gate.")
