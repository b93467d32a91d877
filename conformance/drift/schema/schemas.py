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

from conformance.drift.openapi.kinds import KINDS
from conformance.drift.schema import branches, discriminators, properties
from conformance.drift.schema.annotations import annotation
from conformance.drift.schema.atoms import Object, Term
from conformance.drift.schema.differences import CHANGED, LOOSENED, TIGHTENED, Difference, Inside, shown
from conformance.drift.schema.inclusion import Inclusion, holds
from conformance.drift.schema.instances import DEEPEST, Instances
from conformance.drift.schema.opinion import SecondOpinion
from conformance.drift.schema.space import REQUEST, Space
from conformance.drift.schema.values import ABSENT, key_of

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


class Comparer:
    """Compares the terms of one space: `base` first, `revision` second."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.instances = Instances(space)
        second = SecondOpinion(space)
        self.strict = Inclusion(space, self.instances, False, second)
        self.sent = Inclusion(space, self.instances, True, second)
        self.marked: dict[int, Object] = {}
        """Objects that are alternatives: a witness carries what tells them from the others."""
        self._pairs: dict[tuple[Term, Term], _Pair] = {}

    @property
    def is_request(self) -> bool:
        """Whether clients send what is compared."""
        return self.space.side == REQUEST

    def kind(self, name: str) -> str:
        """The catalogue's id on this side."""
        return f"{self.space.side}-{name}"

    def sender(self, base: Any, revision: Any) -> Any:
        """Of the two, the one that makes the values: base's clients, or the revision's server."""
        return base if self.is_request else revision

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
        found = list(branches.between(self, base, revision))
        inside = tuple(one for one in found if isinstance(one, Inside))
        own = [*self.notes(base, revision), *(one for one in found if isinstance(one, Difference))]
        if self.same(base, revision):
            objects = ([a for a in self.space.expand(term) if isinstance(a, Object)] for term in (base, revision))
            declared = properties.declarations(self, *objects)
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

    def breaks(self, base: Term, revision: Term) -> bool:
        """Whether something sent could be refused."""
        first, second = (base, revision) if self.is_request else (revision, base)
        return not holds(self.sent.ask(first, second))

    def undecided(self, base: Term, revision: Term) -> bool:
        """Whether it could not be told, within the effort allowed, if something sent could be refused."""
        return self.sent.ask(*self.sender((base, revision), (revision, base))).undecided

    def same(self, base: Term, revision: Term) -> bool:
        """Whether both admit exactly the same values."""
        return self.within(base, revision) and self.within(revision, base)

    def within(self, first: Term, second: Term) -> bool:
        """Whether the second admits every value of the first."""
        return holds(self.strict.ask(first, second))

    def relation(self, facet: str, base: Term, revision: Term, detail: str = "") -> Difference:
        """How one facet changed, by which values it lost and gained."""
        if self.undecided(base, revision):
            return Difference(self.kind("schema-undecided"))
        lost, gained = not self.within(base, revision), not self.within(revision, base)
        word = {(True, True): CHANGED, (True, False): TIGHTENED}.get((lost, gained), LOOSENED)
        first, second = (base, revision) if self.is_request else (revision, base)
        return Difference(self.kind(f"{facet}-{word}"), "", detail, self.sent.ask(first, second).witness)

    def notes(self, base: Term, revision: Term) -> Iterable[Difference]:
        before, after = self.note(base, "deprecated") is True, self.note(revision, "deprecated") is True
        if before != after:
            yield Difference(self.kind("schema-deprecated" if after else "schema-no-longer-deprecated"))
        yield from discriminators.between(self, base, revision)

    def note(self, term: Term, word: str) -> Any:
        """An annotation of the term's schemas, ABSENT where there is none."""
        for literal in sorted(term):
            node, description = self.space.node(literal) if literal > 0 else (None, None)
            if isinstance(node, dict) and description is not None:
                value = annotation(description, node, word)
                if value is not ABSENT:
                    return value
        return ABSENT

    def default(self, base: Term, revision: Term, required: bool = False, null: Any = None) -> Iterable[Difference]:
        """What leaving out an optional value means, before and after; of a required one the default means nothing.

        `null` is what a default of null stands for: ABSENT where null cannot be written.
        """
        before, after = (
            null if value is None else value for value in (self.note(base, "default"), self.note(revision, "default"))
        )
        if before is ABSENT and after is ABSENT:
            return
        if required:
            if before is ABSENT or after is ABSENT or key_of(before) != key_of(after):
                yield Difference(self.kind("default-of-required-changed"))
        elif before is ABSENT:
            yield Difference(self.kind("default-added"), "", f"the default is now {shown(after)}")
        elif after is ABSENT:
            yield Difference(self.kind("default-removed"), "", f"the default was {shown(before)}")
        elif key_of(before) != key_of(after):
            yield Difference(self.kind("default-changed"), "", f"from {shown(before)} to {shown(after)}")


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
