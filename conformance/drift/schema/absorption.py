"""Leaves out of a union the atoms that another of its atoms plainly holds, so that unions of unions stay small."""

from __future__ import annotations

from conformance.drift.schema.atoms import Array, Atom, Number, Object, Single, Text, type_of_atom
from conformance.drift.schema.conjunction import higher, lower
from conformance.drift.schema.membership import in_range

_MOST = 80
"""Atoms of one type beyond which nothing is looked for."""


def absorbed(atoms: tuple[Atom, ...]) -> tuple[Atom, ...]:
    """The same union, by fewer atoms where it is easy to see; the order is kept."""
    groups: dict[str, list[Atom]] = {}
    for atom in atoms:
        groups.setdefault(type_of_atom(atom), []).append(atom)
    if all(len(group) < 2 or len(group) > _MOST for group in groups.values()):
        return atoms
    dropped: set[int] = set()
    for group in groups.values():
        if 1 < len(group) <= _MOST:
            for atom in group:
                others = (one for one in group if one is not atom and id(one) not in dropped)
                if any(_holds(one, atom) for one in others):
                    dropped.add(id(atom))
    return tuple(atom for atom in atoms if id(atom) not in dropped) if dropped else atoms


def _holds(one: Atom, atom: Atom) -> bool:
    """Whether it is plain that the first holds all of the second, and declares as much."""
    if not one.rest <= atom.rest:
        return False
    if isinstance(one, Single):
        return isinstance(atom, Single) and one.key == atom.key
    if isinstance(one, Number):
        return _numbers(one, atom)
    if isinstance(atom, Single) or not one.denied <= atom.denied:
        return False
    if isinstance(one, Text) and isinstance(atom, Text):
        return _sizes(one, atom) and one.patterns <= atom.patterns and one.tags <= atom.tags
    if isinstance(one, Array) and isinstance(atom, Array):
        shapes = set(map(id, one.shapes)) <= set(map(id, atom.shapes))
        return shapes and _sizes(one, atom) and one.unique <= atom.unique and one.contains <= atom.contains
    if isinstance(one, Object) and isinstance(atom, Object):
        shapes = set(map(id, one.shapes)) <= set(map(id, atom.shapes))
        spoken = atom.declared <= one.declared and atom.hidden == one.hidden
        return shapes and spoken and _sizes(one, atom) and one.required <= atom.required and one.names <= atom.names
    return False


def _numbers(one: Number, atom: Atom) -> bool:
    if isinstance(atom, Single):
        return not one.tags and in_range(one, atom.value)
    if not isinstance(atom, Number) or not (one.denied <= atom.denied and one.tags <= atom.tags):
        return False
    step = not one.step or (bool(atom.step) and atom.step % one.step == 0)
    return step and higher(one.low, atom.low) == atom.low and lower(one.high, atom.high) == atom.high


def _sizes(one: Text | Array | Object, atom: Text | Array | Object) -> bool:
    return one.low <= atom.low and (one.high is None or (atom.high is not None and atom.high <= one.high))
