"""How many of the emulated instance's faults a run finds, and how fast: the suite measured by defects it is given."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.emulator.faults import Fault
from conformance.targets.emulated import emulator_process

_LONGEST_RUN = 600.0


@dataclass(frozen=True)
class Measured:
    """One fault's run: whether it was found (`broken` under an id that it is known to break), whether anything gated,
    other ids broken, and the seconds to the first finding and of the whole run."""

    fault: Fault
    found: bool
    exit_code: int
    others: tuple[str, ...]
    first: float | None
    seconds: float


def measure(faults: Iterable[Fault], budget: str, seed: int) -> Iterator[Measured]:
    """Run the suite once against an instance with each fault, one after another."""
    for fault in faults:
        with emulator_process(["--fault", fault.id]) as url, tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            code, result = _run(url, budget, seed, Path(folder) / "result.json")
            seconds = time.monotonic() - began
        broken = {row["id"] for row in result.get("requirements", ()) if row["outcome"] == "broken"}
        yield Measured(
            fault,
            bool(broken & set(fault.breaks)),
            code,
            tuple(sorted(broken - set(fault.breaks))),
            result.get("first_finding"),
            seconds,
        )


def _run(url: str, budget: str, seed: int, report: Path) -> tuple[int, dict[str, Any]]:
    known = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    options = ["--target", url, "--budget", budget, "--seed", str(seed), "--report", f"json={report}"]
    command = [sys.executable, "-P", "-m", "conformance", "run", *options]
    done = subprocess.run(  # noqa: S603  our own command
        command, env=known | dict(os.environ), capture_output=True, timeout=_LONGEST_RUN, check=False
    )
    result = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    return done.returncode, result


def markdown(measured: Sequence[Measured]) -> str:
    """A table by class, and below it what was missed and what was told under another id."""
    lines = ["| class | faults | found | exit 1 | first finding (median s) |", "|---|---:|---:|---:|---:|"]
    kinds = list(dict.fromkeys(one.fault.kind for one in measured))
    for kind in [*kinds, "all"]:
        lines.append(_row(kind, [one for one in measured if kind in (one.fault.kind, "all")]))
    missed = [one.fault.id for one in measured if not one.found]
    lines += ["", f"Missed: {', '.join(missed) or 'none'}."]
    lines += [f"Besides its own, `{one.fault.id}` broke {', '.join(one.others)}." for one in measured if one.others]
    return "\n".join(lines) + "\n"


def _row(kind: str, rows: Sequence[Measured]) -> str:
    found = sum(one.found for one in rows)
    failed = sum(one.exit_code == 1 for one in rows)
    times = [one.first for one in rows if one.first is not None]
    first = f"{statistics.median(times):.1f}" if times else "–"
    return f"| {kind} | {len(rows)} | {found} ({100 * found // max(1, len(rows))} %) | {failed} | {first} |"
