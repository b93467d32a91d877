"""What every form of the report says alike: the verdict, the counts, and the changes gathered by their cause.

Changes of one kind that are told in the same words at the same last step of their locations (a property of a component
that a hundred answers hold) are one entry with its places.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.drift.changes import BREAKING, NON_BREAKING, Change, Comparison
from conformance.drift.schema.values import ABSENT

VERDICTS = {
    BREAKING: "Breaking: a client of the base is refused, or answered something it does not know.",
    NON_BREAKING: "Changed, and nothing breaks: every client of the base goes on working.",
    "none": "No change: both descriptions mean the same.",
}
LONGEST = 2000
"""Characters of a witness shown whole."""

_LISTED = 12
"""So many values of a list are shown."""

_LONG = 400
"""Characters of a message shown whole."""


@dataclass(frozen=True)
class Entry:
    """Changes of one cause, in their order; the first speaks for all."""

    changes: tuple[Change, ...]

    @property
    def first(self) -> Change:
        """The change whose words and witness are shown."""
        return self.changes[0]

    @property
    def words(self) -> str:
        """What changed, long lists of values shortened."""
        return shortened(self.first.message)

    @property
    def places(self) -> tuple[str, ...]:
        """Where, in order: the location and its operation."""
        return tuple(dict.fromkeys(place(one) for one in self.changes))


def verdict(comparison: Comparison, partial: bool = False) -> str:
    """The verdict as a sentence. `partial`: places that are not valid were left out."""
    if comparison.changes:
        return VERDICTS[comparison.verdict]
    if comparison.ignored:
        return f"Nothing but accepted changes ({len(comparison.ignored)})."
    if partial:
        return "No change in what could be compared; what is not valid was left out."
    return VERDICTS[comparison.verdict]


def counted(comparison: Comparison) -> str:
    """How many changes of either level, and how many contested and accepted."""
    breaking = [change for change in comparison.changes if change.breaking]
    told = f"{len(breaking):,} breaking, {len(comparison.changes) - len(breaking):,} non-breaking"
    contested = sum(change.contested for change in comparison.changes)
    told += f", {contested:,} contested" if contested else ""
    told += f", {len(comparison.ignored):,} ignored" if comparison.ignored else ""
    causes = len(entries(breaking))
    return told + (f"; {causes:,} causes break" if 1 < causes < len(breaking) else "")


def entries(changes: Iterable[Change]) -> list[Entry]:
    """The changes by cause: breaking ones first, those with the most places before others."""
    found: dict[tuple[bool, str, str, str], list[Change]] = {}
    for one in changes:
        found.setdefault((not one.breaking, one.kind, _cause(one.message), _last_step(one.location)), []).append(one)
    return [Entry(tuple(one)) for key, one in sorted(found.items(), key=lambda item: (item[0][0], -len(item[1])))]


def by_kind(changes: Iterable[Change]) -> list[tuple[str, int]]:
    """The kinds of the changes with how many there are of each, most first."""
    return Counter(one.kind for one in changes).most_common()


def by_operation(changes: Iterable[Change]) -> list[tuple[str, int]]:
    """The operations that changed with how many changes each has, most first."""
    return Counter(operation(one) for one in changes).most_common()


def _cause(message: str) -> str:
    """The message without the value that shows it, which differs from place to place."""
    return re.split(r"(?:; | \(|\()?(?:for instance |no witness was found)", message, maxsplit=1)[0].rstrip(".")


def _last_step(location: str) -> str:
    for mark in (".content.", ".header."):
        if mark in location:
            return location.rpartition(mark)[2]
    return location.rpartition(".")[2]


def address(change: Change) -> str:
    """Method and path of the change's operation, empty where it has none."""
    pointer = (change.revision or change.base).split("/")
    if len(pointer) < 4 or pointer[1] not in ("paths", "webhooks"):
        return ""
    path = pointer[2].replace("~1", "/").replace("~0", "~")
    method = pointer[4] if pointer[3] == "additionalOperations" and len(pointer) > 4 else pointer[3]
    return f"{method.upper()} {path}"


def operation(change: Change) -> str:
    """The operation by its id, with its method and path."""
    if change.operation is None:
        return "the description"
    there = address(change)
    return change.operation if there in ("", change.operation) else f"{change.operation} ({there})"


def place(change: Change) -> str:
    """The location with its operation."""
    return f"{change.location} of {operation(change)}"


def level(change: Change) -> str:
    """`breaking` or `non-breaking`, with `contested` where it is."""
    return ("breaking" if change.breaking else "non-breaking") + (", contested" if change.contested else "")


def shortened(text: str) -> str:
    """The text with a long list of values cut, and how many were left out."""
    pieces = text.split(", ")
    if len(pieces) > _LISTED + 3:
        left = len(pieces) - _LISTED - 1
        text = f"{', '.join(pieces[:_LISTED])} … and {left:,} more, {pieces[-1]}"
    return text if len(text) <= _LONG else f"{text[: _LONG // 2]} … {text[-_LONG // 4 :]}"


def witness(change: Change) -> str:
    """The witness as JSON, empty where there is none."""
    if change.witness is ABSENT:
        return ""
    text = json.dumps(change.witness, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
