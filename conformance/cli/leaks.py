"""`conformance leaks`: look for credentials and personal data that survived in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from conformance.recording.leaks import scan

_SHOWN = 200


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|DIR …")
def leaks(paths: Sequence[Path]) -> int:
    """Look for secrets in files, folders and archives.

    Exits 0 when there are none, 1 when there are.

    Prints the place and the kind of each, never the secret. It shares nothing with the redaction whose work it checks.
    """
    kinds: Counter[str] = Counter()
    for leak in scan(paths):
        kinds[leak.kind] += 1
        if kinds.total() <= _SHOWN:
            click.echo(f"{leak.file}:{leak.line}: {leak.kind}")
    if not kinds:
        click.echo("No leak found.")
        return 0
    counted = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
    click.echo(f"{kinds.total()} leaks: {counted}. Remove them, or replace them by placeholders such as <token-1>.")
    return 1
