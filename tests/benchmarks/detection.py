"""By hand: `python -m tests.benchmarks.detection [EVERY [EXAMPLES]]`.

Plain `schemathesis run` beside our own on the same faults: every EVERYth of the emulated instance's (1 for all), by
class. It runs with all its checks and phases, EXAMPLES for each operation (20 by default; its own default is 100), a
token, and our description. A fault counts as found where it reports a kind of failure of an operation that it does not
report of the instance without faults; ours where the fault's own requirement breaks in the quick or standard budget.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from conformance.checks import Rules
from conformance.cli.measurement import measure, subjects_of
from conformance.emulator.faults import FOUND_BY_SUITES
from conformance.run.settings import Settings, open_target
from conformance.targets.emulated import emulator_process

Failures = frozenset[tuple[str, str]]
SEED = 1
_DAY = "86400"


def failures(fault: str, examples: int) -> tuple[Failures, float]:
    """The kinds of failure by operation that schemathesis reports with a fault (none: ""), and the seconds it took."""
    options = ["--token-seconds", _DAY, *(["--fault", fault] if fault else [])]
    with emulator_process(options) as url, tempfile.TemporaryDirectory() as folder:
        target = open_target(Settings("emulated", emulated_url=url))
        assert target.credentials is not None
        authorization = target.credentials.authorization()
        target.close()
        report = Path(folder) / "report.json"
        began = time.monotonic()
        subprocess.run(
            [str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/v1/api/openapi.json", "--url", url,
             "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure",
             "--max-examples", str(examples), "--seed", str(SEED), "-H", f"Authorization: {authorization}",
             "--report", "json", "--report-json-path", str(report)],
            cwd=folder, env=dict(os.environ), capture_output=True, check=False,
        )  # fmt: skip
        told = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
        seconds = time.monotonic() - began
    kinds = [*told.get("failures", ()), *told.get("errors", ())]
    return frozenset((kind.get("type", ""), one) for kind in kinds for one in kind.get("operations", ())), seconds


def main(every: int, examples: int) -> None:
    chosen, workers = FOUND_BY_SUITES[::every], os.cpu_count() or 1
    plain, _ = failures("", examples)
    names = [fault.id for fault in chosen]
    with ThreadPoolExecutor(workers) as pool:
        seen = dict(zip(names, pool.map(partial(failures, examples=examples), names), strict=True))
    ours = {one.fault.id: one for one in measure(subjects_of(chosen), "standard", SEED, workers)}
    count, theirs, own = Counter[str](), Counter[str](), Counter[str]()
    for fault in chosen:
        for kind in (fault.kind, "all"):
            count[kind] += 1
            theirs[kind] += bool(seen[fault.id][0] - plain)
            own[kind] += bool(ours[fault.id].found)
    print(
        f"Each of {len(chosen)} faults; schemathesis took {sum(s for _, s in seen.values()) / len(seen):.0f} s a run.\n"
    )
    print("| class | faults | schemathesis run | conformance run |\n|---|---:|---:|---:|")
    for kind in [*(kind for kind in count if kind != "all"), "all"]:
        shares = (f"{found} ({100 * found // count[kind]} %)" for found in (theirs[kind], own[kind]))
        print(f"| {kind} | {count[kind]} | {' | '.join(shares)} |")


if __name__ == "__main__":
    Rules.of()
    main(*(int(argument) for argument in (*sys.argv[1:3], *("1", "20")[len(sys.argv[1:3]) :])))
