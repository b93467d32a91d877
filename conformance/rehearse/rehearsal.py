"""The whole rehearsal: files run on the earlier release and on the later one, each cell told, each break explained."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.drift.sources.collection import upgrade
from conformance.errors import UsageError
from conformance.rehearse.environment import instance_for
from conformance.rehearse.explaining import Reason, Releases, beyond_the_instance, is_no_python
from conformance.rehearse.outputs import difference
from conformance.rehearse.reading import Program, Runnable, Stored, named_host, programs
from conformance.rehearse.running import Ran, copied, require_kernel, run
from conformance.spec.document import Document, profiles

SAME, DIFFERS, FAILS, NOT_RUN = "same", "differs", "fails", "not-run"
WORKS, BREAKS, NONE = "works", "breaks", "none"
_UNTESTED = " What was not run was not tested, so there is no verdict."
_CODES = {WORKS: 0, BREAKS: 1, NONE: 3}


@dataclass(frozen=True)
class Rehearsal:
    """What to rehearse. `before` is the release the files are known to work on; `seconds` the most a cell may take."""

    release: str
    paths: tuple[Path, ...]
    before: str = ""
    hosts: tuple[str, ...] = ()
    python: str = sys.executable
    seconds: float = 300.0


def rehearse(asked: Rehearsal, say: Callable[[str], None] = lambda sentence: None) -> dict[str, Any]:
    """The result, in the form of specs/rehearsal.schema.json; `say` is told what is being run.

    Raises UsageError for a release, a file or an interpreter that cannot be used.
    """
    old = asked.before or asked.release
    for release in (asked.release, old):
        if release not in profiles():
            raise UsageError(f"There is no release {release!r} to rehearse on; there are {', '.join(profiles())}.")
    files = programs(asked.paths)
    fit = [one for one in files if not one.unfit]
    require_kernel(asked.python, fit)
    releases = Releases(Document.load(old), Document.load(asked.release), upgrade(old, asked.release))
    before: Mapping[Path, list[Ran]] = {}
    if old != asked.release:
        before = _played(asked, old, old, fit, {}, say)
    now = _played(asked, asked.release, old, fit, before, say)
    told = [_file(one, before.get(one.path), now.get(one.path, []), releases) for one in files]
    return _result(asked, old, told, {str(one.path) for one in files if one.unfit})


def _played(
    asked: Rehearsal, release: str, old: str, files: Sequence[Program], before: Mapping[Path, list[Ran]],
    say: Callable[[str], None],
) -> Mapping[Path, list[Ran]]:  # fmt: skip
    """Every file in turn against one instance of a release, and what came of its cells."""
    ends: dict[Path, list[Ran]] = {}
    with (
        _folder() as folder,
        copied([one.path for one in files], folder) as copies,
        instance_for(release, old, asked.hosts, next(iter(asked.hosts), named_host(files)), folder) as (
            instance,
            environ,
        ),
    ):
        environ["CONFORMANCE_REHEARSAL_KEPT"] = os.pathsep.join(map(str, copies))
        for one in files:
            say(f"{one.path} on {release} …")
            ends[one.path] = run(one, instance, environ, asked.python, copies, asked.seconds, before.get(one.path))
    return ends


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="conformance-rehearsal-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def _file(program: Program, before: Sequence[Ran] | None, now: Sequence[Ran], releases: Releases) -> dict[str, Any]:
    if program.unfit:
        return {"path": str(program.path), "verdict": NONE, "reason": program.unfit, "cells": []}
    earlier: Sequence[Ran | None] = before or [None] * len(now)
    cells = [_cell(*one, releases) for one in zip(program.cells, earlier, now, strict=True)]
    outcomes = Counter(one["outcome"] for one in cells)
    untested = any(
        one["outcome"] == NOT_RUN and not is_no_python(ran) for one, ran in zip(cells, now, strict=True)
    )  # fmt: skip
    works = outcomes[SAME] and not untested
    verdict = BREAKS if outcomes[FAILS] or outcomes[DIFFERS] else WORKS if works else NONE
    reason = _counted(cells) + (_UNTESTED if verdict == NONE and untested else "")
    return {"path": str(program.path), "verdict": verdict, "reason": reason, "cells": cells}


def _cell(cell: Runnable, before: Ran | None, now: Ran, releases: Releases) -> dict[str, Any]:
    known, where = cell.stored, "that is stored"
    if known is None and before is not None and before.good:
        known, where = before.shown, f"of {releases.old.profile}"
    outcome, why = _outcome(known, where, now)
    reasons: tuple[Reason, ...] = ()
    if outcome == NOT_RUN:
        reasons = releases.expected(before.exchanges) if before else ()
    elif outcome != SAME:
        lacking = beyond_the_instance(now, releases)
        reasons = releases.reasons(before, now) if before else ()
        if lacking and not reasons:
            outcome, why = NOT_RUN, lacking
        else:
            why += _unexplained(before, now, reasons, releases)
    line = cell.cell.start.line + max(now.failure.line - 1, 0) if now.failure else cell.cell.start.line
    return {
        "index": cell.index,
        "line": line,
        "outcome": outcome,
        "compared": outcome in (SAME, DIFFERS) and known is not None,
        "why": why,
        "lifted": now.lifted and outcome == FAILS,
        "drift": [one.change for one in reasons if one.change],
        "changes": [{"id": one.change, "message": one.sentence, "now": one.now} for one in reasons],
    }


def _outcome(known: Stored | None, where: str, now: Ran) -> tuple[str, str]:
    """A cell's outcome and why, beside the output that is known of it, which stands `where`."""
    if now.waits_for:
        return NOT_RUN, f"It needs {'; '.join(now.waits_for)}."
    if now.failure and known and known.error == now.failure.name:
        return SAME, f"It ends in {known.error}, as it did."
    if now.failure:
        return FAILS, f"{now.failure}."
    if known and known.error:
        return DIFFERS, f"It ended in {known.error}, and does not any more."
    what = difference(known.text, now.shown.text) if known and known.text.strip() else ""
    return (DIFFERS, f"The output is not the one {where}: {what}.") if what else (SAME, "")


def _unexplained(before: Ran | None, now: Ran, reasons: Sequence[Reason], releases: Releases) -> str:
    """What is said besides, where no change explains an end."""
    if reasons:
        return ""
    if now.failure and not now.exchanges:
        told = " The instance was asked nothing: the cause is in the code, or in what its Python has installed."
        return told if before is None or before.failure else f"{told} On {releases.old.profile} it did not fail."
    if before is None:
        return ""
    earlier = releases.old.profile
    if before.failure and now.failure and before.failure.name == now.failure.name:
        return f" It fails so on {earlier} too: no change between the releases is the cause."
    if before.good and not now.failure and not difference(before.shown.text, now.shown.text):
        return f" On {earlier} it is the same: no change between the releases is the cause."
    return f" Nothing that is known to have changed between {earlier} and {releases.new.profile} explains it."


def _counted(cells: Sequence[Mapping[str, Any]]) -> str:
    words = {SAME: "the same", DIFFERS: "different", FAILS: "failed", NOT_RUN: "not run"}
    outcomes = Counter(one["outcome"] for one in cells)
    parts = [f"{outcomes[name]} {word}" for name, word in words.items() if outcomes[name]]
    unseen = sum(1 for one in cells if one["outcome"] == SAME and not one["compared"])
    beside = f" ({unseen} of them with no stored output to compare)" if unseen else ""
    listed = ", ".join(parts).replace("the same", f"the same{beside}", 1)
    return f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}: {listed or 'nothing to run'}."


def _result(asked: Rehearsal, old: str, files: Sequence[dict[str, Any]], unfit: set[str]) -> dict[str, Any]:
    verdicts = [one["verdict"] for one in files]
    # What was not run was not tested. A file that has nothing to run, such as a page of prose, says nothing either way.
    untested = [one for one in files if one["verdict"] == NONE and (one["cells"] or one["path"] in unfit)]
    verdict = BREAKS if BREAKS in verdicts else WORKS if WORKS in verdicts and not untested else NONE
    cells = [cell for one in files for cell in one["cells"]]
    return {
        "verdict": verdict,
        "exit_code": _CODES[verdict],
        "reason": _counted(cells) + (_UNTESTED if verdict == NONE and untested else ""),
        "release": asked.release,
        "from": old,
        "files": list(files),
    }
