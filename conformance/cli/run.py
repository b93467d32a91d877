"""`conformance run`: pytest with the plugin, the right options and the reports; the verdict is the exit code."""

from __future__ import annotations

import datetime
import gc
import os
import secrets
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import click
import pytest

from conformance import suites as suites_package
from conformance.cli import options as shared
from conformance.cli.options import profile_option, safety_options, transport_options
from conformance.cli.requirements import remember
from conformance.errors import NoVerdictError, UsageError, require
from conformance.reporting.files import attempted, parse_reports
from conformance.reporting.markdown import append_step_summary
from conformance.reporting.progress import Found, Progress
from conformance.reporting.reproduction import kept
from conformance.reporting.terminal import show
from conformance.run.baseline import read_result, require_comparable
from conformance.run.plugin import RUNNER, suite_name
from conformance.run.run import Gate, Items
from conformance.run.run import run as whole_run
from conformance.run.runner import Runner
from conformance.run.scope import suites_needed
from conformance.run.settings import BUDGETS, EMULATED, Settings, checked, longest_wait, model_file
from conformance.run.shards import shared_out
from conformance.run.waivers import read_waivers
from conformance.spec.document import profiles
from conformance.spec.requirements import load
from conformance.suites.model import Model
from conformance.targets.waits import oldest

_SUITES = Path(suites_package.__file__).parent
_IDLE_PLUGINS = ("schemathesis", "hypothesispytest", "anyio", "respx")
"""Plugins that our dependencies bring and a run has no use for; loading them takes seconds."""

_NEEDED = ("conformance.suites.generation.sending", "conformance.suites.generation.lifecycles")
"""Modules that bring the most to import."""

_ALLOCATIONS = 50_000
"""New objects between two collections: a run keeps its exchanges, and looking at them again and again frees nothing."""


@click.command()
@click.option("--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL|emulated", help="What to judge.")
@profile_option("The release it should conform to.")
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="NAME",
    help="Only this suite; repeatable.",
    shell_complete=shared.complete_suites,
)
@click.option(
    "--only",
    multiple=True,
    metavar="ID",
    help="Only this requirement or operation; repeatable.",
    shell_complete=shared.complete_requirements,
)
@click.option(
    "--budget", type=click.Choice(BUDGETS), default="standard", show_default=True,
    help="How many requests are sent: quick for a look, standard for a gate, thorough for a nightly run.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Every broken requirement gates, warnings too.")
@click.option("--seed", type=int, default=None, help="Send the same requests as the run with this seed.")
@click.option("--max-requests", type=click.IntRange(50), default=None, help="Send no more requests than this.")
@click.option(
    "--max-seconds", type=click.FloatRange(1), default=None, metavar="S",
    help="Send no more requests after this time; the verdict covers what was tested.",
)  # fmt: skip
@click.option(
    "--shard", default="", metavar="I/N",
    help="Run the I-th of N parts, for conformance merge; divided by the seconds that --baseline measured.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Processes to run in.")
@click.option("--report", "reports", multiple=True, metavar="KIND=FILE", help="json, junit, html, markdown or sarif.")
@click.option(
    "--repro", default="", metavar="DIR", help="Write each finding as a script and a test that show it again."
)
@click.option("--waivers", "waivers_file", default="", metavar="FILE", help="Broken requirements that are excused.")
@click.option(
    "--baseline", "baseline_file", default="", metavar="RESULT.json", help="An earlier result to compare with."
)
@click.option("--fail-on", type=click.Choice(["any", "new"]), default="any", show_default=True, help="What gates.")
@click.option("--model", default="", metavar="FILE.onnx", help="The model to upload instead of our own.")
@click.option("--workspace-id", type=int, default=None, help="An existing workspace to work in.")
@click.option(
    "--timeout", "wait", type=float, default=None, metavar="S",
    help="Longest wait, in seconds, for a deployment to start or stop; a request waits 30 s at most. "
    "[default: 300; 90 for an instance on this machine]",
)  # fmt: skip
@transport_options
@safety_options
@click.option(
    "--har",
    default="",
    metavar="FILE",
    help="Keep everything that is sent and received here, redacted; each of several workers in a file of its own.",
)
@click.option("-v", "--verbose", is_flag=True, help="Also print each request, and what cannot be tested and why.")
@click.option("--list", "listing", is_flag=True, help="Print what would run, and send nothing.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def run(
    reports: tuple[str, ...], repro: str, seed: int | None, listing: bool, verbose: bool, waivers_file: str,
    baseline_file: str, fail_on: str, pytest_arguments: tuple[str, ...], **options: Any,
) -> int:  # fmt: skip
    """Run the suites against a target and print a verdict.

    Exits 0 where it is conformant, 1 where something that gates is broken, 3 where there is no verdict.

    PYTEST_ARGUMENTS, after --, go to pytest unchanged, whose own output is then shown too.
    """
    if options["wait"] is None:
        options["wait"] = longest_wait(options["target"])
    options |= {"verbose": verbose}
    drawn = secrets.randbelow(2**31) if seed is None else seed
    settings = shared_out(Settings(seed=drawn, costs=baseline_file if options["shard"] else "", **options))
    if settings.shard and not listing and (seed is None or not any(one.startswith("json=") for one in reports)):
        raise UsageError(
            "--shard needs --seed N, the same in every shard, and --report json=FILE, which conformance merge reads."
        )
    runner = Runner(settings)
    needed = suites_needed(runner.rules.catalogue, settings.suites, settings.only)
    runner.command = _again(click.get_current_context(), settings.seed, pytest_arguments)
    if listing:
        return _listed(runner, pytest_arguments)
    Model.read(model_file(checked(settings)))
    if needed is None or (settings.suites and "generated" in needed):
        require("The suite generated", "generated")
    today = datetime.datetime.now(datetime.UTC).date()
    gate = gate_of(settings.profile, waivers_file, baseline_file, fail_on, today)
    files = parse_reports(reports)
    runner.settings = replace(runner.settings, witness=bool({"json", "html"} & set(files)))
    result = run_suites(runner, gate, today, pytest_arguments)
    failed = attempted(result, files) or kept(result, repro)
    append_step_summary(result)
    remember(result)
    show(result, sys.stdout, verbose=verbose)
    if failed:
        click.echo(f"Error: {failed}", err=True)
    return int(result["exit_code"])


_OF_THE_OCCASION = {"reports", "har", "listing", "verbose", "seed", "pytest_arguments"}
"""Options that change nothing in what a run asks and concludes, and the seed, which is always said."""


def _again(context: click.Context, seed: int, pytest_arguments: Sequence[str]) -> str:
    """The command that makes this run again: what was not left to its default, and the seed."""
    words = ["conformance", "run"]
    for option in context.command.params:
        name, value = str(option.name), context.params.get(str(option.name))
        if name in _OF_THE_OCCASION or value == option.get_default(context) or value in (None, "", ()):
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [option.opts[-1]] if one is True else [option.opts[-1], str(one)]
    return shlex.join([*words, "--seed", str(seed), *(["--", *pytest_arguments] if pytest_arguments else [])])


def _read_ahead() -> None:
    """Import what a run will need; and since nothing of it goes away again, leave it out of every later collection."""
    for name in _NEEDED:
        with suppress(ModuleNotFoundError):  # what an extra would bring, and this run does without
            import_module(name)
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS)


def run_suites(
    runner: Runner, gate: Gate | None = None, today: datetime.date | None = None, pytest_arguments: Sequence[str] = ()
) -> dict[str, Any]:
    """Run the suites by pytest in this process, with progress on stderr: the result."""
    gate, today = gate or Gate(), today or datetime.datetime.now(datetime.UTC).date()
    with progress_of(runner, pytest_arguments) as progress:
        return whole_run(runner, by_pytest(pytest_arguments, progress, gate), gate, today, _read_ahead)


def gate_of(profile: str, waivers_file: str, baseline_file: str, fail_on: str, today: datetime.date) -> Gate:
    """What a verdict is weighed by, read from files. Raises UsageError where one of them cannot be used."""
    if fail_on == "new" and not baseline_file:
        raise UsageError("--fail-on new needs --baseline RESULT.json, the earlier result to compare with.")
    earlier = read_result(Path(baseline_file)) if baseline_file else None
    if earlier is not None:
        require_comparable(earlier, profile)
    rows = {row.id: row for profile in profiles() for row in load(profile).rows}
    waivers = read_waivers(Path(waivers_file), rows.values(), today) if waivers_file else ()
    return Gate(waivers, earlier, only_new=fail_on == "new")


@contextmanager
def progress_of(runner: Runner, pytest_arguments: Sequence[str] = ()) -> Iterator[Progress | None]:
    """The run's progress on stderr while it goes on; None where pytest's own output is shown."""
    if pytest_arguments:
        yield None
        return
    progress = Progress(sys.stderr, wait=oldest)
    runner.say = progress.say
    target = runner.settings.target
    progress.begin("starting an emulated instance" if target == EMULATED else f"asking {target}")
    try:
        yield progress
    finally:
        progress.close()


def by_pytest(
    pytest_arguments: Sequence[str] = (), progress: Progress | None = None, gate: Gate | None = None
) -> Items:
    """Runs the items by pytest in this process. Raises UsageError or NoVerdictError where none has run."""

    def items(runner: Runner) -> None:
        runner.concluded_by_caller = True
        code, output = _pytest(runner, pytest_arguments, progress, gate or Gate())
        if runner.has_run:
            return
        said = " ".join(output.strip().splitlines()[-3:])
        if code == pytest.ExitCode.USAGE_ERROR:
            raise UsageError(said or "pytest refused its arguments.")
        if code == pytest.ExitCode.INTERRUPTED:
            raise NoVerdictError("The run was interrupted.")
        raise NoVerdictError(f"pytest ended with code {code} before an item had run: {said}")

    return items


def _listed(runner: Runner, pytest_arguments: Sequence[str]) -> int:
    code, output = _pytest(runner, ["--collect-only", "-q", *pytest_arguments], None, Gate())
    click.echo(output, nl=False)
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise UsageError("pytest refused its arguments; see above.")
    return 0


def _pytest(runner: Runner, pytest_arguments: Sequence[str], progress: Progress | None, gate: Gate) -> tuple[int, str]:
    """pytest's exit code, and what it printed where it was not shown.

    The caller's own pytest configuration, PYTEST_ADDOPTS and conftest files take no part.
    """
    workers = runner.settings.workers
    arguments = [
        *(f"-pno:{plugin}" for plugin in _IDLE_PLUGINS), "--assert=plain",
        *("-c", str(_SUITES / "pytest.ini")), *("--rootdir", str(_SUITES)), *("-p", "no:cacheprovider"),
        *("--import-mode", "importlib"), *("--override-ini", "addopts="),
        # A worker that died leaves no verdict; one in its place would wait for ever (seen with xdist's loadgroup).
        *(["-n", str(workers), "--dist", "loadgroup", "--max-worker-restart", "0"] if workers > 1 else []),
        *pytest_arguments, str(_SUITES),
    ]  # fmt: skip
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    hidden = StringIO()
    try:
        if progress is None and "--collect-only" not in pytest_arguments:
            return int(pytest.main(arguments, plugins=[_Given(runner, progress, gate)])), ""
        with redirect_stdout(hidden):
            code = int(pytest.main(arguments, plugins=[_Given(runner, progress, gate)]))
        return code, hidden.getvalue()
    finally:
        os.environ.update(kept)


class _Given:
    """Hands our runner to the plugin before it would make one from options, and tells the progress of each item."""

    def __init__(self, runner: Runner, progress: Progress | None, gate: Gate) -> None:
        self._runner, self._progress, self._gate = runner, progress, gate
        self._done: dict[str, set[str]] = {}
        self._seen: dict[str, dict[str, str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[RUNNER] = self._runner

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._progress is not None:
            name = suite_name(nodeid)
            self._progress.start(name, self._total(name))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._progress is None:
            return
        name = suite_name(report.nodeid)
        seen = self._seen.setdefault(name, {})
        rules, strict = self._runner.rules, self._runner.settings.strict
        for finding in getattr(report, "conformance", {}).get("broken", ()):
            weight = self._gate.weight(rules, finding["requirement"], finding["operation"], strict=strict)
            if seen.get(finding["requirement"]) != "broken":
                seen[finding["requirement"]] = weight
        if report.when == "teardown":
            done = self._done.setdefault(name, set())
            done.add(report.nodeid)
            weights = Counter(seen.values())
            found = Found(weights["broken"], weights["excused"], weights["warning"])
            self._progress.update(name, len(done), max(self._total(name), len(done)), found)

    def _total(self, suite: str) -> int:
        return int(self._runner.facts.suite(suite)["items"])
