"""Whether a value is one of a term's: JSON Schema validation over atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.drift.schema import strings
from conformance.drift.schema.atoms import NOTHING, Array, Atom, Number, Object, Single, Term, Text
from conformance.drift.schema.values import exact, key_of, type_of

if TYPE_CHECKING:
    from conformance.drift.schema.space import Space


def member(space: Space, value: Any, term: Term) -> bool:
    """Whether all the term's schemas together admit the value."""
    if len(term) == 1:
        (literal,) = term
        return _admitted(space, value, abs(literal)) is (literal > 0)
    return not term or all(_admitted(space, value, abs(one)) is (one > 0) for one in term)


def _admitted(space: Space, value: Any, literal: int) -> bool:
    """Whether the schema of this number admits the value."""
    listed, others = space.sorted(literal)
    return (bool(listed) and key_of(value) in listed) or any(holds(space, value, atom) for atom in others)


def holds(space: Space, value: Any, atom: Atom) -> bool:
    """Whether the value is one of the atom's."""
    kind = type_of(value)
    if isinstance(atom, Single):
        admitted = key_of(value) == atom.key
    elif isinstance(atom, Number):
        admitted = kind == "number" and in_range(atom, value)
    elif isinstance(atom, Text):
        admitted = kind == "string" and strings.holds(atom, value)
    elif isinstance(atom, Array):
        admitted = kind == "array" and _array(space, value, atom)
    else:
        admitted = kind == "object" and _object(space, value, atom)
    return admitted and all(member(space, value, frozenset({literal})) for literal in atom.rest)


def in_range(atom: Number, value: float) -> bool:
    """Bounds, step and denied values; formats are bounds already."""
    number = exact(value)
    return (
        (atom.low is None or number > atom.low[0] or (number == atom.low[0] and not atom.low[1]))
        and (atom.high is None or number < atom.high[0] or (number == atom.high[0] and not atom.high[1]))
        and (not atom.step or number % atom.step == 0)
        and (not atom.denied or key_of(value) not in atom.denied)
    )


def _array(space: Space, value: list[Any], atom: Array) -> bool:
    if len(value) < atom.low or (atom.high is not None and len(value) > atom.high):
        return False
    if atom.unique and len({key_of(item) for item in value}) < len(value):
        return False
    for rule in atom.contains:
        count = sum(member(space, item, rule.term) for item in value)
        if count < rule.low or (rule.high is not None and count > rule.high):
            return False
    if atom.denied and key_of(value) in atom.denied:
        return False
    return all(member(space, item, shape.at(i)) for shape in atom.shapes for i, item in enumerate(value))


def _object(space: Space, value: dict[str, Any], atom: Object) -> bool:
    if not atom.required <= value.keys() or len(value) < atom.low:
        return False
    if (atom.high is not None and len(value) > atom.high) or (atom.denied and key_of(value) in atom.denied):
        return False
    return all(
        member(space, name, atom.names) and member(space, item, shaped(atom, name)) for name, item in value.items()
    )


def shaped(atom: Object, name: str) -> Term:
    term: frozenset[int] = frozenset()
    for shape in atom.shapes:
        found = [shape.named[name]] if name in shape.named else []
        found += [pattern_term for pattern, pattern_term in shape.patterns if strings.matches(pattern, name)]
        for one in found or [shape.others]:
            term |= one
    return term


def property_term(space: Space, atom: Object, name: str) -> Term:
    """What the atom says of the property's value; NOTHING where the name itself is refused, or one too many."""
    if atom.names and not member(space, name, atom.names):
        return NOTHING
    if atom.high is not None and len(atom.required) >= atom.high and name not in atom.required:
        return NOTHING
    return shaped(atom, name)


def item_term(atom: Array, index: int) -> Term:
    """What the atom says of the item at this index."""
    term: frozenset[int] = frozenset()
    for shape in atom.shapes:
        term |= shape.at(index)
    return term
