"""Changes no schema shows, as the profiles write them down: `x-behaviour` on an operation, `x-upgrade` at the root."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.drift.openapi.comparison import Change
from conformance.drift.openapi.kinds import KINDS
from conformance.drift.schema.values import ABSENT
from conformance.spec.document import Document

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
