"""`conformance matrix`: several results side by side."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.errors import UsageError
from conformance.reporting.files import write_whole
from conformance.reporting.matrix import badge, markdown, matrix_of, page
from conformance.run.baseline import read_result


@click.command()
@click.argument("results", nargs=-1, type=click.Path(path_type=Path), required=True)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write it as an HTML page.")
@click.option(
    "--badge", "badge_file", type=click.Path(path_type=Path), metavar="FILE.svg", help="A badge of one result."
)
def matrix(results: tuple[Path, ...], html: Path | None, badge_file: Path | None) -> int:
    """Print a table of RESULT.json files: releases and instances against groups of requirements.

    The results are shown as they are, whatever their verdicts; the exit code is 0.
    """
    read = [read_result(path) for path in results]
    if badge_file is not None and len(read) != 1:
        raise UsageError("A badge is of one result; give --badge with one RESULT.json.")
    found = matrix_of(read)
    if html is not None:
        write_whole(html, page(found), "The page")
    if badge_file is not None:
        write_whole(badge_file, badge(read[0]), "The badge")
    click.echo(markdown(found), nl=False)
    return 0
