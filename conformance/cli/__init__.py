"""Arguments to exit codes: the command line, and the only place that exits."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from importlib.metadata import version

import click

from conformance.cli.streams import unfailing
from conformance.errors import SuiteError, UsageError

COMMANDS = {
    "run": "Run the suites against a target and print a verdict.",
    "merge": "Print the verdict of a run out of the results of its shards.",
    "emulate": "Serve an emulated instance of the API.",
    "check": "Judge recorded traffic, sending nothing.",
    "record": "Run the lifecycle and keep its exchanges, redacted.",
    "repro": "Write the findings on a requirement as a script and a test, which show them again on any instance.",
    "token": "Print a bearer token, got with the credentials that `conformance run` reads from the environment.",
    "redact": "Write a copy of a capture without its secrets.",
    "leaks": "Look for secrets in files, folders and archives.",
    "compare": "Send the same requests to two instances, and show every difference.",
    "identify": "Say which release an instance runs, by at most five requests that only read; exit 3 "
    "if it cannot be determined.",
    "rehearse": "Run your files unchanged against an emulated instance of a release.",
    "load": "Send judged load to a deployment of its own, also while that changes.",
    "matrix": "Print a table of RESULT.json files: releases and instances against groups of requirements.",
    "drift": "Compare descriptions: what changed, and whose client breaks.",
    "clean": "Undeploy what interrupted runs left behind.",
    "report": "Print a result again, or write its reports.",
    "waivers": "Check waiver files, or propose entries for what a run found broken.",
    "validate": "Check that OpenAPI files are valid.",
    "requirements": "List every requirement, with the last run's evidence.",
    "faults": "List the defects that an emulated instance can have.",
    "explain": "Print one requirement in full.",
}
"""Each is a module of this package with a click command of that name, which returns its exit code; and what it does."""

HELD, BROKEN, USAGE, NO_VERDICT = 0, 1, 2, 3


class _Commands(click.Group):
    """Imports a command's module when it is asked for, so that `--help` does not load every library."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{name}")
        command = getattr(module, name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("wallaroo-conformance"), prog_name="conformance")
def group() -> None:
    """Judge a Wallaroo MLOps API's pipeline operations against what they promise.

    For completion in bash: eval "$(_CONFORMANCE_COMPLETE=bash_source conformance)"; zsh_source and fish_source in
    zsh and fish.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 conformant, 1 broken, 2 wrong usage, 3 no verdict."""
    with unfailing():
        code = _code(arguments)
    sys.exit(code)


def _code(arguments: list[str] | None) -> int:
    try:
        code = group.main(args=arguments, prog_name="conformance", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return USAGE
    except UsageError as error:
        click.echo(f"Error: {error}", err=True)
        return USAGE
    except SuiteError as error:
        click.echo(f"No verdict: {error}", err=True)
        return NO_VERDICT
    except (click.Abort, KeyboardInterrupt):
        click.echo("No verdict: interrupted.", err=True)
        return NO_VERDICT
    except Exception as error:
        return _own_fault(error)
    return code if isinstance(code, int) else HELD


def _own_fault(error: Exception) -> int:
    where = traceback.extract_tb(error.__traceback__)[-1]
    click.echo(
        f"No verdict: the suite itself failed ({type(error).__name__} in {os.path.basename(where.filename)}, "  # noqa: PTH119
        f"line {where.lineno}). This says nothing about the target; please report it with the command that led here.",
        err=True,
    )
    return NO_VERDICT
