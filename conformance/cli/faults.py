"""`conformance faults`: the deliberate defects of the emulated instance."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli import options as shared
from conformance.errors import UsageError
from conformance.run.settings import BUDGETS

if TYPE_CHECKING:
    from conformance.cli.measurement import Subject
    from conformance.emulator.faults import Fault


_WIDTH = 240


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--measure", is_flag=True, help="Run the suites against each and print how many they find, as Markdown.")
@click.option(
    "--only", multiple=True, metavar="ID", help="Measure this fault; repeatable.", shell_complete=shared.complete_faults
)
@click.option(
    "--proxy", type=click.Path(path_type=Path), metavar="DIR",
    help="Measure the faults in this folder, one Python file each: a proxy applies them to an instance without faults.",
)  # fmt: skip
@click.option(
    "--budget", type=click.Choice(BUDGETS), default="standard", show_default=True,
    help="The largest budget: smaller ones are tried first, and larger ones on the faults they miss.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    help="Parallel runs.  [default: the number of cores]",
)
def faults(
    as_json: bool, measure: bool, only: tuple[str, ...], proxy: Path | None, budget: str, seed: int, workers: int
) -> int:
    """List the defects that an emulated instance can have.

    Each with its class, the requirements it breaks and what is wrong; `conformance emulate --fault ID` plants one.
    """
    from conformance.emulator.faults import FAULTS, FOUND_BY_SUITES, find

    if proxy is not None and not measure:
        raise UsageError("--proxy needs --measure.")
    if measure:
        from conformance.cli import measurement

        chosen = _chosen(proxy, only) if proxy else measurement.subjects_of(tuple(map(find, only)) or FOUND_BY_SUITES)
        measured = []
        for one in measurement.measure(chosen, budget, seed, workers):
            measured.append(one)
            first = "" if one.first is None else f" after {one.first:.1f} s"
            click.echo(f"{f'found in {one.found}' if one.found else 'MISSED'}: {one.fault.id}{first}", err=True)
        order = {fault.id: place for place, fault in enumerate(chosen)}
        measured.sort(key=lambda one: order[one.fault.id])
        click.echo(measurement.markdown(measured, budget), nl=False)
        return 0 if all(one.found and not one.blinds for one in measured) else 1

    if as_json:
        rows = [
            {"id": fault.id, "breaks": list(fault.breaks), "class": fault.kind, "sentence": fault.sentence}
            for fault in FAULTS
        ]
        click.echo(json.dumps(rows, indent=2))
        return 0
    _print(FAULTS)
    return 0


def _chosen(folder: Path, only: tuple[str, ...]) -> tuple[Subject, ...]:
    """The faults of a proxy's folder, or those of these names."""
    from conformance.cli.measurement import subjects_in

    found = subjects_in(folder)
    names = {one.id for one in found}
    for name in only:
        if name not in names:
            raise UsageError(f"There is no fault {name!r} in {folder}. It holds {', '.join(sorted(names))}.")
    return tuple(one for one in found if not only or one.id in only)


def _print(listed: tuple[Fault, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column, whole in (("fault", True), ("class", True), ("breaks", True), ("what is wrong", False)):
        table.add_column(column, no_wrap=whole)
    for fault in listed:
        table.add_row(fault.id, fault.kind, "\n".join(fault.breaks), fault.sentence)
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
