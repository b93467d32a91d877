"""`conformance clean`: undeploy what interrupted runs left behind, by their journals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conformance.cli.options import profile_option, transport_options
from conformance.errors import NoVerdictError, UsageError
from conformance.run.settings import EMULATED, Settings, checked, open_target, require_answer
from conformance.targets.address import base_url
from conformance.targets.safety.cleanup import clean as cleaned_by
from conformance.targets.safety.guard import Guard
from conformance.targets.safety.holdings import Holdings
from conformance.targets.safety.journal import Entry, Journal, default_folder, entries
from conformance.targets.target import Safeguards


@click.command()
@click.option("--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL", help="The target of the runs.")
@click.option(
    "--run", "run_id", default="", metavar="ID", help="Only this run; otherwise every run against this target."
)
@click.option("--journal", default="", metavar="DIR", help="Where the journals are, if not in the user's state folder.")
@profile_option("The release the target is of.")
@click.option(
    "--timeout", "wait", type=float, default=300.0, show_default=True, help="Longest wait, in seconds, for each run."
)
@transport_options
def clean(target: str, run_id: str, journal: str, profile: str, wait: float, **transport: Any) -> int:
    """Undeploy what interrupted runs left behind.

    Exits 0 when nothing of theirs is left, 3 otherwise.

    Only what a run's journal shows to be its own is touched. It may be repeated, and used while no run is going on.
    """
    settings = checked(Settings(target=target, profile=profile, wait=wait, **transport))
    folder = Path(journal) if journal else default_folder()
    found = _of_target(entries(folder, run_id), settings, named=bool(run_id))
    pending = [entry for entry in found if entry.open]
    if pending:
        _require_answer(settings)
    complaints = [complaint for entry in pending if (complaint := _ended(entry, settings))]
    if complaints:
        raise NoVerdictError(" ".join(complaints))
    if not pending:
        click.echo(
            f"Nothing to clean: no journal in {folder} lists anything that is still deployed at {settings.target}."
        )
    return 0


def _of_target(found: list[Entry], settings: Settings, *, named: bool) -> list[Entry]:
    """The journals of runs against this target. Raises UsageError where a run that was named took place elsewhere."""
    url = EMULATED if settings.kind == EMULATED else base_url(settings.target)
    there = [entry for entry in found if entry.target == url or (url != EMULATED and _is_of(entry.target, url))]
    if named and not there:
        raise UsageError(f"The run {found[0].run_id} was against {found[0].target}, not {url}.")
    return [] if url == EMULATED else there  # an emulated instance ends with its run


def _is_of(target: str, url: str) -> bool:
    """Whether a journal's target is the one at this base URL, however its port or host was written."""
    return target != EMULATED and base_url(target) == url


def _require_answer(settings: Settings) -> None:
    target = open_target(settings)
    try:
        require_answer(target)
    finally:
        target.close()


def _ended(entry: Entry, settings: Settings) -> str:
    """Undeploy what one run left; says what could not be, empty where all is gone. Its journal is closed then."""
    journal = Journal(entry.path)
    holdings = Holdings(entry.holdings.prefix, journal.write)
    for note in entry.notes:
        holdings.take(note)
    target = open_target(settings, safeguards=Safeguards(holdings, Guard(holdings)))
    try:
        cleaned = cleaned_by(target, holdings, settings.wait)
    finally:
        target.close()
        journal.close(clean=holdings.clean)
    ended = ", ".join(cleaned.ended) or "nothing, because nothing was still deployed"
    click.echo(f"Run {entry.run_id} of {entry.started}: undeployed {ended}.")
    return cleaned.sentence
