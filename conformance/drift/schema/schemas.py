"""Where two terms differ, as kinds of change with a value that shows each: walked from the outside in.

A difference is local (this bound, this property); whether it matters is settled from the outside: what the whole still
admits is no breaking change, whatever a part of it lost to another part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from conformance.drift.changes import KINDS
from conformance.drift.schema.atoms import (
    Object,
    Term,
)
from conformance.drift.schema.differences import (
    Difference,
    Inside,
    Judge,
)
from conformance.drift.schema.facets import differences_of, newly_declared, of_discriminators
from conformance.drift.schema.space import (
    Space,
)
from conformance.drift.schema.values import ABSENT
from conformance.drift.schema.witnesses import DEEPEST

MATTERS, SAFE, SAME = 0, 1, 2
"""What a difference weighs where it stands: it may break; the whole admits what is sent; the whole is unchanged."""


@dataclass(frozen=True, eq=False)
class _Pair:
    weight: int
    differences: tuple[Difference, ...]
    inside: tuple[Inside, ...]


_Way = tuple[Any, str, Callable[[Any], Any]] | None
"""How a place is reached: the way to the place around it, the step, and what makes of a value there one around it."""


@dataclass(frozen=True, eq=False)
class _Visit:
    way: _Way
    depth: int
    base: Term
    revision: Term
    weight: int

    def into(self, inside: Inside, weight: int) -> _Visit:
        way = (self.way, inside.path, inside.around)
        return _Visit(way, self.depth + 1, inside.base, inside.revision, weight)

    def path(self) -> str:
        steps, way = [], self.way
        while way is not None:
            steps.append(way[1])
            way = way[0]
        return "".join(reversed(steps))

    def wrapped(self, value: Any) -> Any:
        """The value with everything around it; ABSENT where it cannot be made, or would be too deep."""
        way = self.way if self.depth < DEEPEST else None
        if way is not self.way:
            return ABSENT
        while way is not None and value is not ABSENT:
            value = way[2](value)
            way = way[0]
        return value


class Comparer(Judge):
    """Walks two schemas together and tells every difference where it stands."""

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self._pairs: dict[tuple[Term, Term], _Pair] = {}

    def compare(self, base: Term, revision: Term) -> list[Difference]:
        """Every difference, breadth first: each pair of schemas is looked into once, and told of wherever it stands."""
        found: list[Difference] = []
        queue: deque[_Visit] = deque([_Visit(None, 0, base, revision, MATTERS)])
        seen: set[tuple[Term, Term, int]] = set()
        while queue:
            visit = queue.popleft()
            pair = self.pair(visit.base, visit.revision)
            weight = max(visit.weight, pair.weight)
            counted = [one for one in pair.differences if _counts(one, weight)]
            path = visit.path() if counted else ""
            found.extend(self._told(visit, one, path, weight) for one in counted)
            if (visit.base, visit.revision, weight) not in seen:
                seen.add((visit.base, visit.revision, weight))
                queue.extend(visit.into(one, weight) for one in pair.inside if one.base != one.revision)
        if self.breaks(base, revision) and not any(one.breaking and not _beside_values(one) for one in found):
            found.append(self.relation("schema", base, revision))
        return _once(found)

    def _told(self, visit: _Visit, one: Difference, path: str, weight: int) -> Difference:
        """The difference as seen from outside: its whole path, its witness with everything around it."""
        safe = one.safe or (weight != MATTERS and not _beside_values(one))
        if not one.breaking or safe or visit.way is None:
            return replace(one, path=path + one.path, safe=safe)
        return replace(one, path=path + one.path, witness=visit.wrapped(one.witness), more=partial(self._others, visit))

    def _others(self, visit: _Visit) -> Iterator[Any]:
        """More values that may show what differs at this place, and nothing that differs elsewhere."""
        sender, receiver = self.sender(visit.base, visit.revision), self.sender(visit.revision, visit.base)
        for value in self.instances.several_of(sender, 2, 24):
            if not self.space.member(value, receiver):
                yield visit.wrapped(value)

    def pair(self, base: Term, revision: Term) -> _Pair:
        """What differs at this place itself, and the pairs inside it."""
        key = (base, revision)
        if key not in self._pairs:
            self._pairs[key] = self._look(base, revision)
        return self._pairs[key]

    def _look(self, base: Term, revision: Term) -> _Pair:
        if base == revision:
            return _Pair(SAME, (), ())
        found = list(differences_of(self, base, revision))
        inside = tuple(one for one in found if isinstance(one, Inside))
        own = [*self.notes(base, revision), *(one for one in found if isinstance(one, Difference))]
        if self.same(base, revision):
            objects = ([a for a in self.space.expand(term) if isinstance(a, Object)] for term in (base, revision))
            declared = newly_declared(self, *objects)
            return _Pair(SAME, (*(one for one in own if _beside_values(one)), *declared), inside)
        weight = MATTERS if self.breaks(base, revision) else SAFE
        told = [one for one in own if "-condition-" not in one.kind]
        if len(told) < len(own) and self._explained(told, inside, weight):
            own = told  # what another alternative of a `oneOf` no longer takes, this one now does
        if not self._explained(own, inside, weight):
            own.append(self.relation("schema", base, revision))
        return _Pair(weight, tuple(own), inside)

    def _explained(self, own: list[Difference], inside: Iterable[Inside], weight: int) -> bool:
        explained = any(one.breaking and not _beside_values(one) for one in own) if weight == MATTERS else bool(own)
        return explained or any(self._explains(one, weight) for one in inside)

    def _explains(self, one: Inside, weight: int) -> bool:
        return self.breaks(one.base, one.revision) if weight == MATTERS else not self.same(one.base, one.revision)

    def notes(self, base: Term, revision: Term) -> Iterable[Difference]:
        before, after = self.note(base, "deprecated") is True, self.note(revision, "deprecated") is True
        if before != after:
            yield Difference(self.kind("schema-deprecated" if after else "schema-no-longer-deprecated"))
        yield from of_discriminators(self, base, revision)


def _counts(one: Difference, weight: int) -> bool:
    """Whether the difference is one at all where the whole is safe, or the same."""
    if _beside_values(one) or weight == MATTERS:
        return True
    return _declares(one) if weight == SAME else not KINDS[one.kind].breaking


def _beside_values(one: Difference) -> bool:
    """Whether the difference is not about which values are admitted."""
    return "default" in one.kind or "discriminator" in one.kind or "deprecated" in one.kind


def _declares(one: Difference) -> bool:
    """Whether a property is declared, or no longer, that anything may hold: the values stay the same."""
    return one.kind.endswith(("-property-added", "-property-removed", "-only")) and not one.breaking


def _once(found: Iterable[Difference]) -> list[Difference]:
    """Each kind once for each place; the branches of a union often tell the same."""
    kept: dict[tuple[str, str], Difference] = {}
    for one in found:
        known = kept.setdefault((one.kind, one.path), one)
        if known.witness is ABSENT and one.witness is not ABSENT:
            kept[one.kind, one.path] = one
    return list(kept.values())
