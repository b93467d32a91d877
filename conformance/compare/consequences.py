"""What hangs on what: which differences may follow from another, and which steps an answer depends on.

An instance that gives a wrong id answers otherwise wherever that id is used. So a difference in a value, a status or a
length may follow from an earlier one, in an id that was given or in a request that changes something, where it was seen
only at steps that speak of the same things. A field that is gone or of another type never follows from another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from conformance.api.operations import Kind, changing, row_of
from conformance.compare.plan import Plan, Step
from conformance.suites.generation.replaying import NAME, Token, gives, made_name, uses

Key = tuple[str, str, str]
"""A difference's operation, location and kind."""

_MAY_FOLLOW = frozenset({"status", "value", "length", "enum", "order", "no-answer"})
_OF_AN_ID = frozenset({"value", "type", "null", "gone", "format"})
_OWN = frozenset({NAME, Kind.PIPELINE, Kind.DEPLOYMENT, Kind.VARIANT, Kind.VERSION})
"""Kinds of things that are used by few steps; models and workspaces are used by nearly all."""


def consequences(plan: Plan, seen: Mapping[Key, Iterable[int]]) -> dict[Key, Key]:
    """For each difference that may follow from another, that other; `seen` are the steps that showed each."""
    steps = {key: sorted(set(numbers)) for key, numbers in seen.items()}
    cones: dict[Key, frozenset[int]] = {}
    found: dict[Key, Key] = {}
    for key in sorted(steps, key=lambda one: (steps[one][0], one[2] in _MAY_FOLLOW)):
        earlier = {root: after for root, after in cones.items() if root != key}
        if key[2] in _MAY_FOLLOW and set(steps[key]) <= frozenset().union(*earlier.values()):
            found[key] = next(root for root, after in earlier.items() if steps[key][0] in after)
        elif _spreads(key):
            cones[key] = cone(plan, frozenset(steps[key]))
    return found


def _spreads(key: Key) -> bool:
    """Whether later answers depend on it: how a changing request ended, or an id that it gave."""
    operation, location, kind = key
    if operation not in changing():
        return False
    given = {at.place for at in row_of(operation).gives}
    return kind in ("status", "no-answer") or (kind in _OF_AN_ID and location.partition(".body.")[2] in given)


def cone(plan: Plan, roots: frozenset[int]) -> frozenset[int]:
    """Steps after a root that speak of what it gave or changed, or of what was made of that."""
    names = _names(plan.steps)
    tainted: set[Token] = set()
    found: set[int] = set()
    for step in plan.steps:
        concerned = bool(tainted & _spoken(step))
        if concerned:
            found.add(step.number)
        if step.number in roots or (concerned and step.operation in changing()):
            tainted |= _own(step, names) | _made(step)
    return frozenset(found)


def history(plan: Plan, number: int) -> tuple[Step, ...]:
    """The steps that an answer may hang on: all that changed what its request speaks of, and what gave them their ids.

    Asked by themselves they lead to the same answer as the whole plan does, where things of others do not matter.
    """
    names = _names(plan.steps)
    earlier = [step for step in plan.steps if step.number <= number]
    wanted, needed, kept = _own(earlier[-1], names), set(uses(earlier[-1].exchange)), [earlier[-1]]
    for step in reversed(earlier[:-1]):
        changes = step.operation in changing()
        if (changes and _spoken(step) & wanted) or _made(step) & needed:
            kept.append(step)
            needed |= uses(step.exchange)
            wanted |= _own(step, names) if changes and _spoken(step) & wanted else set()
    return tuple(reversed(kept))


def _names(steps: Sequence[Step]) -> dict[Token, set[Token]]:
    """Each id of a pipeline or deployment with the name it was made under, and each such name with its ids."""
    known: dict[Token, set[Token]] = {}
    for step in steps:
        made = made_name(step.exchange)
        for token in gives(step.exchange) if made else ():
            if made and token[0] in _OWN:
                known.setdefault(token, set()).add(made)
                known.setdefault(made, set()).add(token)
    return known


def _own(step: Step, names: Mapping[Token, set[Token]]) -> set[Token]:
    """The pipelines and deployments that a step speaks of, by their ids and by their names."""
    own = {token for token in _spoken(step) if token[0] in _OWN}
    return own.union(*(names.get(token, set()) for token in own))


def _made(step: Step) -> set[Token]:
    made = made_name(step.exchange)
    return {token for token in gives(step.exchange) if isinstance(token[1], int | str)} | ({made} if made else set())


def _spoken(step: Step) -> set[Token]:
    return uses(step.exchange) | _made(step)
