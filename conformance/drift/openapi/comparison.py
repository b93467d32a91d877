"""What comparing two descriptions gives: the changes, each with who it breaks, and one verdict."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from conformance.drift.openapi.kinds import KINDS, Kind
from conformance.drift.schema.values import ABSENT

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
