"""`conformance check`: judge recorded traffic, sending nothing."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from conformance.checks import Rules
from conformance.cli.options import profile_option
from conformance.recording.judgement import Tally, judge_traffic
from conformance.recording.traffic import read
from conformance.reporting.facts import Facts
from conformance.reporting.files import attempted, parse_reports
from conformance.reporting.reproduction import kept
from conformance.reporting.result import Circumstances, result_of
from conformance.reporting.terminal import show
from conformance.run.verdict import conclude

_SHOWN = 5
"""Files named that were passed over."""


@click.command()
@click.argument(
    "traffic", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.har|RECORDING.json|DIR …"
)
@profile_option("The release whose promises the traffic is held to.")
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="Also write the verdict; repeatable.")
@click.option(
    "--repro", default="", metavar="DIR", help="Write each finding as a script and a test that show it again."
)
@click.option("--strict", is_flag=True, help="Every broken requirement gates, warnings too.")
def check(traffic: Sequence[Path], profile: str, reports: Sequence[str], repro: str, strict: bool) -> int:
    """Judge recorded traffic, sending nothing.

    Reads HAR 1.2 files, recordings, archives (.har.gz, .zip) and folders of them. A HAR is judged in order of start,
    each recording by itself unless it names a session; exchanges that are of no operation are counted and passed over,
    as are a folder's other files. What a capture did not keep is unknown, and what depends on it untested.

    Exits 3 where no promise could be judged: no answer was kept, or none is of this API.
    """
    from conformance.spec.crosscheck import SecondJudge  # importing openapi-core takes a second

    began = time.time()
    files = parse_reports(reports)
    rules = Rules.of(profile)
    strange: list[str] = []
    second = SecondJudge(rules.document, rules.validator)
    tally = judge_traffic(read(traffic, rules.document, strange.append), rules, second)
    run = _circumstances(tally, profile, began, strict=strict)
    verdict = conclude(
        rules.catalogue.rows,
        tally.broken.values(),
        (),
        datetime.datetime.now(datetime.UTC).date(),
        held=tally.held,
        strict=strict,
        target_kind="recorded",
        profile=profile,
        incident=tally.incident,
        complete=False,
    )
    result = result_of(verdict, run, Facts(reached=tally.reached))
    failed = attempted(result, files) or kept(result, repro)
    show(result, sys.stdout)
    for sentence in strange[:_SHOWN]:
        click.echo(f"Ignored: {sentence}.")
    if len(strange) > _SHOWN:
        click.echo(f"Ignored: {len(strange) - _SHOWN} more files that are not traffic.")
    click.echo(_passed_over(tally))
    if failed:
        click.echo(f"Error: {failed}", err=True)
    return verdict.exit_code


def _passed_over(tally: Tally) -> str:
    rest = f"; {tally.passed_over} that belong to no operation were ignored" if tally.passed_over else ""
    silent = tally.judged - tally.answered
    rest += f"; {silent} have no answer in the traffic" if silent else ""
    return f"{tally.answered} of {tally.exchanges} exchanges judged{rest}."


def _circumstances(tally: Tally, profile: str, began: float, *, strict: bool) -> Circumstances:
    return Circumstances(
        target_kind="recorded",
        target_url="",
        profile=profile,
        scope="the exchanges given",
        strict=strict,
        began=began,
        seconds=time.time() - began,
        extra={"exchanges": tally.exchanges, "passed_over": tally.passed_over},
    )
