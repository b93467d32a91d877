"""Whether every value of one term is a value of another, with a value that is not.

The answer is exact for what the atoms express; of a union that only several others cover together, jsonschema-rs
(`covers`) is asked. It is not asked first: it takes ten times as long where schemas refer to each other in rings.
Recursive schemas are compared coinductively: a pair that is already being compared is assumed included, and results
that relied on it are discarded if it is not (Amadio and Cardelli, "Subtyping Recursive Types", TOPLAS 1993).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import jsonschema_rs
from jsonschema_rs import canonical

from conformance.drift.schema import strings
from conformance.drift.schema.atoms import (
    ANYTHING,
    NOTHING,
    Array,
    Atom,
    Number,
    Object,
    Single,
    Term,
    Text,
    type_of_atom,
)
from conformance.drift.schema.description import Description
from conformance.drift.schema.space import (
    Space,
    higher,
    in_range,
    is_of,
    item_term,
    lower,
    meet,
    property_term,
    settle,
    shaped,
)
from conformance.drift.schema.values import ABSENT, Key, depth_of, exact, key_of, plain, value_of
from conformance.drift.schema.witnesses import DEEPEST, Copier, Instances, names_of


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
        except (GivenUpError, RecursionError):
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

    def covered(self, atom: Atom, goal: Term) -> Answer:
        """Whether the union of the goal's atoms holds every value of the atom."""
        if isinstance(atom, Single):
            return YES if self.space.member(atom.value, goal) else Answer(False, atom.value)
        self.spend()
        others = [one for one in self.space.expand(goal) if type_of_atom(one) == type_of_atom(atom)]
        candidates = Candidates()
        outer, self._opaque = self._opaque, False
        try:
            return self._covered(atom, others, goal, candidates)
        finally:
            self._opaque = outer

    def _covered(self, atom: Atom, others: list[Atom], goal: Term, candidates: Candidates) -> Answer:
        others = [one for one in others if not self._apart(atom, one)]
        for other in others:
            if isinstance(other, Single):
                continue
            if self._within(atom, other, candidates) and self.rest_implied(atom, other):
                return YES
        if self.space.vacant_atom(atom):
            return YES
        if isinstance(atom, Number):  # their edges show more, and faster, than cutting them into cases
            refuted = self._refuted(atom, goal, candidates)
            if refuted is not None:
                return refuted
        if _covered_by_cases(self, atom, others, goal, candidates):
            return YES
        refuted = self._refuted(atom, goal, candidates)
        if refuted is not None:
            return refuted
        return UNKNOWN if self.instances.of_atom(atom) is not ABSENT and others and not self._opaque else OPAQUE

    def _apart(self, atom: Atom, other: Atom) -> bool:
        """Whether the two disagree on a property that each fixes: the branches of a discriminated union."""
        if not isinstance(atom, Object) or not isinstance(other, Object):
            return False
        mine, theirs = self.space.fixed(atom), self.space.fixed(other)
        return any(name in theirs and theirs[name] != key for name, key in mine.items())

    def _refuted(self, atom: Atom, goal: Term, candidates: Candidates) -> Answer | None:
        parts = candidates.parts if isinstance(atom, Object) else {}
        mixed = _combined(self, atom, parts) if parts and isinstance(atom, Object) else ()
        tried: set[Any] = {ABSENT}
        for value in itertools.chain(candidates, mixed, self.instances.several(atom, 2)):
            key = value if value is ABSENT else key_of(value)
            if key in tried:
                continue
            tried.add(key)
            self.spend()
            if is_of(self.space, value, atom) and not self.space.member(value, goal):
                return Answer(False, value) if depth_of(value) < DEEPEST else OPAQUE
        return None

    def _within(self, atom: Atom, other: Atom, candidates: Candidates) -> bool:
        if isinstance(atom, Number) and isinstance(other, Number):
            self._opaque = self._opaque or not other.tags <= atom.tags
            return _numbers_within(atom, other)
        if isinstance(atom, Text) and isinstance(other, Text):
            proven, found = strings.difference(atom, [other])
            candidates.extend(found)
            self._opaque = self._opaque or (not proven and strings.is_opaque(atom, [other]))
            return proven
        if isinstance(atom, Array) and isinstance(other, Array):
            return _arrays_within(self, atom, other, candidates)
        if isinstance(atom, Object) and isinstance(other, Object):
            return _objects_within(self, atom, other, candidates)
        return False

    def rest_implied(self, atom: Atom, other: Atom) -> bool:
        """Whether the atom meets every schema the other left unread."""
        return all(self._implied(atom, literal) for literal in other.rest - atom.rest)

    def _implied(self, atom: Atom, literal: int) -> bool:
        if literal > 0:
            return bool(self.covered(replace(atom, rest=ANYTHING), frozenset({literal})).included)
        denied = frozenset({-literal})
        if any(own < 0 and self.ask(denied, frozenset({-own})).included for own in atom.rest):
            return True
        met = (meet(self.space, atom, one) for one in self.space.expand(denied))
        return all(both is None or self.space.vacant_atom(both) for both in met)


class Candidates(list[Any]):
    """Values that may show that a union does not hold all of an atom; `parts` are of properties that one refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, list[Any]] = {}
        self._known: set[tuple[str, Key]] = set()

    def is_new(self, name: str, value: Any) -> bool:
        """Take the property's value among the parts; False where it is one of them already."""
        key = (name, key_of(value))
        if key in self._known:
            return False
        self._known.add(key)
        self.parts.setdefault(name, []).append(value)
        return True


def _arrays_within(inclusion: Inclusion, atom: Array, other: Array, candidates: Candidates) -> bool:
    fine = atom.low >= other.low and (other.high is None or (atom.high is not None and atom.high <= other.high))
    if not fine:
        for length in (atom.low, (other.high or 0) + 1, other.low - 1):
            candidates.extend(inclusion.instances.array_of(atom, [], max(length, atom.low)))
    if other.unique and not atom.unique and (atom.high is None or atom.high > 1):
        fine = False
        item = inclusion.instances.smallest(item_term(atom, 0))
        if item is not ABSENT:
            candidates.extend(inclusion.instances.array_of(atom, [item, item], max(2, atom.low)))
    contained = all(any(_counted(inclusion, own, rule) for own in atom.contains) for rule in other.contains)
    if not contained and not _contains_by_items(inclusion, atom, other):
        fine = False
        answers = (inclusion.ask(own.term, rule.term) for own in atom.contains for rule in other.contains)
        for answer in answers:
            if answer.witness is not ABSENT:
                candidates.extend(inclusion.instances.array_of(atom, [answer.witness], atom.low))
    length = max((len(shape.prefix) for one in (atom, other) for shape in one.shapes), default=0)
    for index in range(min(length + 1, atom.high if atom.high is not None else length + 1)):
        answer = inclusion.ask(item_term(atom, index), item_term(other, index))
        if not answer.included:
            fine = False
            if answer.witness is not ABSENT:
                candidates.extend(inclusion.instances.around_item(atom, index, answer.witness))
    return fine and not (other.denied - atom.denied)


def _counted(inclusion: Inclusion, own: Any, rule: Any) -> bool:
    enough = own.low >= rule.low and (rule.high is None or own.high == rule.high)
    same = own.term == rule.term or bool(inclusion.ask(own.term, rule.term).included)
    if rule.high is None:
        return bool(enough and same)
    return bool(enough and same and inclusion.ask(rule.term, own.term).included)


def _contains_by_items(inclusion: Inclusion, atom: Array, other: Array) -> bool:
    return all(
        rule.high is None
        and atom.low >= rule.low
        and all(inclusion.ask(item_term(atom, i), rule.term).included for i in range(rule.low))
        for rule in other.contains
    )


def _objects_within(inclusion: Inclusion, atom: Object, other: Object, candidates: Candidates) -> bool:
    fine = not other.required - atom.required
    if not fine:
        candidates.append(inclusion.instances.completed(atom, {}))
    names = names_of(inclusion.space, atom, other)
    for name in names:
        own, wanted = (
            property_term(inclusion.space, atom, name),
            property_term(inclusion.space, other, name),
        )
        if not wanted or own == NOTHING or _unsent(inclusion, atom, other, name):
            continue
        answer = inclusion.ask(own, wanted)
        if not answer.included and not inclusion.space.vacant(own):
            fine = False
            if answer.witness is not ABSENT and candidates.is_new(name, answer.witness):
                candidates.append(inclusion.instances.completed(atom, {name: answer.witness}))
    fine = fine and _sizes_within(inclusion, atom, other, names, candidates)
    candidates[:] = [value for value in candidates if value is not ABSENT]
    return fine and not (other.denied - atom.denied)


def _unsent(inclusion: Inclusion, atom: Object, other: Object, name: str) -> bool:
    """Whether senders of `atom` never send this name: undeclared in an object that is merely open."""
    if not inclusion.declared_only or name in atom.declared | atom.required or name not in other.declared:
        return False
    return shaped(atom, name) == ANYTHING


def _sizes_within(inclusion: Inclusion, atom: Object, other: Object, names: list[str], candidates: Candidates) -> bool:
    least = max(atom.low, len(atom.required))
    high = atom.high
    if all(
        inclusion.space.vacant(property_term(inclusion.space, atom, name))
        for name in names
        if name not in atom.declared | atom.required
    ):
        closed = sum(
            not inclusion.space.vacant(property_term(inclusion.space, atom, name))
            for name in atom.declared | atom.required
        )
        high = closed if high is None else min(high, closed)
    fine = least >= other.low and (other.high is None or (high is not None and high <= other.high))
    if not fine:
        candidates.append(inclusion.instances.completed(atom, {}))
        wanted = min((other.high or 0) + 1, 2000)
        candidates.append(inclusion.instances.completed(replace(atom, low=max(atom.low, wanted)), {}))
    return fine


def _combined(inclusion: Inclusion, atom: Object, parts: dict[str, list[Any]]) -> Iterator[Any]:
    """Objects with properties that different alternatives refuse, alone and together, with much or little beside."""
    marks = inclusion.instances.marks(atom)
    together = {name: values[0] for name, values in parts.items()}
    last = {name: values[-1] for name, values in parts.items()}
    alone = [{name: value} for name, values in parts.items() for value in values[:2]]
    for part in [together, last, *alone]:
        yield inclusion.instances.completed(atom, {**marks, **part})
        yield inclusion.instances.completed(atom, part)
    for part in (together, last):
        yield inclusion.instances.completed(atom, {**inclusion.instances.everything(atom), **part})


_FEW = 64
"""Integers of a range that are looked at one by one, and cases that are looked at at all."""


def _covered_by_cases(inclusion: Inclusion, atom: Atom, others: list[Atom], goal: Term, candidates: Candidates) -> bool:
    """Whether several of the others cover the atom together: texts as languages, numbers cut at the others' bounds."""
    if isinstance(atom, Text):
        texts = [o for o in others if isinstance(o, Text) and inclusion.rest_implied(atom, o)]
        listed = [o.value for o in others if isinstance(o, Single)]
        if len(texts) + len(listed) < 2 - (not texts):
            return False
        proven, found = strings.difference(atom, texts, listed)
        candidates.extend(found)
        return proven
    cases: list[Atom] = []
    if isinstance(atom, Number):
        cases = list(_number_cases(atom, others))
    elif isinstance(atom, (Array, Object)) and atom.high == 0:
        empty: list[Any] | dict[str, Any] = [] if isinstance(atom, Array) else {}
        cases = [Single(empty, key_of(empty))]
    if not cases or len(cases) > _FEW or (len(cases) == 1 and not isinstance(cases[0], Single)):
        return False
    for case in cases:
        answer = inclusion.covered(case, goal)
        if not answer.included:
            if answer.witness is not ABSENT:
                candidates.insert(0, answer.witness)
            return False
    return True


def _numbers_within(atom: Number, other: Number) -> bool:
    low = higher(atom.low, other.low) == atom.low
    high = lower(atom.high, other.high) == atom.high
    step = not other.step or (bool(atom.step) and atom.step % other.step == 0)
    denied = all(key in atom.denied or not in_range(atom, value_of(key)) for key in other.denied)
    return low and high and step and denied and other.tags <= atom.tags


def _number_cases(atom: Number, others: list[Atom]) -> Iterator[Atom]:
    if atom.step and atom.low and atom.high and (atom.high[0] - atom.low[0]) / atom.step < _FEW:
        value = atom.low[0]
        while value <= atom.high[0]:
            if key_of(number := plain(value)) not in atom.denied:
                yield Single(number, key_of(number))
            value += atom.step
        return
    cuts = {bound for one in others if isinstance(one, Number) for bound in _cuts(one)}
    cuts |= {
        cut
        for one in others
        if isinstance(one, Single)
        for cut in ((exact(one.value), True), (exact(one.value), False))
    }
    low = atom.low
    for value, before in sorted(cuts, key=lambda cut: (cut[0], not cut[1])):
        piece = settle(replace(atom, low=low, high=lower(atom.high, (value, before))))
        if piece is not None:
            yield piece
        low = higher(atom.low, (value, not before))
    last = settle(replace(atom, low=low))
    if last is not None:
        yield last


def _cuts(atom: Number) -> Iterator[tuple[Fraction, bool]]:
    """Where the line is cut: the value, and whether it belongs to what comes after."""
    if atom.low:
        yield atom.low[0], not atom.low[1]
    if atom.high:
        yield atom.high[0], atom.high[1]


class SecondOpinion:
    """Asks jsonschema-rs about the terms of one space, each made canonical once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._copiers: dict[int, Copier] = {}
        self._made: dict[Term, jsonschema_rs.CanonicalSchema | None] = {}

    def includes(self, first: Term, second: Term) -> bool | None:
        """Whether the second admits every value of the first; None where jsonschema-rs does not tell.

        It is not asked of unions made here, which no schema of a description stands for.
        """
        inner, outer = self._canonical(first), self._canonical(second)
        if inner is None or outer is None:
            return None
        try:
            answer = outer.covers(inner)
        except (canonical.UnsupportedOperand, canonical.UnsupportedResult, canonical.IncompatibleOperands):
            return None
        return {canonical.Containment.YES: True, canonical.Containment.NO: False}.get(answer)

    def _canonical(self, term: Term) -> jsonschema_rs.CanonicalSchema | None:
        if term not in self._made:
            self._made[term] = self._make(term)
        return self._made[term]

    def _make(self, term: Term) -> jsonschema_rs.CanonicalSchema | None:
        parts: list[Any] = []
        definitions: dict[str, Any] = {}
        for literal in sorted(term):
            node, description = self.space.node(literal)
            if description is None and node is not True:
                return None
            whole: dict[str, Any] = {"allOf": [True]}
            if description is not None:
                whole = self._copier(description).whole(node)
            definitions.update(whole.get("$defs", {}))
            (schema,) = whole["allOf"]
            parts.append({"not": schema} if literal < 0 else schema)
        try:
            return jsonschema_rs.canonicalize(
                {"allOf": parts, "$defs": definitions}, draft=jsonschema_rs.Draft202012, validate_formats=True
            )
        except (jsonschema_rs.ValidationError, canonical.CanonicalizationError, canonical.InvalidPattern, ValueError):
            return None

    def _copier(self, description: Description) -> Copier:
        return self._copiers.setdefault(id(description), Copier(description, self.space.side))
