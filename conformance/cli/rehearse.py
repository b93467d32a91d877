"""`conformance rehearse`: a user's notebooks, scripts and Markdown code, run against a release before an upgrade."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from conformance.cli.options import complete_releases
from conformance.errors import UsageError, require
from conformance.rehearse.report import FORMS, text
from conformance.reporting.files import parse_reports, write_whole
from conformance.run.runner import terminations_interrupt
from conformance.targets.address import host_of


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@click.option(
    "--release",
    required=True,
    metavar="RELEASE",
    help="The release to rehearse on.",
    shell_complete=complete_releases,
)
@click.option(
    "--from",
    "before",
    default="",
    metavar="RELEASE",
    help="The release that the files work on.",
    shell_complete=complete_releases,
)
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST",
    help="A host of yours that the files name; without one, every host asked for a path of the API leads here.",
)  # fmt: skip
@click.option("--python", default=sys.executable, metavar="EXE", show_default="this one", help="Your Python.")
@click.option(
    "--timeout", "seconds", type=click.FloatRange(1), default=300.0, show_default=True, metavar="S",
    help="Longest a cell may take.",
)  # fmt: skip
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="json, html or markdown.")
def rehearse(
    paths: tuple[Path, ...], release: str, before: str, hosts: tuple[str, ...], python: str, seconds: float,
    reports: tuple[str, ...],
) -> int:  # fmt: skip
    """Run your files unchanged against an emulated instance of a release.

    Notebooks, scripts and the code of Markdown pages run in a copy of their folder, in your own Python; nothing leaves
    the machine. With --from they run on that release first, so that what breaks is told apart from what never worked,
    and is tied to the change that explains it. Exit 0: all of it ran, and nothing breaks. Exit 1: a cell fails or
    differs. Exit 3: something was not run, or nothing was there to run.
    """
    require("A rehearsal", "rehearse")
    from conformance.rehearse.rehearsal import Rehearsal, rehearse  # needs the extra

    files = parse_reports(reports, tuple(FORMS))
    asked = Rehearsal(release, paths, before, tuple(map(host_of, hosts)), _whole(python), seconds)
    with terminations_interrupt():
        result = rehearse(asked, lambda sentence: click.echo(sentence, err=True))
    for kind, path in files.items():
        write_whole(path, FORMS[kind](result), f"The {kind} report")
    click.echo(text(result), nl=False)
    return int(result["exit_code"])


def _whole(python: str) -> str:
    """An interpreter by its whole path: files run in other folders than this one."""
    found = shutil.which(python)
    if found is None:
        raise UsageError(f"--python {python} is no program that can be run. Name your interpreter.")
    return os.path.abspath(found)  # noqa: PTH100 - a link is kept: an environment's interpreter is one
