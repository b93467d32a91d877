"""Facts that traffic shows, and the changes they are: the same kinds as a description's."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.drift.openapi.comparison import Change
from conformance.drift.openapi.kinds import KINDS


@dataclass(frozen=True)
class Fact:
    """One way in which traffic differs from the description, and in how many of the exchanges that could show it.

    `kind` is never-served, undeclared-field, undeclared-status, undeclared-media-type, value-outside-enum, other-type,
    required-but-absent or not-as-described.
    """

    operation: str
    location: str
    kind: str
    message: str
    count: int
    of: int


_KINDS = {
    "never-served": "operation-removed",
    "undeclared-field": "response-property-added",
    "undeclared-media-type": "response-media-type-added",
    "value-outside-enum": "response-enum-loosened",
    "other-type": "response-type-changed",
    "required-but-absent": "response-property-became-optional",
    "not-as-described": "response-schema-loosened",
}


def change_of(fact: Fact) -> Change | None:
    """The change an instance's answers show; None for a fact of what was sent, which is its sender's."""
    if not fact.location.startswith(("response", "operation")):
        return None
    success = fact.location.startswith("response.2")
    status = "response-success-status-added" if success else "response-status-added"
    kind = KINDS[_KINDS.get(fact.kind, status)]
    message = f"{fact.message} ({fact.count} of {fact.of})"
    return Change(fact.operation, fact.location, kind.id, kind.direction, kind.breaking, bool(kind.contested), message)
