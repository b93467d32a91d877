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
def faults(as_json: bool) -> int:
    """List the faults that `conformance emulate --fault ID` can have, and what each breaks."""
    from conformance.emulator.faults import FAULTS

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
