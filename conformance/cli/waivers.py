"""`conformance waivers`: checks waiver files before they are committed, and proposes entries for what is broken."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

import click

from conformance.model import Requirement
from conformance.reporting.files import write_whole
from conformance.run.baseline import read_result
from conformance.run.waivers import LONGEST_DAYS, expired, propose, read_waivers
from conformance.spec.document import profiles
from conformance.spec.requirements import load


@click.group()
def waivers() -> None:
    """Check waiver files, or propose entries for what a run found broken."""


@waivers.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> int:
    """Check that each FILE can be used today.

    Exits 0 if so, 1 if a waiver expired, 2 if a file is wrong.
    """
    today = datetime.datetime.now(datetime.UTC).date()  # as a run reckons a waiver's last day
    rows = list(_all_rows())
    read = {file: read_waivers(file, rows, today) for file in files}
    late = [(file, waiver) for file, entries in read.items() for waiver in expired(entries, today)]
    for file, waiver in late:
        click.echo(f"{file}: the waiver for {waiver.requirement} expired; its last day was {waiver.last_day}.")
    if late:
        return 1
    count = sum(map(len, read.values()))
    click.echo(f"{count} {'waiver' if count == 1 else 'waivers'}, all in order.")
    return 0


@waivers.command(name="propose")
@click.argument("result_file", metavar="RESULT.json", type=click.Path(path_type=Path))
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_DAYS),
    default=30,
    show_default=True,
    help="Days until the waivers' last day.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write here, not to standard output.")
def propose_command(result_file: Path, days: int, output: Path | None) -> int:
    """Propose a waiver for each broken finding of RESULT.json.

    A person then writes reason and owner.
    """
    text = propose(read_result(result_file), datetime.datetime.now(datetime.UTC).date(), days)
    if output is None:
        click.echo(text, nl=False)
    elif output.exists():
        raise click.UsageError(f"{output} exists already. Name a new file, and copy the entries you want to keep.")
    else:
        write_whole(output, text, "The proposal")
    return 0


def _all_rows() -> Iterable[Requirement]:
    """The rows of every profile: a waiver may be meant for one that today's run is not about."""
    return {row.id: row for profile in profiles() for row in load(profile)}.values()
