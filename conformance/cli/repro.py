"""`conformance repro`: a finding of an earlier result as files that show it again."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli import options as shared
from conformance.errors import UsageError
from conformance.reporting.reproduction import findings_of, write
from conformance.run.baseline import read_result


@click.command()
@click.argument("result_file", type=click.Path(path_type=Path), metavar="RESULT.json")
@click.argument("requirement", metavar="ID", shell_complete=shared.complete_requirements)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("repro"), show_default=True, metavar="DIR",
    help="The folder to write to.",
)  # fmt: skip
def repro(result_file: Path, requirement: str, output: Path) -> int:
    """Write the findings on a requirement as a script and a test, which show them again on any instance.

    ID is a requirement's id, or a finding's fingerprint. Each makes what it needs, exits 1 while the finding stands and
    0 once it is mended, and undeploys what it deployed.
    """
    findings = findings_of(read_result(result_file), requirement)
    written = write(output, findings)
    if not written:
        raise UsageError(
            f"{requirement} cannot be repeated by a script: its requests carry invalid tokens. "
            f"Use `conformance run --only {requirement}`."
        )
    for path in written:
        click.echo(path)
    return 0
