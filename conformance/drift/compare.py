"""Compares two OpenAPI descriptions: `compare(base, revision)` is the whole of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from conformance.drift.changes import Change, Comparison
from conformance.drift.openapi.dialects import is_ambiguous, is_old, modern
from conformance.drift.openapi.operations import Place, Sides, change, operation
from conformance.drift.openapi.surface import Address, Offer, Surface, lost_addresses
from conformance.drift.schema.description import Description, bound
from conformance.drift.schema.values import key_of
from conformance.errors import UsageError

_FRAMES = 60_000
"""Schemas may refer to each other in chains as long as the document has components."""


def compare(base: dict[str, Any], revision: dict[str, Any]) -> Comparison:
    """What changed from one description to the other; both as `document.load` gives them, neither is altered.

    Raises UsageError where a reference leads nowhere, or the schemas are nested beyond comparing.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _FRAMES))
    try:
        found = _read_and_compare(base, revision, null_in_enums=True)
        ambiguous = is_ambiguous(base) or is_ambiguous(revision)
        if found and ambiguous and is_old(base) != is_old(revision):
            found = _read_and_compare(base, revision, null_in_enums=False) and found
    except RecursionError:
        raise UsageError("The descriptions' schemas are nested too deeply to be compared.") from None
    finally:
        sys.setrecursionlimit(limit)
    return Comparison(tuple(sorted(_once(found), key=lambda one: (not one.breaking, one.operation is not None))))


def _read_and_compare(base: dict[str, Any], revision: dict[str, Any], null_in_enums: bool) -> list[Change]:
    """The changes under one reading of nullable enums. A rewrite into the other dialect may have meant either."""
    first, second = (Description(bound(modern(root, null_in_enums))) for root in (base, revision))
    return list(_changes(first, second))


def _once(found: list[Change]) -> list[Change]:
    kept: dict[str, Change] = {}
    for one in found:
        kept.setdefault(one.id, one)
    return list(kept.values())


def _changes(base: Description, revision: Description) -> Iterator[Change]:
    sides = Sides(base, revision)
    old, new = Surface(base), Surface(revision)
    yield from _info(base.root.get("info") or {}, revision.root.get("info") or {})
    pairs, removed, added = matched(old.operations(), new.operations())
    yield from _servers(pairs)
    for one, other in pairs:
        yield from operation(sides, one, other)
    yield from _listed(removed, "operation-removed")
    yield from _listed(added, "operation-added")
    yield from _webhooks(sides, old.webhooks(), new.webhooks())


def _info(base: dict[str, Any], revision: dict[str, Any]) -> Iterator[Change]:
    for word in [*base, *(word for word in revision if word not in base)]:
        before, after = base.get(word), revision.get(word)
        if not word.startswith("x-") and key_of(before) != key_of(after):
            detail = f"from {before} to {after}" if isinstance(before, str) and isinstance(after, str) else ""
            yield change(Place(None, f"info.{word}", "/info", "/info"), "info-changed", detail)


def matched(base: list[Offer], revision: list[Offer]) -> tuple[list[tuple[Offer, Offer]], list[Offer], list[Offer]]:
    """Operations that are the same one: by method and whole address, then by method and path. The rest stand alone.

    Of paths that differ in their variables' names alone, those with the same names, or the same id, go first.
    """
    pairs: list[tuple[Offer, Offer]] = []
    taken: set[int] = set()
    left = base
    for keys in (_named_paths, _identified_paths, _whole_paths, _own_path):
        index: dict[tuple[str, ...], Offer] = {}
        for offer in revision:
            if id(offer) not in taken:
                index.update({key: offer for key in keys(offer) if key not in index})
        remaining = []
        for offer in left:
            other = next((index[key] for key in keys(offer) if key in index and id(index[key]) not in taken), None)
            if other is None:
                remaining.append(offer)
            else:
                taken.add(id(other))
                pairs.append((offer, other))
        left = remaining
    order = {id(offer): i for i, offer in enumerate(base)}
    pairs.sort(key=lambda pair: order[id(pair[0])])
    return pairs, left, [offer for offer in revision if id(offer) not in taken]


def _named_paths(offer: Offer) -> list[tuple[str, ...]]:
    return sorted((offer.method, path.removesuffix(offer.shape) + offer.path) for _, path in offer.addresses)


def _identified_paths(offer: Offer) -> list[tuple[str, ...]]:
    return [(*key, offer.id) for key in _whole_paths(offer) if offer.id]


def _whole_paths(offer: Offer) -> list[tuple[str, ...]]:
    return sorted((offer.method, path) for _, path in offer.addresses)


def _own_path(offer: Offer) -> list[tuple[str, ...]]:
    return [(offer.method, offer.shape)]


def _servers(pairs: list[tuple[Offer, Offer]]) -> Iterator[Change]:
    """The servers' changes: once for the document where every operation shares them."""
    told = [(pair, _moved(*pair)) for pair in pairs]
    shared = len({moved for _, moved in told}) == 1
    for (base, revision), (removed, added) in told[:1] if shared else told:
        pointers = ("/servers", "/servers") if shared else (base.pointer, revision.pointer)
        place = Place(None if shared else base.name, "servers", *pointers)
        if removed:
            yield change(place, "server-removed", f"{', '.join(removed)}")
        if added:
            yield change(place, "server-added", f"{', '.join(added)}")


def _moved(base: Offer, revision: Offer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    removed = lost_addresses(base.addresses, revision.addresses, base.ranges, revision.ranges)
    added = sorted(revision.addresses - base.addresses)
    return _bases(removed, base), _bases(added, revision)


def _bases(addresses: list[Address], offer: Offer) -> tuple[str, ...]:
    return tuple(f"{origin}{path.removesuffix(offer.shape)}" or "/" for origin, path in addresses)


def _listed(offers: list[Offer], kind: str) -> Iterator[Change]:
    removed = kind.endswith("removed")
    for offer in offers:
        pointers = (offer.pointer, "") if removed else ("", offer.pointer)
        yield change(Place(offer.name, "operation", *pointers), kind, f"{offer.method.upper()} {offer.path}")


def _webhooks(sides: Sides, base: list[Offer], revision: list[Offer]) -> Iterator[Change]:
    old, new = ({(offer.method, offer.path): offer for offer in offers} for offers in (base, revision))
    for key, offer in old.items():
        if key in new:
            yield from operation(sides, offer, new[key], flipped=True)
    yield from _listed([offer for key, offer in old.items() if key not in new], "webhook-removed")
    yield from _listed([offer for key, offer in new.items() if key not in old], "webhook-added")
