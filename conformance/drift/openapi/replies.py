"""Compares what an operation answers: statuses with their ranges and default, headers, bodies and links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.drift.openapi.bodies import Place, Sides, change
from conformance.drift.openapi.comparison import Change
from conformance.drift.openapi.surface import Reply
from conformance.drift.schema.values import key_of

DEFAULT = "default"


def replies(
    sides: Sides, place: Place, side: str, base: dict[str, Reply], revision: dict[str, Reply]
) -> Iterator[Change]:
    """The changes status by status. A status not named is its range's, then `default`'s."""
    for status in [*base, *(status for status in revision if status not in base)]:
        old, new = meant(base, status), meant(revision, status)
        here = place.at(f"response.{status}", old.pointer if old else "", new.pointer if new else "")
        if old is not None and new is not None:
            yield from _reply(sides, here, side, old, new)
        elif new is not None:
            yield change(here, f"response-{'success-' if is_success(revision, status) else ''}status-added")
        elif old is not None:
            yield change(here, f"response-{'success-' if is_success(base, status) else ''}status-removed")


def is_success(replies: dict[str, Reply], status: str) -> bool:
    """A 2xx; `default` too, where it is all there is to say of success."""
    return status.startswith("2") or (status == DEFAULT and _default_is_success(replies))


def _default_is_success(replies: dict[str, Reply]) -> bool:
    return not any(status.startswith("2") for status in replies)


def meant(replies: dict[str, Reply], status: str) -> Reply | None:
    """What the description says of this status, or range, or of every other status (`default`)."""
    if status in replies:
        return replies[status]
    if status == DEFAULT:
        return None
    span = f"{status[0]}XX"
    if span in replies:
        return replies[span]
    if status.startswith("2") and not _default_is_success(replies):
        return None
    return replies.get(DEFAULT)


def _reply(sides: Sides, place: Place, side: str, old: Reply, new: Reply) -> Iterator[Change]:
    from conformance.drift.openapi.operations import contents, fields

    if old is new:
        return
    yield from fields(sides, place, side, old.headers, new.headers, place.location)
    yield from contents(sides, place, side, old.contents, new.contents, place.location)
    yield from _links(place, old.links, new.links)


def _links(place: Place, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        here = place.at(f"{place.location}.link.{name}")
        if name not in new:
            yield change(here, "response-link-removed")
        elif name not in old:
            yield change(here, "response-link-added")
        elif key_of(_wire(old[name])) != key_of(_wire(new[name])):
            yield change(here, "response-link-changed")


def _wire(link: dict[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in link.items() if word != "description" and not word.startswith("x-")}
