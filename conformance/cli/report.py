"""`conformance report`: makes a run's reports again from its result, without running."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.reporting.files import parse_reports, write_reports
from conformance.reporting.terminal import show
from conformance.run.baseline import compare, read_result, require_comparable


@click.command()
@click.argument("result_file", metavar="RESULT.json", type=click.Path(path_type=Path))
@click.option(
    "--report", "reports", multiple=True, metavar="KIND=FILE", help="json, junit, html, markdown or sarif; repeatable."
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="RESULT.json",
    help="An earlier result to compare with.",
)
def report(result_file: Path, reports: tuple[str, ...], baseline: Path | None) -> int:
    """Print a result again, or write its reports.

    Exits 0 once that is done, whatever the verdict.
    """
    files = parse_reports(reports)
    result = read_result(result_file)
    if baseline is not None:
        earlier = read_result(baseline)
        require_comparable(earlier, result["profile"])
        result = {**result, "baseline": compare(earlier, result).as_json()}
    write_reports(result, files)
    show(result, sys.stdout)
    return 0
