"""The differences between two terms, type by type: listed values, bounds, items, and the branches of a union."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.drift.schema import conjunction, membership, properties
from conformance.drift.schema.atoms import Array, Atom, Contains, Number, Object, Single, Term, Text, written
from conformance.drift.schema.differences import Difference, Inside, by_type, shown, split
from conformance.drift.schema.values import ABSENT

if TYPE_CHECKING:
    from conformance.drift.schema.schemas import Comparer
    from conformance.drift.schema.space import Space

_VALUES = (("denied", "enum"), ("rest", "condition"))
_MOST_PAIRS = 144
"""Pairs of alternatives that are compared to find out which are the same."""

_ALIKE = 0.5
"""Names in common, of all names of both, from which on two alternatives are taken for one that changed."""

FACETS: dict[type, tuple[tuple[str, str], ...]] = {
    Number: (("low", "minimum"), ("high", "maximum"), ("step", "multiple-of"), *_VALUES),
    Text: (("low", "min-length"), ("high", "max-length"), ("patterns", "pattern"), ("tags", "format"), *_VALUES),
    Array: (
        ("low", "min-items"),
        ("high", "max-items"),
        ("unique", "unique-items"),
        ("contains", "contains"),
        *_VALUES,
    ),
    Object: (("low", "min-properties"), ("high", "max-properties"), *_VALUES),
}
"""Fields of an atom and the facet of the catalogue each is."""


def between(comparer: Comparer, base: Term, revision: Term) -> Iterator[Difference | Inside]:
    """The differences of which values the two terms admit, and those inside their properties and items."""
    space = comparer.space
    before, after = (by_type(a for a in space.expand(term) if not space.vacant_atom(a)) for term in (base, revision))
    lost, gained = [kind for kind in before if kind not in after], [kind for kind in after if kind not in before]
    if lost or gained:
        yield from _types(comparer, before, after, lost, gained)
    for kind in before:
        if kind in after:
            yield from _group(comparer, before[kind], after[kind])


def _types(
    comparer: Comparer, before: dict[str, list[Atom]], after: dict[str, list[Atom]], lost: list[str], gained: list[str]
) -> Iterator[Difference]:
    facet = "nullable" if [*lost, *gained] == ["null"] else "type"
    word = "changed" if lost and gained else "tightened" if lost else "loosened"
    extra, groups = (lost, before) if comparer.is_request else (gained, after)
    witness = next(
        (v for kind in extra for a in groups[kind] if (v := comparer.instances.of_atom(a)) is not ABSENT), ABSENT
    )
    detail = f"from {_named(before)} to {_named(after)}"
    yield Difference(comparer.kind(f"{facet}-{word}"), "", detail, witness)


def _named(groups: dict[str, list[Atom]]) -> str:
    names = []
    for kind, atoms in groups.items():
        whole = kind == "number" and all(isinstance(a, Number) and a.step.denominator == 1 and a.step for a in atoms)
        names.append("integer" if whole else kind)
    return " or ".join(names) or "nothing"


def _group(comparer: Comparer, before: list[Atom], after: list[Atom]) -> Iterator[Difference | Inside]:
    old_values, old = split(before)
    new_values, new = split(after)
    if not old and not new:
        yield from _values(comparer, old_values, new_values)
        return
    if old_values or new_values:
        terms = comparer.space.of_atoms(tuple(before)), comparer.space.of_atoms(tuple(after))
        if not comparer.same(*terms):
            yield comparer.relation("enum" if not old or not new else "alternatives", *terms)
        if not (len(old) == len(new) == 1 and isinstance(old[0], (Array, Object))):
            return
    if len(old) == len(new) == 1:
        yield from atoms(comparer, old[0], new[0])
    elif old and new:
        yield from _unions(comparer, old, new)


def _values(comparer: Comparer, before: list[Single], after: list[Single]) -> Iterator[Difference]:
    old, new = {one.key: one.value for one in before}, {one.key: one.value for one in after}
    lost = [value for key, value in old.items() if key not in new]
    gained = [value for key, value in new.items() if key not in old]
    if not lost and not gained:
        return
    word = "changed" if lost and gained else "tightened" if lost else "loosened"
    told = [f"without {', '.join(map(shown, lost))}"] if lost else []
    told += [f"with {', '.join(map(shown, gained))}"] if gained else []
    extra = lost if comparer.is_request else gained
    yield Difference(comparer.kind(f"enum-{word}"), "", "; ".join(told), extra[0] if extra else ABSENT)


def atoms(comparer: Comparer, before: Atom, after: Atom, one_of_many: bool = False) -> Iterator[Difference | Inside]:
    """The differences of two atoms of one type. `one_of_many`: they are alternatives beside others."""
    yield from _facets(comparer, before, after)
    if isinstance(before, Array) and isinstance(after, Array):
        yield from _items(comparer, before, after)
    elif isinstance(before, Object) and isinstance(after, Object):
        yield from properties.between(comparer, before, after, one_of_many)


def _facets(comparer: Comparer, before: Atom, after: Atom) -> Iterator[Difference]:
    if isinstance(before, Number) and isinstance(after, Number):
        yield from _number_facets(comparer, before, after)
    for field, facet in FACETS[type(before)][3 if isinstance(before, Number) else 0 :]:
        if getattr(before, field) != getattr(after, field):
            words = "" if facet == "condition" else _from_to(getattr(before, field), getattr(after, field))
            yield from _facet(comparer, before, after, facet, partial(_with_field, field), words)


def _number_facets(comparer: Comparer, before: Number, after: Number) -> Iterator[Difference]:
    """Bounds as they are stated and the format, each told for itself though both bound the same numbers."""
    old, new = before.stated or before, after.stated or after
    for field, facet in FACETS[Number][:3]:
        was, became = getattr(old, field), getattr(new, field)
        if was == became:
            continue
        words = _from_to(was, became)
        if field == "step" and {was, became} == {0, 1}:
            facet, words = "type", "from integer to number" if was else "from number to integer"
        yield from _facet(comparer, before, after, facet, partial(_with_bound, field), words)
    if (before.formats, before.tags) != (after.formats, after.tags):
        names = [one.formats | {(tag[0] if tag[1] else f"not {tag[0]}") for tag in one.tags} for one in (before, after)]
        yield from _facet(comparer, before, after, "format", _with_format, _from_to(*names))


def _with_field(field: str, one: Any, other: Any) -> Atom | None:
    made: Atom = replace(one, **{field: getattr(other, field)})
    return made


def _with_bound(field: str, one: Number, other: Number) -> Atom | None:
    stated = replace(one.stated or one, **{field: getattr(other.stated or other, field)}, formats=frozenset())
    settled = conjunction.settle(replace(stated, tags=one.tags, denied=one.denied, rest=one.rest))
    return conjunction.of_formats(settled, one.formats) if settled is not None else None


def _with_format(one: Number, other: Number) -> Atom | None:
    return conjunction.of_formats(replace(one.stated or one, formats=frozenset(), tags=other.tags), other.formats)


def _facet(
    comparer: Comparer, before: Atom, after: Atom, facet: str, mix: Callable[[Any, Any], Atom | None], words: str
) -> Iterator[Difference]:
    """The change of one facet alone, from what the sender makes: a witness of it shows nothing else."""
    mixed = mix(before, after) if comparer.is_request else mix(after, before)
    pair = (before, mixed) if comparer.is_request else (mixed, after)
    base, revision = (comparer.space.of_atoms(() if one is None else (one,)) for one in pair)
    if not comparer.same(base, revision):
        yield comparer.relation(facet, base, revision, words)


def _from_to(before: Any, after: Any) -> str:
    return f"from {_shown(before)} to {_shown(after)}"


def _shown(value: Any) -> str:
    if value is None or value == frozenset():
        return "none"
    if isinstance(value, frozenset) and any(isinstance(e, Contains) for e in value):
        return f"{len(value)} rules"
    if isinstance(value, tuple):
        return f"{_number(value[0])}{' (excluded)' if value[1] else ''}"
    if isinstance(value, frozenset):
        return ", ".join(sorted(f"{'' if e[1] else 'not '}{e[0]}" if isinstance(e, tuple) else str(e) for e in value))
    return _number(value) if isinstance(value, Fraction) else shown(value)


def _number(value: Fraction) -> str:
    return shown(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _items(comparer: Comparer, before: Array, after: Array) -> Iterator[Difference | Inside]:
    sender: Array = comparer.sender(before, after)
    length = max((len(shape.prefix) for one in (before, after) for shape in one.shapes), default=0)
    for index in range(length + 1):
        if (before.high is not None and before.high <= index) or (after.high is not None and after.high <= index):
            continue
        terms = membership.item_term(before, index), membership.item_term(after, index)
        yield Inside("[]", *terms, partial(_around_item, comparer, sender, index))


def _around_item(comparer: Comparer, sender: Array, index: int, item: Any) -> Any:
    return ABSENT if item is ABSENT else next(comparer.instances.around_item(sender, index, item), ABSENT)


def _unions(comparer: Comparer, before: list[Atom], after: list[Atom]) -> Iterator[Difference | Inside]:
    """Branches that are the same are set aside; what is left is paired where only one pairing offers itself."""
    pairs, old, new = _paired(comparer, before, after)
    for one, two in pairs:
        yield from atoms(comparer, one, two, one_of_many=True)
    space = comparer.space
    whole = space.of_atoms(tuple(before)), space.of_atoms(tuple(after))
    lost = [a for a in old if not comparer.within(space.of_atom(a), whole[1])]
    gained = [a for a in new if not comparer.within(space.of_atom(a), whole[0])]
    if not lost and not gained:
        return
    word = "changed" if lost and gained else "tightened" if lost else "loosened"
    extra, goal = (lost, whole[1]) if comparer.is_request else (gained, whole[0])
    answers = [comparer.sent.ask(space.of_atom(atom), goal) for atom in extra]
    witness = next((one.witness for one in answers if one.witness is not ABSENT), ABSENT)
    if any(one.undecided for one in answers) and witness is ABSENT:
        yield Difference(comparer.kind("schema-undecided"))
    else:
        yield Difference(comparer.kind(f"alternatives-{word}"), "", "", witness)


def _paired(
    comparer: Comparer, before: list[Atom], after: list[Atom]
) -> tuple[list[tuple[Atom, Atom]], list[Atom], list[Atom]]:
    space = comparer.space
    pairs: list[tuple[Atom, Atom]] = []
    old, new = list(before), list(after)
    for mark in (_written, _fixed_values, _marks):
        _pair_by_mark(mark, space, pairs, old, new)
    for one in list(old) if len(old) * len(new) <= _MOST_PAIRS else ():
        same = next((two for two in new if comparer.same(space.of_atom(one), space.of_atom(two))), None)
        if same is not None:
            pairs.append((one, same))
            old.remove(one)
            new.remove(same)
    _pair_by_mark(_names, space, pairs, old, new)
    _pair_by_names_in_common(pairs, old, new)
    if len(old) == len(new) == 1:
        pairs.append((old.pop(), new.pop()))
    return pairs, old, new


def _pair_by_names_in_common(pairs: list[tuple[Atom, Atom]], old: list[Atom], new: list[Atom]) -> None:
    """Pair the objects that have more names in common with each other than with any other."""
    shared: dict[tuple[int, int], tuple[float, Atom, Atom]] = {}
    for one in old:
        for two in new:
            if isinstance(one, Object) and isinstance(two, Object):
                both = len(one.declared & two.declared) / (len(one.declared | two.declared) or 1)
                shared[id(one), id(two)] = both, one, two
    for likeness, one, two in sorted(shared.values(), key=lambda row: -row[0]):
        if likeness >= _ALIKE and one in old and two in new:
            pairs.append((one, two))
            old.remove(one)
            new.remove(two)


def _pair_by_mark(
    mark: Callable[[Space, Atom], frozenset[Any]],
    space: Space,
    pairs: list[tuple[Atom, Atom]],
    old: list[Atom],
    new: list[Atom],
) -> None:
    """Pair the atoms whose mark is nobody else's on either side."""
    marked: dict[frozenset[Any], tuple[list[Atom], list[Atom]]] = {}
    for which, atoms_of in enumerate((old, new)):
        for atom in atoms_of:
            marked.setdefault(mark(space, atom), ([], []))[which].append(atom)
    for found, (mine, theirs) in marked.items():
        if found and len(mine) == len(theirs) == 1:
            pairs.append((mine[0], theirs[0]))
            old.remove(mine[0])
            new.remove(theirs[0])


def _fixed_values(space: Space, atom: Atom) -> frozenset[Any]:
    """Properties that may hold one value only: what tells the branches of a discriminated union apart."""
    return frozenset(space.fixed(atom).items()) if isinstance(atom, Object) else frozenset()


def _marks(space: Space, atom: Atom) -> frozenset[Any]:
    """The same of properties that may be left out."""
    if not isinstance(atom, Object):
        return frozenset()
    found = {}
    for name in atom.declared:
        values = space.expand(membership.property_term(space, atom, name))
        if len(values) == 1 and isinstance(values[0], Single):
            found[name] = values[0].key
    return frozenset(found.items())


def _written(space: Space, atom: Atom) -> frozenset[Any]:
    """Everything the atom says itself, what is left unread aside."""
    return frozenset([written(atom)])


def _names(space: Space, atom: Atom) -> frozenset[str]:
    return atom.declared if isinstance(atom, Object) else frozenset()
