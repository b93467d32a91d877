"""`conformance identify`: which release an instance speaks, by reads alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import click

from conformance.cli.options import profile_option, transport_options
from conformance.errors import NoVerdictError
from conformance.run.release import identify as identified_by
from conformance.run.settings import Settings, checked, emulator_for, open_target


@click.command()
@click.option("--target", envvar="CONFORMANCE_TARGET", default="", metavar="URL|emulated", help="The instance.")
@profile_option("The release that `--target emulated` starts.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@transport_options
def identify(target: str, profile: str, form: str, **transport: Any) -> int:
    """Say which release an instance runs, by at most five requests that only read; exit 3 if it cannot be determined.

    Each piece of evidence is printed with the releases that answer so.
    """
    settings = checked(Settings(target=target, profile=profile, effects="read", **transport))
    with emulator_for(settings) as url:
        opened = open_target(replace(settings, emulated_url=url), os.environ)
        try:
            found = identified_by(opened)
        finally:
            opened.close()
    if form == "json":
        rows = [{"request": one.request, "came": one.came, "fits": sorted(one.fits)} for one in found.evidence]
        click.echo(json.dumps({"releases": list(found.releases), "sure": found.sure, "evidence": rows}, indent=1))
    else:
        for one in found.evidence:
            click.echo(f"{one.request}: {one.came} ({', '.join(sorted(one.fits))})")
        click.echo(f"{' or '.join(found.releases) or 'no known release'}: {found.sure}")
    if not found.releases or found.sure.startswith("nothing"):
        raise NoVerdictError("The release of this instance cannot be determined. Give --profile yourself.")
    return 0
