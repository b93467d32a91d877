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

COMMANDS = (
    "run",
    "emulate",
    "check",
    "record",
    "repro",
    "token",
    "redact",
    "leaks",
    "compare",
    "identify",
    "matrix",
    "drift",
    "clean",
    "report",
    "waivers",
    "validate",
    "requirements",
    "faults",
    "explain",
)
"""Each is a module of this package that holds a click command of the same name, returning its exit code."""

HELD, BROKEN, USAGE, NO_VERDICT = 0, 1, 2, 3


class _Commands(click.Group):
    """Imports a command's module when it is asked for, so that `--help` does not load every library."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

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
    """Judge a Wallaroo MLOps API's pipeline operations against what they promise."""


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
