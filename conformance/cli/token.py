"""`conformance token`: a bearer token for what reports print."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from conformance.cli.options import profile_option, safety_options, transport_options
from conformance.errors import NoVerdictError, UsageError
from conformance.run.settings import EMULATED, Settings, checked, open_target


@click.command()
@click.option(
    "--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL", help="The instance to get a token for."
)
@profile_option("The release the target is of.")
@click.option("--export", is_flag=True, help="Print shell commands that set TARGET and TOKEN, for eval.")
@transport_options
@safety_options
def token(export: bool, **options: Any) -> int:
    """Print a bearer token, got with the credentials that `conformance run` reads from the environment.

    It is printed only to a terminal, or with --export for a shell: eval "$(conformance token --target URL --export)".
    """
    if not (export or sys.stdout.isatty()):
        raise UsageError(
            "A token is printed only to a terminal, so that it is not kept in a file or log; "
            'in a shell use  eval "$(conformance token --target URL --export)".'
        )
    settings = Settings(**options)
    if settings.kind == EMULATED:
        raise UsageError("--target emulated ends with its own command. Start `conformance emulate` and give its URL.")
    target = open_target(checked(settings))
    try:
        header = target.credentials.authorization() if target.credentials else ""
    finally:
        target.close()
    bearer = header.partition(" ")[2]
    if not bearer:
        raise NoVerdictError(f"{target.url} gave no bearer token.")
    if export:
        click.echo(f"export TARGET={shlex.quote(target.url)}")
        click.echo(f"export TOKEN={shlex.quote(bearer)}")
    else:
        click.echo(bearer)
    return 0
