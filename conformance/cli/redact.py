"""`conformance redact`: clean somebody's capture, so that it can be given away."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from conformance.errors import UsageError
from conformance.recording.leaks import scan
from conformance.recording.sanitizer import sanitized
from conformance.recording.traffic import found


@click.command()
@click.argument("capture", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Where to write it.")
def redact(capture: Path, output: Path) -> int:
    """Write a copy of a capture without its secrets.

    Credentials and personal data become placeholders; the original stays as it is.

    Reads a HAR or a recording, packed (.har.gz, .zip) or not. Secrets become placeholders such as <jwt-1>, equal ones
    equal placeholders; a body that cannot be read is left out. `conformance leaks` finds nothing in the copy.
    """
    if not capture.is_file():
        raise UsageError(f"{capture} is no file; name one HAR or one recording.")
    with tempfile.TemporaryDirectory(prefix="conformance-redact-") as folder:
        files = list(found(capture, Path(folder)))
        if len(files) != 1:
            raise UsageError(f"{capture} holds {len(files)} files of traffic; unpack it and give one at a time.")
        text = json.dumps(sanitized(files[0]), ensure_ascii=False, indent=1) + "\n"
        draft = Path(folder) / "redacted.json"
        draft.write_text(text, encoding="utf-8", errors="replace")
        survivors = list(scan([draft]))
    if survivors:
        kinds = ", ".join(sorted({leak.kind for leak in survivors}))
        raise UsageError(f"{capture} could not be cleaned: {kinds} would remain. Nothing was written.")
    part = output.with_name(f".{output.name}.part")
    try:
        part.write_text(text, encoding="utf-8", errors="replace")
        part.replace(output)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"Wrote {output}; `conformance leaks {output}` finds nothing in it.")
    return 0
