"""The file for `locust -f`: the same judged load by Locust's own command, with its web page, masters and workers.

The target is Locust's `--host` or CONFORMANCE_TARGET, credentials come from the environment as `conformance run` reads
them, on each machine. One of the users deploys, all others infer. When the load is stopped, what was deployed is
undeployed, the verdict is printed, and Locust's exit code is the verdict's.
"""

from __future__ import annotations

import datetime
import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from conformance.api.client import ApiError
from conformance.errors import SuiteError, UsageError
from conformance.load.conclusion import concluded
from conformance.load.crew import Crew
from conformance.load.ground import Ground
from conformance.load.objectives import Objective, read_objectives
from conformance.load.plan import Shape
from conformance.load.running import Load, now
from conformance.load.users import Inferring, Managing
from conformance.reporting.files import attempted, parse_reports
from conformance.reporting.terminal import show
from conformance.run.run import Gate
from conformance.run.runner import Runner
from conformance.run.settings import Settings, checked, longest_wait

__all__ = ["Inferring", "Managing"]

_NO_CEILING = 2**31


class Command:
    """One `locust` process that leads: what it was asked to do, and the load that goes on."""

    def __init__(
        self, crew: Crew, settings: Settings, objectives: tuple[Objective, ...], files: dict[str, Path]
    ) -> None:
        self._crew, self._settings, self._objectives, self._files = crew, settings, objectives, files
        self._stack = ExitStack()
        self._done: Load | None = None

    def lay(self) -> None:
        """Deploy what load is sent to. What keeps us from it is told with the verdict, and ends the load."""
        runner = self._stack.enter_context(Runner(replace(self._settings, workers=2, max_requests=_NO_CEILING)))
        self._done = Load(runner, Shape(think=_think(self._crew.environment.parsed_options)))
        try:
            runner.prepare()
            self._done.plan = Ground(runner.session, runner.settings, self._done.shape).lay()
        except ApiError as error:
            runner.facts.incidents.append(f"There is nothing to send load to: {error}")
        except SuiteError as error:
            runner.facts.incidents.append(str(error))

    def begin(self) -> None:
        """Tell the users where to ask."""
        if self._done is None:
            self.lay()
        assert self._done is not None
        locust: Any = self._crew.environment.runner
        self._done.shape = replace(self._done.shape, users=max(1, locust.target_user_count - Managing.fixed_count))
        if self._done.plan is not None:
            self._crew.begin(replace(self._done.plan, shape=self._done.shape))
        self._done.began = now()

    def end(self) -> None:
        """Undeploy, and print the verdict."""
        if self._done is None:
            return
        done, self._done = self._done, None
        done.ended = now()
        self._crew.end()
        done.tally = self._crew.tally
        done.facts.add(self._crew.facts)
        seen = done.runner.seen_since()
        if seen is not None:
            done.facts.add(seen)
        self._stack.close()
        done.shape = replace(done.shape, seconds=round(done.ended - done.began, 1))
        result = concluded(done, self._objectives, Gate(), datetime.datetime.now(datetime.UTC).date())
        if failed := attempted(result, self._files):
            print(f"Error: {failed}", file=sys.stderr)
        show(result, sys.stdout)
        self._crew.environment.process_exit_code = int(result["exit_code"])


def _options(parser: Any) -> None:
    group = parser.add_argument_group("conformance")
    group.add_argument("--conformance-profile", default="2023.4", metavar="RELEASE", help="The release it conforms to.")
    group.add_argument("--conformance-think", default="0", metavar="S", help="Seconds that a user thinks.")
    group.add_argument("--conformance-objectives", default="", metavar="FILE", help="TOML of what must be reached.")
    group.add_argument(
        "--conformance-report", default="", metavar="KIND=FILE", help="json, junit, html, markdown or sarif."
    )


def _init(environment: Environment, **_: Any) -> None:
    crew = Crew(environment)
    if isinstance(environment.runner, WorkerRunner):
        return
    try:
        command = _command(crew, environment)
    except SuiteError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 3)
    if environment.parsed_options is not None and environment.parsed_options.headless:
        command.lay()  # the time that Locust counts begins after this
    environment.events.test_start.add_listener(lambda **_: command.begin())
    environment.events.test_stop.add_listener(lambda **_: command.end())


def _command(crew: Crew, environment: Environment) -> Command:
    options: Any = environment.parsed_options
    target = environment.host or os.environ.get("CONFORMANCE_TARGET", "")
    if target == "emulated":
        raise UsageError("Give --host with the URL of an instance; `conformance emulate` runs an emulated one.")
    settings = Settings(target, options.conformance_profile, seed=secrets.randbelow(2**31), wait=longest_wait(target))
    objectives = read_objectives(Path(options.conformance_objectives)) if options.conformance_objectives else ()
    reports = options.conformance_report.split() if options.conformance_report else []
    _think(options)
    return Command(crew, checked(settings), objectives, parse_reports(reports))


def _think(options: Any) -> float:
    try:
        return max(0.0, float(options.conformance_think))
    except ValueError:
        raise UsageError(f"--conformance-think {options.conformance_think} is no number of seconds.") from None


events.init_command_line_parser.add_listener(_options)
events.init.add_listener(_init)
