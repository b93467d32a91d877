"""`conformance validate`: whether OpenAPI descriptions are valid, before they are committed."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.spec.document import flaws


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> int:
    """Check that OpenAPI files are valid.

    Each FILE is YAML or JSON, OpenAPI 3.0 or 3.1. Exits 0 if nothing is wrong, 1 if something is.
    """
    count = 0
    for file in files:
        for flaw in flaws(file):
            count += 1
            click.echo(f"{file}: at {flaw.where}: {flaw.message}")
    if count:
        return 1
    click.echo(f"{len(files)} {'description' if len(files) == 1 else 'descriptions'}, all valid.")
    return 0
