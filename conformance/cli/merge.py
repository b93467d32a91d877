"""`conformance merge`: the verdict of a whole run out of the results of its shards."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import click

from conformance.cli.requirements import remember
from conformance.cli.run import gate_of
from conformance.errors import NoVerdictError
from conformance.reporting.files import parse_reports, write_reports
from conformance.reporting.markdown import append_step_summary
from conformance.reporting.terminal import show
from conformance.run.baseline import read_result
from conformance.run.run import concluded
from conformance.run.shards import joined, wall_seconds


@click.command()
@click.argument("result_files", metavar="RESULT.json...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="json, junit, html, markdown or sarif.")
@click.option("--waivers", "waivers_file", default="", metavar="FILE", help="Broken requirements that are excused.")
@click.option(
    "--baseline", "baseline_file", default="", metavar="RESULT.json", help="An earlier result to compare with."
)
@click.option("--fail-on", type=click.Choice(["any", "new"]), default="any", show_default=True, help="What gates.")
@click.option("-v", "--verbose", is_flag=True, help="Also say what cannot be tested and why.")
def merge(
    result_files: tuple[Path, ...], reports: tuple[str, ...], waivers_file: str, baseline_file: str, fail_on: str,
    verbose: bool,
) -> int:  # fmt: skip
    """Print the verdict of a run out of the results of its shards.

    It exits as the whole run would have. Each file is what `conformance run --shard I/N --report json=FILE` wrote;
    where a shard is missing, there twice, or of another run, it exits 3.
    """
    files = parse_reports(reports)
    for path in result_files:
        if result_files.count(path) > 1:
            raise NoVerdictError(f"{path} is named twice: give each shard once.")
    results = {str(path): read_result(path) for path in result_files}
    runner = joined(results)
    today = datetime.datetime.now(datetime.UTC).date()
    gate = gate_of(runner.settings.profile, waivers_file, baseline_file, fail_on, today)
    result = concluded(runner, gate, today) | {"seconds": wall_seconds(results)}
    append_step_summary(result)
    remember(result)
    show(result, sys.stdout, verbose=verbose)
    write_reports(result, files)
    return int(result["exit_code"])
