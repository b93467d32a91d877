"""Which changes concern what a user's files touch, and which uses each concerns.

What is not concerned was *not seen in these files*; nothing here says that it is safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.drift.openapi.behaviour import without_status
from conformance.drift.openapi.comparison import Change
from conformance.drift.usage.calls import CALL, Use
from conformance.drift.usage.reading import Usage

_DEMANDS = (
    "request-required-property-added",
    "request-property-became-required",
    "request-required-parameter-added",
    "request-parameter-became-required",
    "request-required-body-added",
    "request-body-became-required",
)
"""Kinds that concern every call, whether it sends what they are about or not."""


@dataclass(frozen=True)
class Concern:
    """A change and the uses it concerns, in order of place."""

    change: Change
    uses: tuple[Use, ...]

    @property
    def of_sdk(self) -> bool:
        """Whether the vendor's SDK alone sends or reads what changed: its caller has nothing to change in a file."""
        return all(use.by == "sdk" and use.location == CALL for use in self.uses)


def concerns(changes: Iterable[Change], usage: Usage, unless: Mapping[str, str] | None = None) -> tuple[Concern, ...]:
    """The changes that touch something in the files, each with its uses; `unless` maps a change's id to a pattern of
    file names it does not concern."""
    found = []
    for change in changes:
        uses = [use for use in usage.uses if use.operation == change.operation]
        touched = _touched(change, uses)
        pattern = (unless or {}).get(change.id)
        if pattern:
            touched = [use for use in touched if not (use.detail and re.search(pattern, use.detail))]
        if touched:
            found.append(Concern(change, tuple(dict.fromkeys(touched))))
    return tuple(found)


def _touched(change: Change, uses: list[Use]) -> list[Use]:
    calls = [use for use in uses if use.location == CALL]
    sdk = [use for use in calls if use.by == "sdk" and change.breaking]
    location = without_status(change.location)
    if change.operation is None:
        return []
    if not location.startswith(("request", "response")) or change.kind in _DEMANDS or location == "request.body":
        return calls
    if location.startswith("request.content."):
        return _content(location, uses, calls)
    if location.startswith(("request.body", "response.body")):
        if location == "response.body" or (location == "response.body[]" and change.breaking):
            return [*(_values(location, uses) if change.breaking else ()), *calls]
        found = _values(location, uses)
        told = {use.place for use in found}
        return found + [use for use in sdk if use.place not in told]
    if location.startswith("request."):
        return [use for use in uses if use.location == location] + sdk
    status = [use for use in uses if use.location == "response.status"]
    return calls if change.breaking else status


def _values(location: str, uses: list[Use]) -> list[Use]:
    """Uses of the value, of what is inside it, and of what holds it where that goes on whole or is unseen inside."""
    same = [use for use in uses if use.location == location or _inside(use.location, location)]
    holders = [use for use in uses if _inside(location, use.location)]
    whole = [use for use in holders if use.whole]
    if location.startswith("request.") and not same:
        deeper = {use.location for use in uses}
        whole += [use for use in holders if not any(_inside(other, use.location) for other in deeper)]
    return same + whole


def _inside(location: str, holder: str) -> bool:
    return location.startswith(holder) and location[len(holder) : len(holder) + 1] in (".", "[")


def _content(location: str, uses: list[Use], calls: list[Use]) -> list[Use]:
    """Calls that send the media type, and those whose media type is not known."""
    wanted = location.removeprefix("request.content.").split(";")[0].strip().lower()
    sent = {use.place: use for use in uses if use.location.startswith("request.content.")}
    named = [use for use in sent.values() if use.location[16:].split(";")[0].strip().lower() == wanted]
    return named or ([] if sent else calls)
