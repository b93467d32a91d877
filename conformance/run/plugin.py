"""The pytest plugin: options, findings to item outcome, and the verdict when the last item has run.

It does nothing in a run without items of `conformance.suites`; what it needs is imported then.
"""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.reporting.facts import Facts
    from conformance.run.runner import Runner
import os

if TYPE_CHECKING:
    from conformance.run.runner import Runner
    from conformance.run.settings import Settings


_PACKAGE = "conformance.suites."
_COLLECTED = pytest.StashKey[Counter[str]]()
_PARTIAL = pytest.StashKey[list[str]]()
_PLAN = pytest.StashKey[dict[str, Any]]()
pytest_plugins = ("conformance.recording.plugin", "conformance.targets.plugin")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "API conformance")
    for name, keywords in OPTIONS:
        group.addoption(name, **keywords)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser
) -> Generator[None, object, object]:
    """Where our suites are named, `--target` is an option too, unless the project's own conftest has one."""
    loaded = yield
    names = [str(name) for name in early_config.known_args_namespace.file_or_dir]
    if any(name.startswith("conformance.suites") or "conformance/suites" in name for name in names):
        with suppress(ValueError):  # the project's own, which came first
            parser.addoption("--target", dest="conformance_target", **TARGET)
    return loaded


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live_cost(deployments): deployments an item makes on a live target")
    config.addinivalue_line("markers", "needs(keys): deployments of the lifecycle's plan that an item needs")
    config.addinivalue_line("markers", "late: an item that comes after all others")
    config.addinivalue_line("markers", "about(name): an operation or requirement without which a release has no item")


def is_ours(item: pytest.Item) -> bool:
    """Whether an item belongs to the suites."""
    return getattr(getattr(item, "module", None), "__name__", "").startswith(_PACKAGE)


def suite_name(item: pytest.Item | str) -> str:
    """The suite of an item (or of a node id): its module's name without `test_`."""
    path = item if isinstance(item, str) else item.nodeid
    return path.split("::")[0].rpartition("/")[2].removesuffix(".py").removeprefix("test_")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if is_ours(item)]
    if not ours or config.option.collectonly:
        return
    from conformance.errors import SuiteError
    from conformance.run.scope import suites_needed

    runner = runner_of(config)
    try:
        needed = suites_needed(runner.rules.catalogue, runner.settings.suites, runner.settings.only)
    except SuiteError as error:
        raise pytest.UsageError(str(error)) from None
    if needed is not None:
        dropped = [item for item in ours if suite_name(item) not in needed]
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)
    _leave_out(runner, ours)
    if runner.settings.shard:
        from conformance.run.shards import in_shard

        try:
            mine, config.stash[_PLAN] = in_shard([item for item in ours if item in items], runner.settings)
        except SuiteError as error:
            raise pytest.UsageError(str(error)) from None
        elsewhere = [item for item in ours if item in items and item not in mine]
        items[:] = [item for item in items if item not in elsewhere]
        config.hook.pytest_deselected(items=elsewhere)
    config.stash[_COLLECTED] = Counter(suite_name(item) for item in ours if item in items)
    for item in ours:
        runner.facts.suite(suite_name(item))["items"] += item in items


def _tell_what_was_deselected(session: pytest.Session) -> None:
    """Suites of which pytest was told to run a part, or nothing: what they alone exercise is out of the scope."""
    collected = session.config.stash.get(_COLLECTED, None)
    if collected is None:
        return
    from conformance.run.scope import known_suites, suites_needed

    runner = runner_of(session.config)
    needed = suites_needed(runner.rules.catalogue, runner.settings.suites, runner.settings.only) or known_suites()
    kept = Counter(suite_name(item) for item in session.items if is_ours(item))
    elsewhere = bool(runner.settings.shard)  # what this shard has nothing of, another has
    partial = [suite for suite in needed if kept[suite] < collected[suite] or not (collected[suite] or elsewhere)]
    session.config.stash[_PARTIAL] = sorted(partial)


def _leave_out(runner: Runner, items: list[pytest.Item]) -> None:
    """Skip, and say why, what is about an operation or a requirement that this release does not have."""
    from conformance.run.scope import lacks

    rules = runner.rules
    for item in items:
        names = [name for mark in item.iter_markers("about") for name in mark.args]
        reasons = [reason for name in names if (reason := lacks(rules, name))]
        if reasons:
            item.add_marker(pytest.mark.skip(reason=reasons[0]))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """After `-k` and its like: what is left may need a target, and recordings need none."""
    _tell_what_was_deselected(session)
    needing = [
        item
        for item in session.items
        if is_ours(item) and "session" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("skip")
    ]
    if not needing or session.config.option.collectonly:
        return
    cost = sum(mark.args[0] for item in needing if (mark := item.get_closest_marker("live_cost")))
    from conformance.errors import SuiteError, require
    from conformance.run.settings import checked

    try:
        if any(suite_name(item) == "generated" for item in needing):
            require("The suite generated", "generated")
        checked(runner_of(session.config).settings)
    except SuiteError as error:
        raise pytest.UsageError(str(error)) from None
    runner = runner_of(session.config)
    said = runner.announcement(cost)
    if said:
        runner.say(said)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not is_ours(item) or RUNNER not in item.config.stash:
        return report
    from conformance.reporting.allure import label
    from conformance.reporting.facts import Facts, of_facts

    runner = item.config.stash[RUNNER]
    seen = runner.seen_since()
    incident = ""
    if call.excinfo is not None and report.outcome == "failed" and _only_reading(runner, call.excinfo.value):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"Skipped: {call.excinfo.value}")
    elif call.excinfo is not None and report.outcome == "failed":
        report.longrepr, incident = _said(item, call.excinfo.value)
    if seen:
        label([*(requirement for requirement, _ in seen.held), *(finding.requirement for finding in seen.broken)])
    sentences = _gating(runner, seen)
    if sentences:
        report.outcome = "failed"
        report.longrepr = "\n".join([*sentences, *([str(report.longrepr)] if incident else [])])
    seen = seen or Facts()
    no_suites: list[str] = []
    no_plan: dict[str, Any] = {}
    seen.incidents += [incident] if incident else []
    seen.partial = item.config.stash.get(_PARTIAL, no_suites)
    seen.plan = item.config.stash.get(_PLAN, no_plan)
    report.conformance = of_facts(seen)  # type: ignore[attr-defined]
    return report


def _only_reading(runner: Runner, error: BaseException) -> bool:
    from conformance.targets.safety.guard import RefusedError

    return runner.settings.allowed == "read" and isinstance(error, RefusedError)


def _said(item: pytest.Item, error: BaseException) -> tuple[str, str]:
    """What an exception of an item means: (shown in its report, incident that keeps the run from a verdict)."""
    from conformance.api.client import ApiError
    from conformance.errors import SuiteError
    from conformance.targets.safety.guard import RefusedError

    if isinstance(error, ApiError | RefusedError):
        return f"This requirement could not be tested: {error}{_kept_by(item, error)}", ""
    if isinstance(error, SuiteError):
        item.session.shouldstop = str(error)
        return str(error), str(error)
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else "nowhere"
    sentence = f"The suite itself failed in {item.name}: {type(error).__name__} at {where}."
    return f"{sentence} This says nothing about the target. {_safe(error)}", sentence


def _kept_by(item: pytest.Item, error: BaseException) -> str:
    """Which promises were broken by the answer that an item cannot go on with."""
    exchange, session = getattr(error, "exchange", None), item.config.stash[RUNNER].opened
    traces = session.traces.values() if session is not None and exchange is not None else ()
    broken = [one.finding.requirement for one in traces if exchange in one.finding.evidence[-1:]]
    return f" That answer broke the requirement {', '.join(broken)}." if broken else ""


def _safe(error: BaseException) -> str:
    from conformance.redaction import redact_text

    return redact_text(str(error))[:500]


def _gating(runner: Runner, seen: Facts | None) -> list[str]:
    rows = runner.rules.catalogue.by_id
    sentences = {}
    for finding in seen.broken if seen else ():
        row = rows[finding.requirement]
        if row.gates or runner.settings.strict:
            sentences[row.id] = (
                f"{row.id}: {row.text} ({row.source})\n  expected {finding.expected}\n  actual   {finding.actual}"
            )
    return list(sentences.values())


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_Interruption(session.config), "conformance-interruption")
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_Aggregator(session.config), "conformance-aggregator")


class _Interruption:
    """Hears of a run that ends before its last item: then nothing new is begun, and no argument is shown."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        if RUNNER in self._config.stash:
            # Where it was interrupted, functions hold tokens as arguments: --full-trace would print them.
            self._config.option.fulltrace = False
            self._config.stash[RUNNER].interrupted = True


class _Aggregator:
    """Adds up what reports carry, in the one process that concludes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._result: dict[str, Any] | None = None
        self._failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        extra = getattr(report, "conformance", None)
        if extra is None:
            return
        from conformance.reporting.facts import to_facts

        runner = runner_of(self._config)
        runner.has_run = True
        runner.facts.add(to_facts(extra))
        suite = runner.facts.suite(suite_name(report.nodeid))
        suite["failed"] += report.failed
        if report.skipped and isinstance(report.longrepr, tuple | list):
            runner.facts.left_out[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
        suite["seconds"] = round(suite.get("seconds", 0.0) + report.duration, 3)
        items = runner.facts.items
        items[report.nodeid] = round(items.get(report.nodeid, 0.0) + report.duration, 3)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and "conformance" in report.nodeid:
            runner_of(self._config).has_run = True
            runner_of(self._config).facts.incidents.append(f"The suite {report.nodeid} cannot be collected.")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from conformance.run.shards import Distribution

        if config.getvalue("dist") != "loadgroup":
            return None
        distribution = Distribution(config, log)
        distribution.live = runner_of(config).settings.kind == "live"
        return distribution

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        runner = runner_of(self._config)
        if runner.settings.target and not runner.settings.emulated_url:
            from conformance.errors import SuiteError

            try:
                runner.prepare()
            except SuiteError as error:
                pytest.exit(str(error), returncode=3)
        from dataclasses import replace

        settings = replace(runner.settings, worker=node.gateway.id)
        node.workerinput["conformance"] = settings.as_plain()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        if error:
            runner_of(self._config).has_run = True
            runner_of(self._config).facts.incidents.append(f"The worker {node.gateway.id} died before it was done.")

    def pytest_internalerror(self, excrepr: object) -> None:
        runner_of(self._config).facts.incidents.append("pytest itself failed during the run.")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if excinfo.type is not KeyboardInterrupt:
            return  # pytest tells of a run that stopped itself in the same way
        runner_of(self._config).facts.incidents.append("The run was interrupted.")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if RUNNER not in self._config.stash or self._config.option.collectonly:
            return
        runner = runner_of(self._config)
        if runner.concluded_by_caller:
            return
        from conformance.reporting.files import attempted, parse_reports
        from conformance.run.run import Gate, concluded

        runner.close()
        asked = runner.facts.requests or runner.facts.incidents  # recordings alone are replayed without a target
        if runner.has_run and runner.settings.target and asked:
            self._result = concluded(runner, Gate(), datetime.datetime.now(datetime.UTC).date())
            self._failed = attempted(self._result, parse_reports(self._config.option.conformance_report))
            if self._result["exit_code"] and session.exitstatus == pytest.ExitCode.OK:
                # Items that were run again, or where their deployments were not, passed: the verdict knows better.
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self) -> None:
        if self._result is not None:
            from conformance.reporting.terminal import show

            show(self._result, sys.stdout)
            print(self._failed, end="\n" if self._failed else "")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") and RUNNER in session.config.stash:
        session.config.stash[RUNNER].close()


RUNNER = pytest.StashKey["Runner"]()
TARGET: dict[str, Any] = {
    "default": None, "metavar": "URL|emulated", "help": "the instance to test (or CONFORMANCE_TARGET)",
}  # fmt: skip
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--conformance-target", TARGET),
    ("--conformance-profile", {"default": "2023.4", "metavar": "RELEASE", "help": "the release it should conform to"}),
    ("--conformance-budget", {"default": "standard", "choices": ["quick", "standard", "thorough"]}),
    ("--conformance-suite", {"action": "append", "default": [], "metavar": "NAME", "help": "only this suite"}),
    ("--conformance-only", {"action": "append", "default": [], "metavar": "ID", "help": "only this requirement"}),
    ("--conformance-strict", {"action": "store_true", "help": "everything broken gates"}),
    ("--conformance-seed", {"type": int, "default": 0, "metavar": "N"}),
    ("--conformance-max-requests", {"type": int, "default": None, "metavar": "N"}),
    ("--conformance-max-seconds", {"type": float, "default": None, "metavar": "S"}),
    ("--conformance-model", {"default": "", "metavar": "FILE.onnx", "help": "the model to upload"}),
    ("--conformance-workspace-id", {"type": int, "default": None, "metavar": "N"}),
    (
        "--conformance-timeout",
        {"type": float, "default": None, "metavar": "S", "help": "longest wait for a deployment"},
    ),
    ("--conformance-effects", {"default": "", "choices": ["read", "own", "full"], "help": "what may be touched"}),
    ("--conformance-allow-host", {"action": "append", "default": [], "metavar": "HOST"}),
    ("--conformance-max-deployments", {"type": int, "default": None, "metavar": "N"}),
    ("--conformance-max-minutes", {"type": float, "default": None, "metavar": "N"}),
    ("--conformance-journal", {"default": "", "metavar": "DIR", "help": "where what a run makes is written down"}),
    ("--conformance-ca-file", {"default": "", "metavar": "FILE"}),
    ("--conformance-client-cert", {"default": "", "metavar": "FILE"}),
    ("--conformance-client-key", {"default": "", "metavar": "FILE"}),
    ("--conformance-rate", {"type": float, "default": None, "metavar": "N", "help": "requests a second, at most"}),
    ("--conformance-record", {"default": "", "metavar": "DIR|FILE.har", "help": "keep the exchanges, redacted"}),
    ("--conformance-har", {"default": "", "metavar": "FILE", "help": "keep all that is sent and received, redacted"}),
    ("--conformance-report", {"action": "append", "default": [], "metavar": "KIND=FILE"}),
)


def runner_of(config: pytest.Config) -> Runner:
    """The run's runner, made from the options (or from the controlling process's word) on first use."""
    if RUNNER not in config.stash:
        from conformance.run.runner import Runner
        from conformance.run.settings import Settings

        handed = getattr(config, "workerinput", {}).get("conformance")
        config.stash[RUNNER] = Runner(Settings.from_plain(handed) if handed else _settings(config))
    return config.stash[RUNNER]


def _settings(config: pytest.Config) -> Settings:
    from conformance.run.settings import Settings, longest_wait

    option = config.option
    target, wait = option.conformance_target or os.environ.get("CONFORMANCE_TARGET", ""), option.conformance_timeout
    return Settings(
        target=target,
        profile=option.conformance_profile,
        budget=option.conformance_budget,
        suites=tuple(option.conformance_suite),
        only=tuple(option.conformance_only),
        strict=option.conformance_strict,
        seed=option.conformance_seed,
        max_requests=option.conformance_max_requests,
        max_seconds=option.conformance_max_seconds,
        model=option.conformance_model,
        workspace_id=option.conformance_workspace_id,
        wait=longest_wait(target) if wait is None else wait,
        ca_file=option.conformance_ca_file,
        client_cert=option.conformance_client_cert,
        client_key=option.conformance_client_key,
        rate=option.conformance_rate,
        record=option.conformance_record,
        har=option.conformance_har,
        effects=option.conformance_effects,
        allow_hosts=tuple(option.conformance_allow_host),
        max_deployments=option.conformance_max_deployments,
        max_minutes=option.conformance_max_minutes,
        journal=option.conformance_journal,
    )
