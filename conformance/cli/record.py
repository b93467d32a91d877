"""`conformance record`: run the lifecycle and keep its exchanges, redacted."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from conformance.cli import options as shared
from conformance.cli.options import profile_option, safety_options, transport_options
from conformance.cli.run import run_suites
from conformance.errors import NoVerdictError
from conformance.reporting.terminal import closing_line, console_for
from conformance.run.runner import Runner
from conformance.run.settings import BUDGETS, Settings, checked


@click.command()
@click.option("--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL|emulated", help="What to record.")
@click.option("--output", required=True, metavar="DIR|FILE.har", help="A new or empty folder of recordings, or a HAR.")
@profile_option("The release it is of.")
@click.option(
    "--suite", "suites", multiple=True, default=("lifecycle",), metavar="NAME",
    help="The suite to run; repeatable. [default: lifecycle]", shell_complete=shared.complete_suites
)  # fmt: skip
@click.option("--everything", is_flag=True, help="Run every suite.")
@click.option(
    "--whole", is_flag=True,
    help="Send every suite's requests twice, and keep both answers, as the old side of a later `compare`.",
)  # fmt: skip
@click.option(
    "--budget",
    type=click.Choice(BUDGETS),
    default="quick",
    show_default=True,
    help="How many requests each suite sends.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The seed of the generated requests.")
@click.option("--model", default="", metavar="FILE.onnx", help="The model to upload instead of our own.")
@click.option("--workspace-id", type=int, default=None, help="An existing workspace to work in.")
@click.option("--timeout", "wait", type=float, default=300.0, show_default=True, help="Longest wait, in seconds.")
@click.option(
    "--largest", type=click.IntRange(0), default=0, metavar="BYTES", help="Leave out exchanges with a larger body."
)
@transport_options
@safety_options
def record(output: str, largest: int, everything: bool, whole: bool, **options: Any) -> int:
    """Run the lifecycle and keep its exchanges, redacted.

    Exits 0 once they are written, whatever the verdict, which is printed; 3 where nothing could be recorded.
    """
    if everything or whole:
        options["suites"] = ()
    settings = Settings(record=output, record_largest=largest, **options)
    if whole:
        return _whole(checked(settings), Path(output))
    runner = Runner(checked(settings))
    result = run_suites(runner)
    console_for(sys.stdout).print(closing_line(result), soft_wrap=True)
    if not runner.recorded:
        raise NoVerdictError(f"Nothing was recorded: {result['reason']}")
    click.echo(f"Kept {runner.recorded} exchanges, redacted, in {output}.")
    return 0


def _whole(settings: Settings, output: Path) -> int:
    """Play the plan of the seed twice at the target, as one side of a comparison, and keep both passes."""
    from conformance.compare.kept import drawn, write
    from conformance.compare.opening import opened

    plan = drawn(settings.profile, settings.budget, settings.seed)
    with opened("old", settings.target, replace(settings, record=""), os.environ) as side:
        side.require_answer()
        passes = [side.play(plan) for _ in range(2)]
    kept = write(output, plan, passes, settings.profile)
    click.echo(f"Kept {kept} exchanges, redacted, in {output}: the plan of seed {settings.seed}, asked twice.")
    left = next((one.left for one in passes if one.left), "")
    if left:
        raise NoVerdictError(left)
    return 0
