"""`conformance record`: run the lifecycle and keep its exchanges, redacted."""

from __future__ import annotations

import sys
from typing import Any

import click

from conformance.cli.run import drawn, judged
from conformance.cli.safety import safety_options
from conformance.cli.transport import transport_options
from conformance.errors import NoVerdictError
from conformance.reporting.terminal import closing_line, console_for
from conformance.run.run import Runner
from conformance.run.settings import Settings, checked


@click.command()
@click.option("--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL|emulated", help="What to record.")
@click.option("--output", required=True, metavar="DIR|FILE.har", help="A new or empty folder of recordings, or a HAR.")
@click.option("--profile", default="2023.4", show_default=True, help="The release it is of.")
@click.option(
    "--suite", "suites", multiple=True, default=("lifecycle",), metavar="NAME",
    help="The suite to run; repeatable. [default: lifecycle]",
)  # fmt: skip
@click.option("--model", default="", metavar="FILE.onnx", help="The model to upload in place of our own.")
@click.option("--workspace-id", type=int, default=None, help="An existing workspace to work in.")
@click.option("--timeout", "wait", type=float, default=300.0, show_default=True, help="Longest wait, in seconds.")
@click.option(
    "--largest", type=click.IntRange(0), default=0, metavar="BYTES", help="Leave out exchanges with a larger body."
)
@transport_options
@safety_options
def record(output: str, largest: int, **options: Any) -> int:
    """Run the lifecycle against a target and keep the exchanges, redacted.

    Exits 0 once they are written, whatever the verdict, which is printed; 3 where nothing could be recorded.
    """
    settings = Settings(record=output, record_largest=largest, **options)
    runner = Runner(checked(settings))
    with drawn(runner) as progress:
        try:
            runner.prepare()
            result = judged(runner, (), progress)
        finally:
            runner.close()
    console_for(sys.stdout).print(closing_line(result), soft_wrap=True)
    if not runner.recorded:
        raise NoVerdictError(f"Nothing was recorded: {result['reason']}")
    click.echo(f"Kept {runner.recorded} exchanges, redacted, in {output}.")
    return 0
