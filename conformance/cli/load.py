"""`conformance load`: many users at once, every answer judged, also while the deployment changes."""

from __future__ import annotations

import datetime
import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from conformance.cli.options import complete_faults, profile_option, safety_options, tls_options
from conformance.cli.run import gate_of
from conformance.emulator.faults import find
from conformance.errors import UsageError, require
from conformance.load.conclusion import concluded
from conformance.load.objectives import read_objectives
from conformance.load.plan import BATCHES, CHANGES, Shape
from conformance.load.running import load as whole_load
from conformance.reporting.files import attempted, parse_reports
from conformance.reporting.markdown import append_step_summary
from conformance.reporting.terminal import show
from conformance.run.runner import terminations_interrupt
from conformance.run.settings import EMULATED, Settings, checked, longest_wait


@click.command()
@click.option("--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL|emulated", help="What to load.")
@profile_option("The release it should conform to.")
@click.option(
    "--users", type=click.IntRange(1, 20_000), default=20, show_default=True, metavar="N",
    help="Users who send, wait for the answer, think, and send again.",
)  # fmt: skip
@click.option("--think", type=click.FloatRange(0), default=0.0, metavar="S", help="Seconds that a user thinks.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), default=None, metavar="N",
    help="In place of users: N inferences a second, whether earlier ones were answered or not.",
)  # fmt: skip
@click.option("--ramp", type=click.FloatRange(0), default=0.0, metavar="S", help="Seconds over which load grows.")
@click.option(
    "--seconds", type=click.FloatRange(1), default=30.0, show_default=True, metavar="S",
    help="How long, once all users are there.",
)  # fmt: skip
@click.option(
    "--batches", default=",".join(map(str, BATCHES)), show_default=True, metavar="N,N…",
    help="Sizes of batches, asked in turn, as JSON and as Arrow.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
    help="Processes that ask, on this machine; on others use locust with the file of --locustfile.",
)  # fmt: skip
@click.option(
    "--during", type=click.Choice(CHANGES), default=None,
    help="Meanwhile deploy the same again, deploy another version over it, or undeploy another.",
)  # fmt: skip
@click.option(
    "--objectives", "objectives_file", default="", metavar="FILE",
    help='TOML of what must be reached: objectives = ["p99 < 250 ms", "gap < 1 s", "lost = 0"].',
)  # fmt: skip
@click.option("--waivers", "waivers_file", default="", metavar="FILE", help="Broken requirements that are excused.")
@click.option(
    "--baseline", "baseline_file", default="", metavar="RESULT.json", help="An earlier result to compare with."
)
@click.option("--fail-on", type=click.Choice(["any", "new"]), default="any", show_default=True, help="What gates.")
@click.option("--strict", is_flag=True, help="Every broken requirement gates, warnings too.")
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="json, junit, html, markdown or sarif.")
@click.option(
    "--fault", "faults", multiple=True, metavar="ID", help="A defect of the emulated instance; repeatable.",
    shell_complete=complete_faults,
)  # fmt: skip
@click.option("--seed", type=int, default=None, help="Send the same rows as the load with this seed.")
@click.option("--model", default="", metavar="FILE.onnx", help="The model to upload instead of our own.")
@click.option("--workspace-id", type=int, default=None, help="An existing workspace to work in.")
@click.option(
    "--timeout", "wait", type=float, default=None, metavar="S", help="Longest wait for a deployment, in seconds."
)
@tls_options
@safety_options
@click.option("--locustfile", is_flag=True, help="Print where the file for `locust -f` is, and do nothing else.")
def load(
    users: int, think: float, rate: float | None, ramp: float, seconds: float, batches: str, workers: int,
    during: str | None, objectives_file: str, waivers_file: str, baseline_file: str, fail_on: str,
    reports: tuple[str, ...], faults: tuple[str, ...], seed: int | None, locustfile: bool, **options: Any,
) -> int:  # fmt: skip
    """Send judged load to a deployment of its own, also while that changes.

    Each answer is judged by the checks of `conformance run`, and by rows of which no two in flight are alike, so that
    wrong answers are found and not only slow ones. What a gateway answers is counted, and never judged. Exit 0: all
    held. Exit 1: something that gates is broken, or an objective is not held. Exit 3: no verdict, as where the target
    does not answer, or too little load was reached.
    """
    require("Load", "load")
    if locustfile:
        click.echo(Path(__file__).resolve().parent.parent / "load" / "locustfile.py")
        return 0
    options["wait"] = options["wait"] or longest_wait(options["target"])
    drawn = secrets.randbelow(2**31) if seed is None else seed
    settings = checked(Settings(seed=drawn, **options))
    _require_sense(settings, rate, users, workers, faults)
    shape = Shape(
        users=users, seconds=seconds, ramp=ramp, rate=rate, think=think, workers=workers, during=during or "",
        batches=_sizes(batches),
    )  # fmt: skip
    objectives = read_objectives(Path(objectives_file)) if objectives_file else ()
    today = datetime.datetime.now(datetime.UTC).date()
    gate = gate_of(settings.profile, waivers_file, baseline_file, fail_on, today)
    files = parse_reports(reports)
    with terminations_interrupt():
        done = whole_load(settings, shape, faults, lambda sentence: click.echo(sentence, err=True))
    done.runner.command = _again(click.get_current_context(), drawn)
    result = concluded(done, objectives, gate, today)
    failed = attempted(result, files)
    append_step_summary(result)
    show(result, sys.stdout)
    if failed:
        click.echo(f"Error: {failed}", err=True)
    return int(result["exit_code"])


def _require_sense(settings: Settings, rate: float | None, users: int, workers: int, faults: tuple[str, ...]) -> None:
    """Raises UsageError where options contradict each other."""
    if settings.target == EMULATED:
        require("An emulated instance", "emulated")
    elif faults:
        raise UsageError("--fault is for --target emulated: it makes the emulated instance defective.")
    for fault in faults:
        find(fault)
    if settings.allowed == "read":
        raise UsageError("--effects read makes nothing, and load needs a deployment of its own: leave it out.")
    if rate is None and workers > users:
        raise UsageError(f"--workers {workers} is more than --users {users}: give each worker a user at least.")


def _sizes(batches: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in batches.split(","))
    except ValueError:
        sizes = ()
    if not sizes or not all(1 <= size <= 100_000 for size in sizes):
        raise UsageError(
            f"--batches {batches} is no list of sizes from 1 to 100000; give for instance --batches 1,8,64."
        )
    return sizes


_OF_THE_OCCASION = {"reports", "seed"}


def _again(context: click.Context, seed: int) -> str:
    """The command that makes this load again."""
    words = ["conformance", "load"]
    for option in context.command.params:
        name, value = str(option.name), context.params.get(str(option.name))
        if name in _OF_THE_OCCASION or value == option.get_default(context) or value in (None, "", ()):
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [option.opts[-1]] if one is True else [option.opts[-1], str(one)]
    return shlex.join([*words, "--seed", str(seed)])
