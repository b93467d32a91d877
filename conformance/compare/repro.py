"""A difference as a test: a pytest file, and beside it what the old side answered to the smallest sequence."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.compare.comparison import Difference, Judge
from conformance.compare.kept import read_kept, write
from conformance.compare.side import opened
from conformance.errors import UsageError
from conformance.redaction import redact_text
from conformance.reporting.files import write_whole
from conformance.run.settings import Settings, longest_wait

_PASSES = 2
_FILE = '''\
"""{operation} answers otherwise than the old side.

{location}: {kind}
Old: {old}
New: {new}

Set CONFORMANCE_TARGET to an instance's URL, and CONFORMANCE_TOKEN or CONFORMANCE_USERNAME and CONFORMANCE_PASSWORD.
Then `pytest FILE` asks a small sequence that shows it; the old side's answers stand in the folder beside this file.
The test fails while the instance answers otherwise. What it deploys is undeployed.
"""

from pathlib import Path

from conformance.compare.repro import told_of_target

OLD = Path(__file__).parent / "{folder}"
DIFFERENCE = "{id}"


def test_{name}() -> None:
    told = told_of_target(OLD, "{profile}")
    assert DIFFERENCE not in told, told[DIFFERENCE]
'''


def write_tests(place: Path, differences: Sequence[Difference], profile: str) -> list[Path]:
    """Write each difference that a small sequence shows as a test and a recording; the tests. Raises UsageError."""
    written: list[Path] = []
    for one in differences:
        if one.proof is None or one.follows:
            continue
        name = re.sub(r"\W+", "_", one.id.replace("response.", "")).strip("_").lower()
        write(place / name, one.proof.plan, one.proof.before, profile)
        text = _FILE.format(
            operation=one.operation, location=one.location, kind=one.kind, old=_inside(one.old), new=_inside(one.new),
            folder=name, name=name, profile=profile, id=one.id,
        )  # fmt: skip
        path = place / f"test_{name}.py"
        write_whole(path, text, "The test")
        written.append(path)
    return written


def _inside(text: str) -> str:
    """A text as it stands inside a docstring."""
    return redact_text(" ".join(text.split())).replace("\\", "\\\\").replace('"', "'")


def told_of_target(folder: Path, profile: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the instance of CONFORMANCE_TARGET answers otherwise than the recording: a sentence by each difference's id.

    Raises UsageError without a target, NoVerdictError where it cannot be asked.
    """
    target = environ.get("CONFORMANCE_TARGET", "")
    if not target:
        raise UsageError("No target: set CONFORMANCE_TARGET to the URL of an instance of yours, or to 'emulated'.")
    plan, before = read_kept(folder, profile)
    with opened("new", target, Settings(target=target, profile=profile, wait=longest_wait(target)), environ) as side:
        side.require_answer()
        after = [side.play(plan) for _ in range(_PASSES)]
    return {one.id: f"old: {one.old}; new: {one.new}" for one in Judge(plan, before, after).differences()}
