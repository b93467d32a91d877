"""`conformance compare`: whether the candidate behaves like the release in production."""

from __future__ import annotations

import datetime
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from conformance.checks import Rules
from conformance.cli.options import profile_option, safety_options, transport_options
from conformance.compare.comparison import compare as compare_sides
from conformance.compare.kept import read_kept
from conformance.compare.plan import drawn
from conformance.compare.report import text, write_reports
from conformance.compare.repro import write_tests
from conformance.compare.result import Compare, read_accepted, result_of
from conformance.compare.side import opened
from conformance.errors import NoVerdictError, UsageError
from conformance.reporting.files import parse_reports
from conformance.run.runner import terminations_interrupt
from conformance.run.settings import BUDGETS, EMULATED, Settings, checked, longest_wait
from conformance.targets.address import base_url

_PASSES = {"quick": 2, "standard": 3, "thorough": 6}
"""How often each side is asked the plan. By six passes each operation is answered some 500 times and more, so that a
deviation in 1 % of its answers stays unseen with a probability of 0.99 ** 500, which is below 1 %."""


@click.command()
@click.option(
    "--old",
    required=True,
    metavar="URL|emulated|DIR|FILE.har",
    help="The release in production, or what was recorded of it.",
)
@click.option("--new", required=True, metavar="URL|emulated", help="The candidate.")
@profile_option("The release whose operations are asked.")
@click.option(
    "--budget", type=click.Choice(BUDGETS), default="quick", show_default=True,
    help="How many requests are sent, and how often.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="The seed of the requests.")
@click.option("--workspace-id", type=int, default=None, help="An existing workspace of the new side to work in.")
@click.option(
    "--ignore", "ignored", type=click.Path(path_type=Path), metavar="FILE", help="TOML of accepted differences."
)
@click.option(
    "--fail-on", type=click.Choice(["breaking", "any", "never"]), default="breaking", show_default=True,
    help="Which differences make the exit code 1.",
)  # fmt: skip
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="json, junit, html, markdown or sarif.")
@click.option(
    "--repro", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write each difference that a small sequence shows as a test.",
)  # fmt: skip
@click.option(
    "--timeout", "wait", type=float, default=None, metavar="S", help="Longest wait for a deployment, in seconds."
)
@transport_options
@click.option("-v", "--verbose", is_flag=True, help="Also say what could not be asked of one side.")
@safety_options
def compare(
    old: str, new: str, profile: str, budget: str, seed: int, ignored: Path | None, fail_on: str,
    reports: tuple[str, ...], repro: Path | None, wait: float | None, verbose: bool, **options: Any,
) -> int:  # fmt: skip
    """Send the same requests to two instances, and show every difference.

    Every difference counts that a caller could notice; no requirement is consulted.

    OLD may be what `conformance record --whole` kept of it. Exit 0 same, or nothing at --fail-on; 1 differs; 3 nothing
    can be said: the same instance twice, nothing comparable, or the comparison missed a difference planted in it.
    """
    files = parse_reports(reports)
    accepted = read_accepted(ignored) if ignored else ()
    settings = checked(
        Settings(target=new, profile=profile, budget=budget, seed=seed, wait=wait or longest_wait(new), **options)
    )
    kept = _recording(old)
    if kept is None:
        checked(replace(settings, target=old))
        _require_two(old, new)
    with ExitStack() as stack:
        stack.enter_context(terminations_interrupt())
        passes = None
        if kept is not None:
            plan, passes = read_kept(kept, profile)
        else:
            click.echo(f"Drawing the requests of seed {seed} …", err=True)
            plan = drawn(profile, budget, seed)
        new_side = stack.enter_context(opened("new", new, settings, os.environ))
        new_side.require_answer()
        old_side = None
        if passes is None:
            old_side = stack.enter_context(opened("old", old, settings, os.environ))
            old_side.require_answer()
        times = _PASSES[budget]
        click.echo(f"Asking {len(plan.steps)} requests, {times} times each, of both sides at the same time …", err=True)
        compared = compare_sides(plan, old_side or passes or [], new_side, times, seed, Rules.of(profile))
        asked = Compare(_shown(old, old_side), _shown(new, new_side), profile, budget, seed, fail_on, accepted)
    result = result_of(asked, compared, datetime.datetime.now(datetime.UTC).date())
    write_reports(result, files)
    if repro is not None:
        write_tests(repro, compared.differences, profile)
    click.echo(text(result, verbose=verbose), nl=False)
    return int(result["exit_code"])


def _recording(old: str) -> Path | None:
    """The path, where OLD is a recording."""
    path = Path(old)
    if old == EMULATED or "://" in old:
        return None
    if not path.exists():
        raise UsageError(f"--old {old} is neither a URL nor a folder or file that is there.")
    return path


def _require_two(old: str, new: str) -> None:
    if EMULATED not in (old, new) and base_url(old) == base_url(new):
        raise NoVerdictError(f"Both sides are {base_url(old)}: an instance compared with itself shows nothing.")


def _shown(word: str, side: Any) -> str:
    return word if side is None or word != EMULATED else f"{word} {side.settings.target}"
