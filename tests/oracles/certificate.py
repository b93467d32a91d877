"""Sends every recording to the emulated instances of the releases it can be of, and certifies what they reproduce."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.compare.reissue import Difference, Reissue, differences, read, reissues
from conformance.compare.side import opened
from conformance.data import FIXTURES
from conformance.model import Mark
from conformance.recording import folder
from conformance.recording.recording import Recording
from conformance.run.settings import EMULATED, Settings
from conformance.spec.document import Document, profiles

_WAIT_SECONDS = 8.0
PUBLISHED = FIXTURES / "published"


@dataclass(frozen=True)
class Explained:
    """Why a difference is no fault of the emulated instance. `contradicts` says what the recording speaks against."""

    id: str
    why: str
    operations: tuple[str, ...]
    place: re.Pattern[str]
    recordings: frozenset[str]
    contradicts: str = ""
    follows: str = ""

    def covers(self, recording: Recording, difference: Difference) -> bool:
        """Whether it explains that difference of that recording."""
        named = not self.recordings or name_of(recording) in self.recordings
        return (
            named and recording.exchange.operation in self.operations and bool(self.place.fullmatch(difference.place))
        )


def explanations(path: Path) -> list[Explained]:
    """The entries of the file that explains differences."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["difference"]
    return [
        Explained(
            row["id"],
            row["why"],
            tuple(row["operations"]),
            re.compile(row["place"]),
            frozenset(row.get("recordings", ())),
            row.get("contradicts", ""),
            row.get("follows", ""),
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Certified:
    """What came of one recording at the release that is most like it. `unasked` says why it was not sent, if so."""

    recording: Recording
    profile: str
    differences: tuple[Difference, ...] = ()
    unasked: str = ""


def name_of(recording: Recording) -> str:
    """The recording's name in its file, or its file's."""
    return recording.name.rpartition("#")[2].rpartition("/")[2].removesuffix(".json")


def candidates(release: str) -> tuple[str, ...]:
    """The profiles a recording may be of: `2024.1..2025.1`, and the next, since a cluster may run ahead of its SDK."""
    first, _, last = release.partition("..")
    known = profiles()
    before = [name for name in known if name <= first][-1:] or known[:1]
    within = [name for name in known if first <= name <= (last or first)]
    after = [name for name in known if name > (last or first)][:1]
    return tuple(dict.fromkeys((*before, *within, *after)))


def certify(
    folders: Sequence[Path],
    model: bytes,
    known: Sequence[Explained],
    journal: Path,
    *,
    releases: Sequence[str],
) -> list[Certified]:
    """Every recording in the folders, held to each of the releases that it may be of; the likest counts."""
    found: dict[str, list[Certified]] = defaultdict(list)
    for profile in releases:
        document = Document.load(profile)
        recordings = [one for place in folders for one in folder.read(place, document)]
        plans = reissues([one for one in recordings if profile in candidates(one.release)], model)
        settings = Settings(target=EMULATED, profile=profile, wait=_WAIT_SECONDS, journal=str(journal))
        with opened("new", EMULATED, settings, os.environ) as side:
            for plan in plans:
                answers = side.play(plan.plan) if plan.plan.steps else None
                for one in _held(plan, answers, profile):
                    found[one.recording.name].append(one)
    return [min(options, key=lambda one: _badness(one, known)) for options in found.values()]


def _badness(one: Certified, known: Sequence[Explained]) -> tuple[bool, int, int]:
    return bool(one.unasked), len(unexplained(one, known)), len(one.differences)


def _held(plan: Reissue, answers: Any, profile: str) -> Iterator[Certified]:
    yield from (Certified(recording, profile, unasked=why) for recording, why in plan.left_out)
    if answers is None:
        return
    recorded, ours = read(plan.recorded, plan.plan), read(answers, plan.plan)
    for number, recording in plan.recordings.items():
        if number not in ours:
            yield Certified(recording, profile, unasked=answers.left_out.get(number, "It was not sent."))
            continue
        exchange = recording.exchange
        exact = exchange.status is not None and Mark.STATUS_INFERRED not in exchange.labels
        told = differences(recorded[number], ours[number], exchange.operation or "", number, exact=exact)
        yield Certified(recording, profile, tuple(told))


def unexplained(one: Certified, known: Iterable[Explained]) -> list[Difference]:
    """The differences that no entry explains."""
    entries = list(known)
    return [told for told in one.differences if not any(entry.covers(one.recording, told) for entry in entries)]


def certificate(rows: Sequence[Certified], known: Sequence[Explained], reached: Mapping[str, Sequence[int]]) -> str:
    """The certificate as Markdown. `reached` has the statuses that an emulated instance is known to answer with.

    Its columns count different things, and are never added up.
    """
    cells: dict[tuple[str, str], list[Certified]] = defaultdict(list)
    for row in rows:
        cells[_operation(row.recording), row.recording.release].append(row)
    shown = {(row.recording.exchange.operation, row.recording.exchange.status) for row in rows}
    lines = [
        "| operation | release | recorded and reproduced | recorded and differing, why | recorded and not asked, why "
        "| decided by us |",
        "|---|---|---|---|---|---|",
    ]
    told: set[str] = set()
    for (operation, release), group in sorted(cells.items()):
        same = [row for row in group if not row.unasked and not row.differences]
        differing = Counter(why for row in group for why in _reasons(row, known))
        unasked = Counter(_UNASKED.get(row.unasked, "used what could not be made") for row in group if row.unasked)
        decided = [] if operation in told else [
            str(status) for status in reached.get(operation, ()) if (operation, status) not in shown
        ]  # fmt: skip
        told.add(operation)
        ahead = Counter(row.profile for row in same if not _within(row))
        reproduced = "".join([str(len(same)), *(f"; {count} as {profile}" for profile, count in sorted(ahead.items()))])
        columns = (f"`{operation}`", release.replace("..", " to "), reproduced, _counted(differing),
                   _counted(unasked), ", ".join(decided))  # fmt: skip
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def _within(row: Certified) -> bool:
    """Whether the release that answers so is one that the recording can be of, or stands for an older one."""
    first, _, last = row.recording.release.partition("..")
    return row.profile <= (last or first) or row.profile == profiles()[0]


_UNASKED = {
    "It is of no operation described here, so that nobody can say what it would touch.": "not described here",
    "What was asked was not recorded.": "request not recorded",
}


def _operation(recording: Recording) -> str:
    return recording.exchange.operation or Path(recording.name.partition("#")[0]).stem


def _reasons(row: Certified, known: Sequence[Explained]) -> list[str]:
    """The entries that explain a recording's differences, each once."""
    if not row.differences:
        return []
    return list(dict.fromkeys(
        next((entry.id for entry in known if entry.covers(row.recording, told)), "unexplained")
        for told in row.differences
    ))  # fmt: skip


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))


def explained(rows: Sequence[Certified], known: Sequence[Explained]) -> str:
    """Every explanation with the recordings it is of, those that contradict something first, as Markdown."""
    used: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for told in row.differences:
            entry = next((one for one in known if one.covers(row.recording, told)), None)
            if entry is not None and name_of(row.recording) not in used[entry.id]:
                used[entry.id].append(name_of(row.recording))
    lines = ["| contradicts | recordings | what differs | what follows |", "|---|---|---|---|"]
    for entry in known:
        if entry.contradicts:
            names = ", ".join(sorted(used[entry.id]))
            lines.append(f"| {entry.contradicts} | {names} | `{entry.id}`: {entry.why} | {entry.follows} |")
    lines += ["", "| reason | recordings | why |", "|---|---|---|"]
    for entry in known:
        if not entry.contradicts:
            lines.append(f"| `{entry.id}` | {', '.join(sorted(used[entry.id]))} | {entry.why} |")
    return "\n".join(lines) + "\n"
