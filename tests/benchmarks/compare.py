"""By hand: `python -m tests.benchmarks.compare KEPT [--proxy DIR] [--every N] [--only ID]… [--workers N]`.

How many faults `conformance compare` tells as differences, no requirement consulted. KEPT is what
`conformance record --target emulated --whole` wrote: the old side. The new side is an emulated instance with each fault
in turn, or with a proxy before it for each file in DIR. As in the quick budget it is asked the plan twice; the second
pass is left out where the first shows a difference. Every tenth instance has no fault: a difference told of one of
those is a false alarm.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

from conformance.cli.measurement import Subject, instance, subjects_in, subjects_of
from conformance.compare.comparison import Difference, Judge
from conformance.compare.kept import read_kept
from conformance.compare.side import EMULATED_SECRET, Pass, Side
from conformance.emulator.faults import FOUND_BY_SUITES, find
from conformance.errors import SuiteError
from conformance.run.settings import Settings
from conformance.targets.proxy import proxied, spoiling

PROFILE, PASSES, WAIT_SECONDS, LONGEST = "2023.4", 2, 20.0, 600.0
HEALTHY = "no fault"
KNOWN = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


@cache
def old_side(kept: Path) -> Judge:
    """The recording, learned once for each process."""
    plan, passes = read_kept(kept, PROFILE)
    return Judge(plan, passes, passes[:1])


def differences(subject: Subject, kept: Path) -> tuple[list[str], str]:
    """The differences told of an instance with a fault, a line each; and why it has no verdict, where it has none."""
    old, passes = old_side(kept), list[Pass]()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), ExitStack() as stack:
        planted = (find(subject.id),) if subject.kind not in ("proxy", HEALTHY) else ()
        url, key = stack.enter_context(instance(planted))
        if subject.file:
            url = stack.enter_context(proxied(url, spoiling(Path(subject.file))))
        journal = stack.enter_context(tempfile.TemporaryDirectory())
        settings = Settings(url, wait=WAIT_SECONDS, journal=journal, signing_key=key)
        side = Side("new", settings, KNOWN, EMULATED_SECRET)
        try:
            for _ in range(PASSES):
                passes.append(side.play(old.plan))
                found = old.against(passes).differences()
                if found:
                    return list(map(line_of, found)), ""
        except SuiteError as error:
            return [], f"{type(error).__name__}: {error}"
    return [], ""


def line_of(one: Difference) -> str:
    """A difference in one line."""
    return f"{'breaking' if one.breaking else 'told'} {one.id} ({one.how_often}): {one.old[:60]!r} -> {one.new[:60]!r}"


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 where fewer than nine in ten are told, or an instance without a fault is told of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kept", type=Path)
    parser.add_argument("--proxy", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    every = subjects_in(given.proxy) if given.proxy else subjects_of(FOUND_BY_SUITES)
    chosen = [one for one in every if one.id in given.only] if given.only else list(every[:: given.every])
    asked = [*chosen, *(Subject(f"healthy {number}", HEALTHY) for number in range(1 + len(chosen) // 10))]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["conformance.cli.measurement", "conformance.compare.kept"])
    told: dict[str, list[str]] = {}
    with ProcessPoolExecutor(given.workers, mp_context=context, max_tasks_per_child=25) as pool:
        waiting = {pool.submit(differences, one, given.kept): one for one in asked}
        for future in as_completed(waiting):
            lines, reason = future.result(LONGEST)
            one = waiting[future]
            told[one.id] = lines
            word = "told" if lines else "alike" if one.kind == HEALTHY else "MISSED"
            print(f"{word}: {one.id} {reason}", *lines[:6], sep="\n  ", file=sys.stderr)
    print(table(chosen, told))
    missed = [one.id for one in chosen if not told[one.id]]
    alarms = [one.id for one in asked if one.kind == HEALTHY and told[one.id]]
    print(f"\nMissed: {', '.join(missed) or 'none'}. Without a fault {len(asked) - len(chosen)}, told {len(alarms)}.")
    return int(10 * len(missed) > len(chosen) or bool(alarms))


def table(chosen: Sequence[Subject], told: dict[str, list[str]]) -> str:
    """By class: how many there were, how many were told, and of how many as breaking."""
    faults, found, breaking = Counter[str](), Counter[str](), Counter[str]()
    for one in chosen:
        for kind in (one.kind, "all"):
            faults[kind] += 1
            found[kind] += bool(told[one.id])
            breaking[kind] += any(line.startswith("breaking") for line in told[one.id])
    lines = ["| class | faults | told | told as breaking |", "|---|---:|---:|---:|"]
    for kind in [*(kind for kind in faults if kind != "all"), "all"]:
        share = 100 * found[kind] // faults[kind]
        lines.append(f"| {kind} | {faults[kind]} | {found[kind]} ({share} %) | {breaking[kind]} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
