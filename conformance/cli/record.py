"""`conformance record`: run the lifecycle, or send recorded requests again, and keep the exchanges, redacted."""

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
from conformance.errors import NoVerdictError, UsageError
from conformance.redaction import redact_exchange
from conformance.reporting.terminal import closing_line, console_for
from conformance.run.runner import Runner, terminations_interrupt
from conformance.run.settings import BUDGETS, EMULATED, Settings, checked, model_file
from conformance.spec.document import Document


@click.command()
@click.option("--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL|emulated", help="What to record.")
@click.option("--output", required=True, metavar="DIR|FILE.har", help="A new or empty folder of recordings, or a HAR.")
@profile_option("The release it is of.")
@click.option(
    "--suite", "suites", multiple=True, default=("lifecycle",), metavar="NAME",
    help="The suite to run; repeatable. [default: lifecycle]", shell_complete=shared.complete_suites
)  # fmt: skip
@click.option(
    "--replay", type=click.Path(path_type=Path), default=None, metavar="DIR",
    help="Send the requests of these recordings again, to the target and to an emulated instance of the release, "
    "and say of each difference who stands alone in it.",
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
def record(output: str, largest: int, everything: bool, whole: bool, replay: Path | None, **options: Any) -> int:
    """Run the lifecycle and keep its exchanges, redacted.

    Exits 0 once they are written, whatever the verdict, which is printed; 3 where nothing could be recorded.

    With --replay, what the recordings use and do not make is made first, under names of the run's own; all of it is
    undeployed. What is of no known operation, and what the recording does not hold, is not sent.
    """
    if replay is not None and (everything or whole):
        raise UsageError("--replay sends recorded requests; leave --everything and --whole out.")
    if everything or whole:
        options["suites"] = ()
    settings = Settings(record=output, record_largest=largest, **options)
    if whole:
        return _whole(checked(settings), Path(output))
    if replay is not None:
        return _replayed(checked(settings), replay, Path(output))
    runner = Runner(checked(settings))
    result = run_suites(runner)
    console_for(sys.stdout).print(closing_line(result), soft_wrap=True)
    if not runner.recorded:
        raise NoVerdictError(f"Nothing was recorded: {result['reason']}")
    click.echo(f"Kept {runner.recorded} exchanges, redacted, in {output}.")
    return 0


def _whole(settings: Settings, output: Path) -> int:
    """Play the plan of the seed twice at the target, as one side of a comparison, and keep both passes."""
    from conformance.compare.kept import write
    from conformance.compare.plan import drawn
    from conformance.compare.side import opened

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


def _replayed(settings: Settings, replay: Path, output: Path) -> int:
    """Send recorded requests again, to the target and to an emulated instance, and keep what the target answered."""
    from conformance.compare.reissue import judged, lines, reissues
    from conformance.compare.side import opened
    from conformance.recording import folder

    if output.suffix == ".har":
        raise UsageError("--replay keeps recordings, each beside the one it was sent for; name a folder for --output.")
    recordings = folder.read(replay, Document.load(settings.profile))
    plans = reissues(recordings, model_file(settings).read_bytes())
    settings = replace(settings, record="")
    done = []
    with (
        terminations_interrupt(),
        opened("new", settings.target, settings, os.environ) as service,
        opened("emulated", EMULATED, replace(settings, target=EMULATED), os.environ) as emulated,
    ):
        service.require_answer()
        for plan in plans:
            done.append(judged(plan, service.play(plan.plan), emulated.play(plan.plan), settings.profile))
    kept = [one for session in done for one in session.answers]
    folder.write(output, [replace(one, exchange=redact_exchange(one.exchange)) for one in kept])
    for line in lines(done):
        click.echo(line)
    click.echo(f"Kept {len(kept)} exchanges, redacted, in {output}.")
    left = next((session.left for session in done if session.left), "")
    if left or not kept:
        raise NoVerdictError(left or "Nothing was sent again; the lines above say why.")
    return 0
