"""`conformance drift`: what changed between two descriptions, and who breaks."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import click

from conformance.drift.compare import compare
from conformance.drift.comparison import BREAKING, NONE, Comparison
from conformance.drift.document import load
from conformance.drift.forms import FORMS, render
from conformance.drift.ignoring import leave_out, read_ignored
from conformance.errors import UsageError


@click.command()
@click.argument("base", required=False, type=click.Path(path_type=Path))
@click.argument("revision", required=False, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMS)), default="text", show_default=True, help="How to say it.")
@click.option(
    "--fail-on",
    type=click.Choice(["breaking", "any", "never"]),
    default="breaking",
    show_default=True,
    help="Which changes make the exit code 1.",
)
@click.option("--ignore", "ignored", type=click.Path(path_type=Path), metavar="FILE", help="TOML of accepted changes.")
@click.option("--allow-remote", is_flag=True, help="Fetch what the descriptions refer to on other hosts.")
def drift(
    base: Path | None, revision: Path | None, form: str, fail_on: str, ignored: Path | None, allow_remote: bool
) -> int:
    """Compare the OpenAPI description REVISION with BASE: what changed, and whose client breaks.

    Both are OpenAPI 3.0 or 3.1, YAML or JSON. Equal meanings are no change, however they are written. The exit code is 0, or 1
    for a change at or above --fail-on.
    """
    if base is None or revision is None:
        raise UsageError("Name two descriptions to compare, BASE and REVISION.")
    entries = read_ignored(ignored) if ignored is not None else ()
    found = compare(load(base, allow_remote), load(revision, allow_remote))
    found = replace(found, sources={"base": str(base), "revision": str(revision)})
    if entries:
        found = leave_out(found, entries, datetime.datetime.now(datetime.UTC).date())
    click.echo(render(found, form), nl=False)
    return exit_code(found, fail_on)


def exit_code(found: Comparison, fail_on: str) -> int:
    """1 for a change at or above `fail_on` (`breaking`, `any`, `never`), else 0."""
    failing = {"breaking": found.verdict == BREAKING, "any": found.verdict != NONE, "never": False}
    return int(failing[fail_on])
