"""Whether every value of one term is a value of another, with a value that is not.

The answer is exact for what the atoms express and says so where it could not tell. Recursive schemas are compared
coinductively: a question met again while it is being answered is answered by yes, and what leant on it is forgotten if the
outer answer is no (Amadio and Cardelli, "Subtyping Recursive Types", TOPLAS 1993).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from conformance.drift import conjunction, membership, strings
from conformance.drift.atoms import ANYTHING, NOTHING, Array, Atom, Number, Object, PropertyShape, Single, Term, Text, type_of_atom
from conformance.drift.instances import FRESH, Instances, names_of
from conformance.drift.space import Space
from conformance.drift.values import ABSENT, exact, key_of, plain

_FEW = 64
"""Integers of a range that are looked at one by one."""


@dataclass(frozen=True)
class Answer:
    """`included` is None where it could not be told; `witness` a value of the first term and not of the second.

    `opaque` says that finding no witness means nothing: a format or pattern nobody here can read, or no value to try.
    """

    included: bool | None
    witness: Any = ABSENT
    opaque: bool = False


YES, UNKNOWN, OPAQUE = Answer(True), Answer(None), Answer(None, opaque=True)


def holds(answer: Answer) -> bool:
    """A proof, or a search in vain: unless something stands between the two that cannot be read."""
    return answer.included is True or (answer.included is None and not answer.opaque)


class Inclusion:
    """Answers for one space. With `declared_only`, senders send no property their own description does not speak of."""

    def __init__(self, space: Space, instances: Instances, declared_only: bool) -> None:
        self.space, self.instances, self.declared_only = space, instances, declared_only
        self._answers: dict[tuple[Term, Term], Answer] = {}
        self._open: dict[tuple[Term, Term], None] = {}
        self._leant: list[tuple[Term, Term]] = []
        self._opaque = False

    def ask(self, first: Term, second: Term) -> Answer:
        """Whether `first` is included in `second`."""
        if second <= first:
            return YES
        pair = (first, second)
        if pair in self._answers:
            return self._heard(self._answers[pair])
        if pair in self._open or self.space.alike(first, second):
            return YES
        self._open[pair] = None
        mark = len(self._leant)
        answer = self._ask(first, second)
        del self._open[pair]
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
        for atom in self.space.expand(first):
            answer = self.covered(atom, goal)
            if answer.included is False:
                return answer
            if answer.included is None and not unsure.opaque:
                unsure = answer
        return unsure

    def covered(self, atom: Atom, goal: Term, splits: int = 3) -> Answer:
        """Whether the union of the goal's atoms holds every value of the atom."""
        if isinstance(atom, Single):
            return YES if self.space.member(atom.value, goal) else Answer(False, atom.value)
        others = [one for one in self.space.expand(goal) if type_of_atom(one) == type_of_atom(atom)]
        candidates: list[Any] = []
        outer, self._opaque = self._opaque, False
        try:
            return self._covered(atom, others, goal, splits, candidates)
        finally:
            self._opaque = outer

    def _covered(self, atom: Atom, others: list[Atom], goal: Term, splits: int, candidates: list[Any]) -> Answer:
        for other in others:
            if isinstance(other, Single):
                continue
            settled = self._rest_implied(atom, other) and self._within(atom, other, candidates)
            if settled:
                return YES
        if self._by_cases(atom, others, goal, splits, candidates) or self.space.vacant_atom(atom):
            return YES
        made = False
        for value in itertools.chain(candidates, self.instances.several(atom, 2)):
            if membership.holds(self.space, value, atom):
                made = True
                if not self.space.member(value, goal):
                    return Answer(False, value)
        return UNKNOWN if made and others and not self._opaque else OPAQUE

    def _within(self, atom: Atom, other: Atom, candidates: list[Any]) -> bool:
        if isinstance(atom, Number) and isinstance(other, Number):
            self._opaque = self._opaque or not other.tags <= atom.tags
            return _numbers_within(atom, other)
        if isinstance(atom, Text) and isinstance(other, Text):
            proven, found = strings.difference(atom, [other])
            candidates.extend(found)
            self._opaque = self._opaque or (not proven and strings.is_opaque(atom, [other]))
            return proven
        if isinstance(atom, Array) and isinstance(other, Array):
            return self._arrays_within(atom, other, candidates)
        if isinstance(atom, Object) and isinstance(other, Object):
            return self._objects_within(atom, other, candidates)
        return False

    def _rest_implied(self, atom: Atom, other: Atom) -> bool:
        return all(self._implied(atom, literal) for literal in other.rest - atom.rest)

    def _implied(self, atom: Atom, literal: int) -> bool:
        if literal > 0:
            return bool(self.covered(replace(atom, rest=ANYTHING), frozenset({literal}), 1).included)
        denied = frozenset({-literal})
        if any(own < 0 and self.ask(denied, frozenset({-own})).included for own in atom.rest):
            return True
        met = (conjunction.meet(self.space, atom, one) for one in self.space.expand(denied))
        return all(both is None or self.space.vacant_atom(both) for both in met)

    def _arrays_within(self, atom: Array, other: Array, candidates: list[Any]) -> bool:
        fine = atom.low >= other.low and (other.high is None or (atom.high is not None and atom.high <= other.high))
        if not fine:
            for length in (atom.low, (other.high or 0) + 1, other.low - 1):
                candidates.extend(self.instances.array_of(atom, [], max(length, atom.low)))
        if other.unique and not atom.unique and (atom.high is None or atom.high > 1):
            fine = False
            item = self.instances.smallest(membership.item_term(atom, 0))
            if item is not ABSENT:
                candidates.extend(self.instances.array_of(atom, [item, item], max(2, atom.low)))
        contained = all(any(self._counted(own, rule) for own in atom.contains) for rule in other.contains)
        if not contained and not self._contains_by_items(atom, other):
            fine = False
            answers = (self.ask(own.term, rule.term) for own in atom.contains for rule in other.contains)
            for answer in answers:
                if answer.witness is not ABSENT:
                    candidates.extend(self.instances.array_of(atom, [answer.witness], atom.low))
        length = max((len(shape.prefix) for one in (atom, other) for shape in one.shapes), default=0)
        for index in range(min(length + 1, atom.high if atom.high is not None else length + 1)):
            answer = self.ask(membership.item_term(atom, index), membership.item_term(other, index))
            if not answer.included:
                fine = False
                if answer.witness is not ABSENT:
                    candidates.extend(self.instances.around_item(atom, index, answer.witness))
        return fine and not (other.denied - atom.denied)

    def _counted(self, own: Any, rule: Any) -> bool:
        enough = own.low >= rule.low and (rule.high is None or own.high == rule.high)
        same = own.term == rule.term or bool(self.ask(own.term, rule.term).included)
        if rule.high is None:
            return bool(enough and same)
        return bool(enough and same and self.ask(rule.term, own.term).included)

    def _contains_by_items(self, atom: Array, other: Array) -> bool:
        return all(
            rule.high is None
            and atom.low >= rule.low
            and all(self.ask(membership.item_term(atom, i), rule.term).included for i in range(rule.low))
            for rule in other.contains
        )

    def _objects_within(self, atom: Object, other: Object, candidates: list[Any]) -> bool:
        fine = not other.required - atom.required
        if not fine:
            candidates.append(self.instances.completed(atom, {}))
        names = names_of(self.space, atom, other)
        for name in names:
            own, wanted = self._property(atom, name), membership.property_term(self.space, other, name)
            if not wanted or own == NOTHING or self._unsent(atom, other, name):
                continue
            answer = self.ask(own, wanted)
            if not answer.included and not self.space.vacant(own):
                fine = False
                if answer.witness is not ABSENT:
                    candidates.append(self.instances.completed(atom, {name: answer.witness}))
        fine = fine and self._counts_within(atom, other, names, candidates)
        candidates[:] = [value for value in candidates if value is not ABSENT]
        return fine and not (other.denied - atom.denied)

    def _property(self, atom: Object, name: str) -> Term:
        return membership.property_term(self.space, atom, name)

    def _unsent(self, atom: Object, other: Object, name: str) -> bool:
        """Whether senders of `atom` never send this name: undeclared in an object that is merely open."""
        if not self.declared_only or name in atom.declared | atom.required or name not in other.declared:
            return False
        return membership.shaped(atom, name) == ANYTHING

    def _counts_within(self, atom: Object, other: Object, names: list[str], candidates: list[Any]) -> bool:
        least = max(atom.low, len(atom.required))
        high = atom.high
        if all(self.space.vacant(self._property(atom, name)) for name in names if name not in atom.declared | atom.required):
            closed = sum(not self.space.vacant(self._property(atom, name)) for name in atom.declared | atom.required)
            high = closed if high is None else min(high, closed)
        fine = least >= other.low and (other.high is None or (high is not None and high <= other.high))
        if not fine:
            candidates.append(self.instances.completed(atom, {}))
            wanted = min((other.high or 0) + 1, 2000)
            candidates.append(self.instances.completed(replace(atom, low=max(atom.low, wanted)), {}))
        return fine

    def _by_cases(self, atom: Atom, others: list[Atom], goal: Term, splits: int, candidates: list[Any]) -> bool:
        """Whether the atom, cut into cases, is covered by several of the others together."""
        if isinstance(atom, Text):
            texts = [o for o in others if isinstance(o, Text) and self._rest_implied(atom, o)]
            if len(texts) < 2:
                return False
            proven, found = strings.difference(atom, texts)
            candidates.extend(found)
            return proven
        if not splits:
            return False
        cases = list(self._cases(atom, others))
        if len(cases) < 2 or len(cases) > _FEW:
            return False
        for case in cases:
            answer = self.covered(case, goal, splits - 1)
            if not answer.included:
                if answer.witness is not ABSENT:
                    candidates.insert(0, answer.witness)
                return False
        return True

    def _cases(self, atom: Atom, others: list[Atom]) -> Iterator[Atom]:
        if isinstance(atom, Number):
            yield from _number_cases(atom, others)
        elif isinstance(atom, Object) and len(others) > 1:
            yield from self._object_cases(atom, [one for one in others if isinstance(one, Object)])

    def _object_cases(self, atom: Object, others: list[Object]) -> Iterator[Atom]:
        """By a property the others disagree on: absent, or one case for each atom of its value."""
        for name in sorted({name for one in others for name in one.required | one.declared}):
            terms = {membership.property_term(self.space, one, name) for one in others}
            if len(terms) < 2 and all((name in one.required) == (name in others[0].required) for one in others):
                continue
            present = replace(atom, required=atom.required | {name})
            values = [case for value in self.space.expand(self._property(atom, name)) for case in self._cut(value, terms)]
            if name not in atom.required:
                yield replace(atom, shapes=(*atom.shapes, PropertyShape({name: NOTHING})))
            elif len(values) < 2:
                continue
            for value in values:
                shape = PropertyShape({name: self.space.of_atom(value)})
                yield replace(present, shapes=(*atom.shapes, shape))
            return

    def _cut(self, value: Atom, terms: set[Term]) -> list[Atom]:
        """The value's atom, numbers cut where the terms tell them apart."""
        if not isinstance(value, Number):
            return [value]
        others = [one for term in terms for one in self.space.expand(term) if type_of_atom(one) == "number"]
        return list(_number_cases(value, others)) or [value]


def _numbers_within(atom: Number, other: Number) -> bool:
    low = conjunction.higher(atom.low, other.low) == atom.low
    high = conjunction.lower(atom.high, other.high) == atom.high
    step = not other.step or (bool(atom.step) and atom.step % other.step == 0)
    denied = all(key in atom.denied or not membership.in_range(atom, plain(key[1])) for key in other.denied)  # type: ignore[index]
    return low and high and step and denied and other.tags <= atom.tags


def _number_cases(atom: Number, others: list[Atom]) -> Iterator[Atom]:
    if atom.step and atom.low and atom.high and (atom.high[0] - atom.low[0]) / atom.step < _FEW:
        value = atom.low[0]
        while value <= atom.high[0]:
            if key_of(plain(value)) not in atom.denied:
                yield Single(plain(value), key_of(plain(value)))
            value += atom.step
        return
    cuts = {bound for one in others if isinstance(one, Number) for bound in _cuts(one)}
    cuts |= {cut for one in others if isinstance(one, Single) for cut in ((exact(one.value), True), (exact(one.value), False))}
    low = atom.low
    for value, before in sorted(cuts, key=lambda cut: (cut[0], not cut[1])):
        piece = conjunction.settle(replace(atom, low=low, high=conjunction.lower(atom.high, (value, before))))
        if piece is not None:
            yield piece
        low = conjunction.higher(atom.low, (value, not before))
    last = conjunction.settle(replace(atom, low=low))
    if last is not None:
        yield last


def _cuts(atom: Number) -> Iterator[tuple[Fraction, bool]]:
    """Where the line is cut: the value, and whether it belongs to what comes after."""
    if atom.low:
        yield atom.low[0], not atom.low[1]
    if atom.high:
        yield atom.high[0], atom.high[1]


