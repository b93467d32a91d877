"""`conformance explain ID`: one requirement in full."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator

import click

from conformance.cli import options as shared
from conformance.cli.options import profile_option
from conformance.cli.requirements import evidence
from conformance.model import Requirement

_WIDTH = 100


@click.command()
@click.argument("requirement_id", metavar="ID", shell_complete=shared.complete_requirements)
@profile_option("The release it is a requirement of.")
@click.option("--result", "result_file", default="", metavar="FILE", help="Take the evidence from this result.")
def explain(requirement_id: str, profile: str, result_file: str) -> int:
    """Print one requirement in full.

    Where it stands, how it is checked, which defect of the emulated instance breaks it, and what the last run saw.
    """
    from conformance.spec.requirements import load

    row = load(profile).named(requirement_id)
    click.echo(f"{row.id}\n")
    click.echo(textwrap.fill(row.text, _WIDTH) + "\n")
    for name, text in _parts(row, result_file):
        click.echo(textwrap.fill(text, _WIDTH, initial_indent=f"{name:<10}", subsequent_indent=" " * 10))
    return 0


def _parts(row: Requirement, result_file: str) -> Iterator[tuple[str, str]]:
    gates = "broken, it makes a target non-conformant" if row.gates else "broken, it is a warning"
    yield "Level", f"{row.level}, {row.basis}: {gates}"
    yield "Source", row.source
    if row.profiles:
        yield "Releases", ", ".join(row.profiles)
    yield from _standing(row)
    yield from _readings(row)
    yield "Check", checked_by(row)
    if "field" in row.notes:
        yield "Field", str(row.notes["field"])
    yield "Suite", str(row.notes.get("suite", "lifecycle"))
    yield "Fault", broken_by(row)
    for kind, reason in row.unreached.items():
        yield "Untested", f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} target may leave it untested: {reason}"
    seen = evidence(result_file).get(row.id)
    if seen:
        read = f"; the reading seen is {seen['reading']}" if seen["reading"] else ""
        yield "Last run", f"{seen['outcome']}, seen {seen['evidence']} times{read}"


def _standing(row: Requirement) -> Iterator[tuple[str, str]]:
    from conformance.spec.requirements import standing

    headings = list(dict.fromkeys(heading for heading, _ in standing(row)))
    if headings:
        yield "Stands", "in the tutorial under " + ", ".join(f"“{heading}”" for heading in headings)


def _readings(row: Requirement) -> Iterator[tuple[str, str]]:
    fair = row.notes.get("fair", ())
    for key, text in row.notes.get("readings", {}).items():
        mark = " (ours)" if key == row.notes["held"] else " (fair too)" if key in fair else ""
        yield "Reading", f"{key}{mark}: {text}"
    if "why" in row.notes:
        yield "Why", str(row.notes["why"])


def checked_by(row: Requirement) -> str:
    """The check's name and the first sentence of what it says of itself, or why there is none."""
    if not row.check:
        return f"none: {row.notes.get('unresolved') or row.notes['measured']}"
    from conformance import checks

    module, _, name = row.check.partition(".")
    said = inspect.getdoc(getattr(getattr(checks, module), name)) or ""
    return f"{row.check}: {' '.join(said.split())}"


def broken_by(row: Requirement) -> str:
    """The faults of the emulated instance that break it, or why there is none."""
    from conformance.emulator.faults import FAULTS

    faults = [f"{fault.id} ({fault.sentence})" for fault in FAULTS if row.id in fault.breaks]
    return "; ".join(faults) or f"none: {row.notes.get('no_fault') or row.notes.get('unresolved') or 'not yet written'}"
