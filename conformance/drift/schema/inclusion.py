"""Whether every value of one term is a value of another, with a value that is not.

The answer is exact for what the atoms express and says so where it could not tell. Recursive schemas are compared
coinductively: a question met again while it is being answered is answered by yes, and what leant on it is forgotten if
the outer answer is no (Amadio and Cardelli, "Subtyping Recursive Types", TOPLAS 1993).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from conformance.drift.schema import cases, conjunction, containment, membership, strings
from conformance.drift.schema.atoms import ANYTHING, Array, Atom, Number, Object, Single, Term, Text, type_of_atom
from conformance.drift.schema.containment import Candidates
from conformance.drift.schema.instances import DEEPEST, Instances
from conformance.drift.schema.opinion import SecondOpinion
from conformance.drift.schema.space import Space
from conformance.drift.schema.values import ABSENT, depth_of


@dataclass(frozen=True)
class Answer:
    """`included` is None where it could not be told; `witness` a value of the first term and not of the second.

    `opaque` says that finding no witness means nothing: a format or pattern nobody here can read, or no value to try.
    `given_up` says that the question took more than the effort allowed.
    """

    included: bool | None
    witness: Any = ABSENT
    opaque: bool = False
    given_up: bool = False

    @property
    def undecided(self) -> bool:
        """Whether the search was in vain, though nothing stands in its way that nobody here can read."""
        return self.included is None and (self.given_up or not self.opaque)


YES, UNKNOWN, OPAQUE = Answer(True), Answer(None), Answer(None, opaque=True)
GIVEN_UP = Answer(None, opaque=True, given_up=True)

EFFORT = 5_000
"""Cases and values looked at for one question before it is given up."""

EFFORT_IN_ALL = 200_000
"""The same for all questions of one comparison; beyond it each has `EFFORT_AFTER` left."""

EFFORT_AFTER = 200


class GivenUpError(Exception):
    """A question took more than the effort allowed."""


def holds(answer: Answer) -> bool:
    """Whether it is proven: a search in vain proves nothing."""
    return answer.included is True


class Inclusion:
    """Answers for one space. With `declared_only`, senders send no property their own description does not speak of."""

    def __init__(
        self, space: Space, instances: Instances, declared_only: bool, second: SecondOpinion | None = None
    ) -> None:
        self.space, self.instances, self.declared_only, self.second = space, instances, declared_only, second
        self._answers: dict[tuple[Term, Term], Answer] = {}
        self._open: dict[tuple[Term, Term], None] = {}
        self._leant: list[tuple[Term, Term]] = []
        self._opaque = False
        self._left = 0
        self._spent = 0

    def spend(self, steps: int = 1) -> None:
        """Count steps of the question at hand. Raises GivenUpError where it has none left."""
        self._left -= steps
        self._spent += steps
        if self._left < 0:
            raise GivenUpError

    def ask(self, first: Term, second: Term) -> Answer:
        """Whether `first` is included in `second`."""
        if second <= first:
            return YES
        pair = (first, second)
        if pair in self._answers:
            return self._heard(self._answers[pair])
        if pair in self._open:
            return YES
        outermost = not self._open
        if outermost:
            self._left = EFFORT if self._spent < EFFORT_IN_ALL else EFFORT_AFTER
        self._open[pair] = None
        mark = len(self._leant)
        try:
            answer = self._ask(first, second)
        except GivenUpError:
            if not outermost:
                raise
            answer = GIVEN_UP
        finally:
            del self._open[pair]
        if outermost and answer.included is None and self.second is not None and self.second.includes(first, second):
            answer = YES
        if answer.included:
            self._leant.append(pair)
        else:
            for leaning in self._leant[mark:]:
                self._answers.pop(leaning, None)
            del self._leant[mark:]
        self._answers[pair] = answer
        if not self._open:
            self._leant.clear()
        return self._heard(answer)

    def _heard(self, answer: Answer) -> Answer:
        self._opaque = self._opaque or answer.opaque
        return answer

    def _ask(self, first: Term, second: Term) -> Answer:
        """Part by part where that proves it; else as a whole, for parts may excuse each other (`readOnly`)."""
        parts = [frozenset({literal}) for literal in second - first]
        if len(second) > 1 and all(self._all_covered(first, part).included for part in parts):
            return YES
        return self._all_covered(first, second)

    def _all_covered(self, first: Term, goal: Term) -> Answer:
        unsure = YES
        for atom in self._sendable(self.space.expand(first)):
            answer = self.covered(atom, goal)
            if answer.included is False:
                return answer
            if answer.included is None and not unsure.opaque:
                unsure = answer
        return unsure

    def _sendable(self, atoms: tuple[Atom, ...]) -> tuple[Atom, ...]:
        """The atoms a sender means: not those that need an undeclared property only to be of no other alternative."""
        if not self.declared_only:
            return atoms
        meant = tuple(one for one in atoms if not isinstance(one, Object) or one.forced <= one.declared)
        return meant or atoms

    def covered(self, atom: Atom, goal: Term, splits: int = 3) -> Answer:
        """Whether the union of the goal's atoms holds every value of the atom."""
        if isinstance(atom, Single):
            return YES if self.space.member(atom.value, goal) else Answer(False, atom.value)
        self.spend()
        others = [one for one in self.space.expand(goal) if type_of_atom(one) == type_of_atom(atom)]
        candidates = Candidates()
        outer, self._opaque = self._opaque, False
        try:
            return self._covered(atom, others, goal, splits, candidates)
        finally:
            self._opaque = outer

    def _covered(self, atom: Atom, others: list[Atom], goal: Term, splits: int, candidates: Candidates) -> Answer:
        others = [one for one in others if not self._apart(atom, one)]
        for other in others:
            if isinstance(other, Single):
                continue
            if self._within(atom, other, candidates) and self.rest_implied(atom, other):
                return YES
        if self.space.vacant_atom(atom):
            return YES
        if isinstance(atom, Number):  # their edges show more, and faster, than cutting them into cases
            return self._refuted(atom, goal, candidates) or self._cut_up(atom, others, goal, splits, candidates)
        return self._cut_up(atom, others, goal, splits, candidates)

    def _apart(self, atom: Atom, other: Atom) -> bool:
        """Whether the two disagree on a property that each fixes: the branches of a discriminated union."""
        if not isinstance(atom, Object) or not isinstance(other, Object):
            return False
        mine, theirs = self.space.fixed(atom), self.space.fixed(other)
        return any(name in theirs and theirs[name] != key for name, key in mine.items())

    def _cut_up(self, atom: Atom, others: list[Atom], goal: Term, splits: int, candidates: Candidates) -> Answer:
        if cases.covered(self, atom, others, goal, splits, candidates):
            return YES
        refuted = self._refuted(atom, goal, candidates)
        if refuted is not None:
            return refuted
        return UNKNOWN if self.instances.of_atom(atom) is not ABSENT and others and not self._opaque else OPAQUE

    def _refuted(self, atom: Atom, goal: Term, candidates: Candidates) -> Answer | None:
        parts = candidates.parts if isinstance(atom, Object) else {}
        mixed = containment.combined(self, atom, parts) if parts and isinstance(atom, Object) else ()
        for value in itertools.chain(candidates, mixed, self.instances.several(atom, 2)):
            if value is ABSENT:
                continue
            self.spend()
            if membership.holds(self.space, value, atom) and not self.space.member(value, goal):
                return Answer(False, value) if depth_of(value) < DEEPEST else OPAQUE
        return None

    def _within(self, atom: Atom, other: Atom, candidates: Candidates) -> bool:
        if isinstance(atom, Number) and isinstance(other, Number):
            self._opaque = self._opaque or not other.tags <= atom.tags
            return cases.numbers_within(atom, other)
        if isinstance(atom, Text) and isinstance(other, Text):
            proven, found = strings.difference(atom, [other])
            candidates.extend(found)
            self._opaque = self._opaque or (not proven and strings.is_opaque(atom, [other]))
            return proven
        if isinstance(atom, Array) and isinstance(other, Array):
            return containment.arrays(self, atom, other, candidates)
        if isinstance(atom, Object) and isinstance(other, Object):
            return containment.objects(self, atom, other, candidates)
        return False

    def rest_implied(self, atom: Atom, other: Atom) -> bool:
        """Whether the atom meets every schema the other left unread."""
        return all(self._implied(atom, literal) for literal in other.rest - atom.rest)

    def _implied(self, atom: Atom, literal: int) -> bool:
        if literal > 0:
            return bool(self.covered(replace(atom, rest=ANYTHING), frozenset({literal}), 1).included)
        denied = frozenset({-literal})
        if any(own < 0 and self.ask(denied, frozenset({-own})).included for own in atom.rest):
            return True
        met = (conjunction.meet(self.space, atom, one) for one in self.space.expand(denied))
        return all(both is None or self.space.vacant_atom(both) for both in met)
