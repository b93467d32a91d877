"""Compares two answers to the same request: ids mapped, time and identity set aside, each difference classified.

Of either side only exchanges are known: a recording, an emulated instance, or the last release beside the next.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from conformance.model import Exchange, Response
from conformance.spec.content import normalised
from tests.oracles.identities import ANSWERS, TIMES, ContradictionError, Identities, paired

TOLERANCE = 1e-6
"""Numbers a model computes are equal within this, absolute: engines differ by less (1.1e-7 measured)."""


class Aspect(StrEnum):
    """What of an answer differs, in the order in which it matters."""

    STATUS = "status"
    MEDIA_TYPE = "media type"
    SHAPE = "shape"
    IDENTITY = "identity"
    VALUE = "value"


@dataclass(frozen=True)
class Difference:
    """One difference between an answer (`one`) and the other.

    `location` is in the words of a drift (`response.200.body.engines[].ip`). `breaking`: a client made for the one
    may fail on the other. `contested` is the reason where reputable tools would disagree.
    """

    aspect: Aspect
    location: str
    breaking: bool
    message: str
    contested: str = ""


def compare(one: Exchange, other: Exchange, identities: Identities) -> tuple[tuple[Difference, ...], Identities]:
    """The differences between two answers to the same request, and the identities with what they taught.

    What either side does not know (a status, headers, a body) is not compared. Ids that appear for the first time are
    taken for each other; an id that contradicts what was learned is a difference.
    """
    here, there = one.response, other.response
    if here is None or there is None:
        return tuple(_unanswered(here, there)), identities
    differences = [*_statuses(one, other), *_media_types(here, there)]
    if (here.ok, there.ok) != (True, True) and here.status != there.status:
        return tuple(differences), identities
    if not (here.body_known and there.body_known):
        return tuple(differences), identities
    base = f"response.{here.status if here.status is not None else there.status or 'default'}.body"
    if not (here.is_json and there.is_json):
        if here.is_json != there.is_json or bool(here.body) != bool(there.body):
            differences.append(Difference(Aspect.SHAPE, base, True, f"{_kind_of(there)}, not {_kind_of(here)}"))
        return tuple(differences), identities
    ours, theirs = unfolded(here.json), unfolded(there.json)
    differences += _shapes(ours, theirs, base)
    identities, contradictions = _learned(one.operation or "", ours, theirs, base, identities)
    set_aside = ANSWERS.get(one.operation or "", {}).keys() | TIMES.get(one.operation or "", frozenset())
    differences += contradictions
    differences += _values(ours, theirs, base, set_aside)
    return tuple(differences), identities


def _unanswered(here: Response | None, there: Response | None) -> Iterator[Difference]:
    if (here is None) != (there is None):
        yield Difference(Aspect.STATUS, "response", there is None, "no answer" if there is None else "an answer came")


def _statuses(one: Exchange, other: Exchange) -> Iterator[Difference]:
    """A request that was served and is refused, or served by another success, breaks; another refusal does not."""
    here, there = one.status, other.status
    if here is None or there is None or here == there:
        return
    breaking = one.ok
    yield Difference(Aspect.STATUS, f"response.{here}", breaking, f"status {there}, not {here}")


def _media_types(here: Response, there: Response) -> Iterator[Difference]:
    if not (here.headers_known and there.headers_known) or here.status != there.status:
        return
    ours, theirs = (normalised(r.headers.get("content-type", "")) for r in (here, there))
    if ours != theirs and (here.body or there.body):
        location = f"response.{here.status}.content.{ours or 'none'}"
        yield Difference(Aspect.MEDIA_TYPE, location, here.ok, f"media type {theirs or 'none'}, not {ours or 'none'}")


def unfolded(value: Any) -> Any:
    """A JSON value in which strings that hold a JSON object (`metadata.last_model`) are that object."""
    if isinstance(value, dict):
        return {name: unfolded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [unfolded(item) for item in value]
    if isinstance(value, str) and value.startswith("{"):
        try:
            return unfolded(json.loads(value))
        except ValueError:
            return value
    return value


def _shapes(here: Any, there: Any, where: str) -> Iterator[Difference]:
    """Types and names: a name gone or another type breaks; a name more is what a tolerant reader ignores."""
    ours, theirs = _type(here), _type(there)
    if ours != theirs:
        if "null" in (ours, theirs):
            reason = "one pair of answers does not show whether null was always possible"
            yield Difference(Aspect.SHAPE, where, theirs == "null", f"{theirs}, not {ours}", reason)
        elif not (ours == "number" and theirs == "integer"):
            yield Difference(Aspect.SHAPE, where, True, f"{theirs}, not {ours}")
    elif isinstance(here, dict):
        for name in dict.fromkeys((*here, *there)):
            place = f"{where}.{name}"
            if name not in there:
                yield Difference(Aspect.SHAPE, place, True, "absent")
            elif name not in here:
                yield Difference(Aspect.SHAPE, place, False, "a property that the one does not have")
            else:
                yield from _shapes(here[name], there[name], place)
    elif isinstance(here, list) and here and there:
        for one, other in zip(here, there, strict=False):
            yield from _shapes(one, other, f"{where}[]")


def _type(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _learned(
    operation: str, here: Any, there: Any, base: str, identities: Identities
) -> tuple[Identities, list[Difference]]:
    kinds, found = ANSWERS.get(operation, {}), []
    for where, one, other in paired(here, there):
        if where not in kinds or None in (one, other) or "" in (one, other):
            continue
        try:
            identities = identities.learn(kinds[where], one, other)
        except ContradictionError as error:
            found.append(Difference(Aspect.IDENTITY, base + where[1:], True, str(error)))
    return identities, found


def _values(here: Any, there: Any, base: str, set_aside: Collection[str]) -> Iterator[Difference]:
    for where, ours, theirs in _lengths(here, there, "$"):
        yield Difference(Aspect.VALUE, base + where[1:], False, f"{theirs} elements, not {ours}")
    for where, one, other in paired(here, there):
        if where in set_aside or _type(one) != _type(other) or one == other:
            continue
        if not (isinstance(one, float) and abs(one - other) <= TOLERANCE):
            yield Difference(Aspect.VALUE, base + where[1:], False, f"{other!r:.80}, not {one!r:.80}")


def _lengths(here: Any, there: Any, where: str) -> Iterator[tuple[str, int, int]]:
    if isinstance(here, dict) and isinstance(there, dict):
        for name in here:
            if name in there:
                yield from _lengths(here[name], there[name], f"{where}.{name}")
    elif isinstance(here, list) and isinstance(there, list):
        if len(here) != len(there):
            yield where, len(here), len(there)
        for one, other in zip(here, there, strict=False):
            yield from _lengths(one, other, f"{where}[]")


def _kind_of(response: Response) -> str:
    return (
        "JSON" if response.is_json else f"{len(response.body)} bytes that are no JSON" if response.body else "nothing"
    )
