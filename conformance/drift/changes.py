"""Changes: their catalogue of kinds (specs/drift-kinds.toml), and what comparing two descriptions gives.

Changes that no schema shows are written down in the profiles: `x-behaviour` on an operation, `x-upgrade` at the root.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.data import SPECS
from conformance.drift.schema.values import ABSENT
from conformance.spec.document import Document


@dataclass(frozen=True)
class Kind:
    """One kind of change. `opposite` undoes it; `other_side` is its counterpart of responses or requests.

    `no_other_side` is the reason where there is none, and `contested` why reputable tools disagree, both else empty.
    """

    id: str
    breaking: bool
    sentence: str
    opposite: str
    other_side: str = ""
    no_other_side: str = ""
    contested: str = ""

    @property
    def direction(self) -> str | None:
        """`request`, `response`, or None for what belongs to neither."""
        side = self.id.partition("-")[0]
        return side if side in ("request", "response") else None


def _read() -> dict[str, Kind]:
    rows = tomllib.loads((SPECS / "drift-kinds.toml").read_text(encoding="utf-8"))
    return {
        name: Kind(
            id=name,
            breaking=row["level"] == "breaking",
            sentence=row["sentence"],
            opposite=row["opposite"],
            other_side=row.get("other_side", ""),
            no_other_side=row.get("no_other_side", ""),
            contested=row.get("contested", ""),
        )
        for name, row in rows.items()
    }


KINDS = _read()


BREAKING, NON_BREAKING, NONE = "breaking", "non-breaking", "none"


@dataclass(frozen=True)
class Change:
    """One change. `operation` is None for the document's own; `witness` ABSENT where there is none.

    `confirmed` says that both descriptions were asked about the witness; `base` and `revision` are JSON pointers to
    where the change stands in each, empty where it does not.
    """

    operation: str | None
    location: str
    kind: str
    direction: str | None
    breaking: bool
    contested: bool
    message: str
    witness: Any = ABSENT
    confirmed: bool = False
    base: str = ""
    revision: str = ""

    @property
    def id(self) -> str:
        """The same for the same change of the same place, whatever else the descriptions hold."""
        text = f"{self.operation or ''}\0{self.location}\0{self.kind}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def row(self) -> Kind:
        """The catalogue's row."""
        return KINDS[self.kind]

    def as_dict(self) -> dict[str, Any]:
        """The form of specs/drift.schema.json."""
        told = {
            "id": self.id,
            "operation": self.operation,
            "location": self.location,
            "kind": self.kind,
            "direction": self.direction,
            "breaking": self.breaking,
            "contested": self.contested,
            "message": self.message,
        }
        return told if self.witness is ABSENT else {**told, "witness": self.witness}


@dataclass(frozen=True)
class Comparison:
    """The changes, breaking ones first, those of the document before those of operations; and what was ignored."""

    changes: tuple[Change, ...]
    ignored: tuple[tuple[Change, Any], ...] = ()
    stale: tuple[Any, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    """Names of the two descriptions, for the reports: `base` and `revision`."""

    @property
    def verdict(self) -> str:
        """`breaking`, `non-breaking` or `none`."""
        if any(change.breaking for change in self.changes):
            return BREAKING
        return NON_BREAKING if self.changes else NONE

    def as_dict(self) -> dict[str, Any]:
        """The form of specs/drift.schema.json."""
        return {"verdict": self.verdict, "changes": [change.as_dict() for change in self.changes]}


_STATUS = re.compile(r"^response\.(?:\d\d\d|\dXX|default)")


@dataclass(frozen=True)
class Behaviour:
    """One behaviour of a release: its change, what a call must become, and the pattern of what it does not concern."""

    change: Change
    now: str
    unless: str = ""


def behaviours(base: Document, revision: Document) -> tuple[Behaviour, ...]:
    """What the operations of both releases do otherwise in the revision, though their schemas are the same.

    Gone back to an older release, the change is told too, and breaks nobody as far as is known.
    """
    found = []
    shared = {one.id for one in base.operations} & {one.id for one in revision.operations}
    for operation in (one.id for one in base.operations if one.id in shared):
        old, new = (document.definition(operation).get("x-behaviour", {}) for document in (base, revision))
        found += [_behaviour(operation, row, back=False) for name, row in new.items() if name not in old]
        found += [_behaviour(operation, row, back=True) for name, row in old.items() if name not in new]
    return tuple(found)


def _behaviour(operation: str, row: Mapping[str, Any], *, back: bool) -> Behaviour:
    kind = KINDS[f"{row['direction']}-behaviour-changed"]
    breaking = bool(row["breaking"]) and not back
    text = f"No longer so: {row['text']}" if back else row["text"]
    witness = row.get("witness", ABSENT) if breaking else ABSENT
    change = Change(operation, row["location"], kind.id, kind.direction, breaking, False, text, witness)
    return Behaviour(change, "" if back else row["now"], row.get("unless", ""))


def advice(revision: Document) -> dict[tuple[str, str], str]:
    """What calls must become in this release, by operation and location (`response.body` for any status)."""
    return {(row["operation"], row["location"]): row["now"] for row in revision.raw.get("x-upgrade", ())}


def advice_for(change: Change, known: Mapping[tuple[str, str], str]) -> str:
    """The advice for a change: that of its own location, else of the nearest around it, else what its kind says."""
    for location in _around(change.location):
        if (change.operation or "", location) in known:
            return known[change.operation or "", location]
    return _general(change)


def without_status(location: str) -> str:
    """A location with the status taken out: `response.200.body.id` becomes `response.body.id`."""
    return _STATUS.sub("response", location)


def _around(location: str) -> Iterator[str]:
    for place in (location, without_status(location)):
        while place:
            yield place
            if place in ("request.body", "response.body") or place.count(".") <= 1:
                break
            place = re.sub(r"(\[\]|\.[^.\[]+)$", "", place)


def _general(change: Change) -> str:
    if not change.breaking:
        return "Nothing has to change."
    if change.kind == "operation-removed":
        return "Do without this call: the operation is gone."
    if change.direction == "request":
        return f"Send what is still accepted at {change.location}."
    if change.direction == "response":
        return f"Be ready for what {change.location} may answer now."
    return "Meet what the document asks for now."
