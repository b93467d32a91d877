"""Whether one array or object atom holds all of another, constraint by constraint; what shows it does not is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.drift.schema import membership
from conformance.drift.schema.atoms import ANYTHING, NOTHING, Array, Object
from conformance.drift.schema.instances import names_of
from conformance.drift.schema.values import ABSENT

if TYPE_CHECKING:
    from conformance.drift.schema.inclusion import Inclusion


class Candidates(list[Any]):
    """Values that may show that a union does not hold all of an atom; `parts` are of properties that one refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, list[Any]] = {}


def arrays(inclusion: Inclusion, atom: Array, other: Array, candidates: Candidates) -> bool:
    fine = atom.low >= other.low and (other.high is None or (atom.high is not None and atom.high <= other.high))
    if not fine:
        for length in (atom.low, (other.high or 0) + 1, other.low - 1):
            candidates.extend(inclusion.instances.array_of(atom, [], max(length, atom.low)))
    if other.unique and not atom.unique and (atom.high is None or atom.high > 1):
        fine = False
        item = inclusion.instances.smallest(membership.item_term(atom, 0))
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
        answer = inclusion.ask(membership.item_term(atom, index), membership.item_term(other, index))
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
        and all(inclusion.ask(membership.item_term(atom, i), rule.term).included for i in range(rule.low))
        for rule in other.contains
    )


def objects(inclusion: Inclusion, atom: Object, other: Object, candidates: Candidates) -> bool:
    fine = not other.required - atom.required
    if not fine:
        candidates.append(inclusion.instances.completed(atom, {}))
    names = names_of(inclusion.space, atom, other)
    for name in names:
        own, wanted = (
            membership.property_term(inclusion.space, atom, name),
            membership.property_term(inclusion.space, other, name),
        )
        if not wanted or own == NOTHING or _unsent(inclusion, atom, other, name):
            continue
        answer = inclusion.ask(own, wanted)
        if not answer.included and not inclusion.space.vacant(own):
            fine = False
            if answer.witness is not ABSENT:
                candidates.append(inclusion.instances.completed(atom, {name: answer.witness}))
                candidates.parts.setdefault(name, []).append(answer.witness)
    fine = fine and _counts(inclusion, atom, other, names, candidates)
    candidates[:] = [value for value in candidates if value is not ABSENT]
    return fine and not (other.denied - atom.denied)


def _unsent(inclusion: Inclusion, atom: Object, other: Object, name: str) -> bool:
    """Whether senders of `atom` never send this name: undeclared in an object that is merely open."""
    if not inclusion.declared_only or name in atom.declared | atom.required or name not in other.declared:
        return False
    return membership.shaped(atom, name) == ANYTHING


def _counts(inclusion: Inclusion, atom: Object, other: Object, names: list[str], candidates: Candidates) -> bool:
    least = max(atom.low, len(atom.required))
    high = atom.high
    if all(
        inclusion.space.vacant(membership.property_term(inclusion.space, atom, name))
        for name in names
        if name not in atom.declared | atom.required
    ):
        closed = sum(
            not inclusion.space.vacant(membership.property_term(inclusion.space, atom, name))
            for name in atom.declared | atom.required
        )
        high = closed if high is None else min(high, closed)
    fine = least >= other.low and (other.high is None or (high is not None and high <= other.high))
    if not fine:
        candidates.append(inclusion.instances.completed(atom, {}))
        wanted = min((other.high or 0) + 1, 2000)
        candidates.append(inclusion.instances.completed(replace(atom, low=max(atom.low, wanted)), {}))
    return fine


def combined(inclusion: Inclusion, atom: Object, parts: dict[str, list[Any]]) -> Iterator[Any]:
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
