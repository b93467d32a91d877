"""`conformance faults`: the deliberate defects of the emulated instance."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from conformance.emulator.faults import Fault


_WIDTH = 240


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--measure", is_flag=True, help="Run the suite against each and print how many it finds, as Markdown.")
@click.option("--only", multiple=True, metavar="ID", help="Measure this fault; repeatable.")
@click.option("--budget", type=click.Choice(["quick", "standard", "thorough"]), default="standard", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def faults(as_json: bool, measure: bool, only: tuple[str, ...], budget: str, seed: int) -> int:
    """List the faults that `conformance emulate --fault ID` can have, and what each breaks."""
    from conformance.emulator.faults import FAULTS, find

    if measure:
        from conformance.cli import measurement

        chosen = tuple(find(name) for name in only) or FAULTS
        measured = []
        for one in measurement.measure(chosen, budget, seed):
            measured.append(one)
            click.echo(f"{'found ' if one.found else 'MISSED'} {one.fault.id} ({one.seconds:.0f} s)", err=True)
        click.echo(measurement.markdown(measured), nl=False)
        return 0 if all(one.found for one in measured) else 1

    if as_json:
        rows = [
            {"id": fault.id, "breaks": list(fault.breaks), "class": fault.kind, "sentence": fault.sentence}
            for fault in FAULTS
        ]
        click.echo(json.dumps(rows, indent=2))
        return 0
    _print(FAULTS)
    return 0


def _print(listed: tuple[Fault, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column, whole in (("fault", True), ("class", True), ("breaks", True), ("what is wrong", False)):
        table.add_column(column, no_wrap=whole)
    for fault in listed:
        table.add_row(fault.id, fault.kind, "\n".join(fault.breaks), fault.sentence)
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
