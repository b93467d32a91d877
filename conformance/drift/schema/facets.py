"""What differs between two terms at one place: types, values, bounds, alternatives, properties, discriminators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from conformance.drift.schema import strings
from conformance.drift.schema.atoms import (
    ANYTHING,
    EVERY,
    Array,
    Atom,
    Contains,
    Number,
    Object,
    Single,
    Term,
    Text,
    type_of_atom,
    written,
)
from conformance.drift.schema.description import Discriminator, discriminator_of, own_schemas
from conformance.drift.schema.differences import (
    Difference,
    Inside,
    Judge,
    shown,
)
from conformance.drift.schema.inclusion import holds
from conformance.drift.schema.space import (
    Space,
    item_term,
    of_formats,
    property_term,
    settle,
    shaped,
)
from conformance.drift.schema.values import ABSENT, TYPES
from conformance.drift.schema.witnesses import names_of

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


def differences_of(judge: Judge, base: Term, revision: Term) -> Iterator[Difference | Inside]:
    """The differences of which values the two terms admit, and those inside their properties and items."""
    space = judge.space
    before, after = (_by_type(a for a in space.expand(term) if not space.vacant_atom(a)) for term in (base, revision))
    lost, gained = [kind for kind in before if kind not in after], [kind for kind in after if kind not in before]
    if lost or gained:
        yield from _types(judge, before, after, lost, gained)
    for kind in before:
        if kind in after:
            yield from _group(judge, before[kind], after[kind])


def _types(
    judge: Judge, before: dict[str, list[Atom]], after: dict[str, list[Atom]], lost: list[str], gained: list[str]
) -> Iterator[Difference]:
    facet = "nullable" if [*lost, *gained] == ["null"] else "type"
    word = "changed" if lost and gained else "tightened" if lost else "loosened"
    extra, groups = (lost, before) if judge.is_request else (gained, after)
    witness = next(
        (v for kind in extra for a in groups[kind] if (v := judge.instances.of_atom(a)) is not ABSENT), ABSENT
    )
    detail = f"from {_named(before)} to {_named(after)}"
    yield Difference(judge.kind(f"{facet}-{word}"), "", detail, witness)


def _named(groups: dict[str, list[Atom]]) -> str:
    names = []
    for kind, atoms in groups.items():
        whole = kind == "number" and all(isinstance(a, Number) and a.step.denominator == 1 and a.step for a in atoms)
        names.append("integer" if whole else kind)
    return " or ".join(names) or "nothing"


def _group(judge: Judge, before: list[Atom], after: list[Atom]) -> Iterator[Difference | Inside]:
    old_values, old = _split(before)
    new_values, new = _split(after)
    if not old and not new:
        yield from _values(judge, old_values, new_values)
        return
    if old_values or new_values:
        terms = judge.space.of_atoms(tuple(before)), judge.space.of_atoms(tuple(after))
        if not judge.same(*terms):
            yield judge.relation("enum" if not old or not new else "alternatives", *terms)
        if not (len(old) == len(new) == 1 and isinstance(old[0], (Array, Object))):
            return
    if len(old) == len(new) == 1:
        yield from _of_pair(judge, old[0], new[0])
    elif old and new:
        yield from _unions(judge, old, new)


def _values(judge: Judge, before: list[Single], after: list[Single]) -> Iterator[Difference]:
    old, new = {one.key: one.value for one in before}, {one.key: one.value for one in after}
    lost = [value for key, value in old.items() if key not in new]
    gained = [value for key, value in new.items() if key not in old]
    if not lost and not gained:
        return
    word = "changed" if lost and gained else "tightened" if lost else "loosened"
    told = [f"without {', '.join(map(shown, lost))}"] if lost else []
    told += [f"with {', '.join(map(shown, gained))}"] if gained else []
    extra = lost if judge.is_request else gained
    yield Difference(judge.kind(f"enum-{word}"), "", "; ".join(told), extra[0] if extra else ABSENT)


def _of_pair(judge: Judge, before: Atom, after: Atom, one_of_many: bool = False) -> Iterator[Difference | Inside]:
    """The differences of two atoms of one type. `one_of_many`: they are alternatives beside others."""
    yield from _facets(judge, before, after)
    if isinstance(before, Array) and isinstance(after, Array):
        yield from _items(judge, before, after)
    elif isinstance(before, Object) and isinstance(after, Object):
        yield from _of_objects(judge, before, after, one_of_many)


def _facets(judge: Judge, before: Atom, after: Atom) -> Iterator[Difference]:
    if isinstance(before, Number) and isinstance(after, Number):
        yield from _number_facets(judge, before, after)
    for field, facet in FACETS[type(before)][3 if isinstance(before, Number) else 0 :]:
        if getattr(before, field) != getattr(after, field):
            words = "" if facet == "condition" else _from_to(getattr(before, field), getattr(after, field))
            yield from _facet(judge, before, after, facet, partial(_with_field, field), words)


def _number_facets(judge: Judge, before: Number, after: Number) -> Iterator[Difference]:
    """Bounds as they are stated and the format, each told for itself though both bound the same numbers."""
    old, new = before.stated or before, after.stated or after
    for field, facet in FACETS[Number][:3]:
        was, became = getattr(old, field), getattr(new, field)
        if was == became:
            continue
        words = _from_to(was, became)
        if field == "step" and {was, became} == {0, 1}:
            facet, words = "type", "from integer to number" if was else "from number to integer"
        yield from _facet(judge, before, after, facet, partial(_with_bound, field), words)
    if (before.formats, before.tags) != (after.formats, after.tags):
        names = [one.formats | {(tag[0] if tag[1] else f"not {tag[0]}") for tag in one.tags} for one in (before, after)]
        yield from _facet(judge, before, after, "format", _with_format, _from_to(*names))


def _with_field(field: str, one: Any, other: Any) -> Atom | None:
    made: Atom = replace(one, **{field: getattr(other, field)})
    return made


def _with_bound(field: str, one: Number, other: Number) -> Atom | None:
    stated = replace(one.stated or one, **{field: getattr(other.stated or other, field)}, formats=frozenset())
    settled = settle(replace(stated, tags=one.tags, denied=one.denied, rest=one.rest))
    return of_formats(settled, one.formats) if settled is not None else None


def _with_format(one: Number, other: Number) -> Atom | None:
    return of_formats(replace(one.stated or one, formats=frozenset(), tags=other.tags), other.formats)


def _facet(
    judge: Judge, before: Atom, after: Atom, facet: str, mix: Callable[[Any, Any], Atom | None], words: str
) -> Iterator[Difference]:
    """The change of one facet alone, from what the sender makes: a witness of it shows nothing else."""
    mixed = mix(before, after) if judge.is_request else mix(after, before)
    pair = (before, mixed) if judge.is_request else (mixed, after)
    base, revision = (judge.space.of_atoms(() if one is None else (one,)) for one in pair)
    if not judge.same(base, revision):
        yield judge.relation(facet, base, revision, words)


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


def _items(judge: Judge, before: Array, after: Array) -> Iterator[Difference | Inside]:
    sender: Array = judge.sender(before, after)
    length = max((len(shape.prefix) for one in (before, after) for shape in one.shapes), default=0)
    for index in range(length + 1):
        if (before.high is not None and before.high <= index) or (after.high is not None and after.high <= index):
            continue
        terms = item_term(before, index), item_term(after, index)
        yield Inside("[]", *terms, partial(_around_item, judge, sender, index))


def _around_item(judge: Judge, sender: Array, index: int, item: Any) -> Any:
    return ABSENT if item is ABSENT else next(judge.instances.around_item(sender, index, item), ABSENT)


def _unions(judge: Judge, before: list[Atom], after: list[Atom]) -> Iterator[Difference | Inside]:
    """Branches that are the same are set aside; what is left is paired where only one pairing offers itself."""
    pairs, old, new = _paired(judge, before, after)
    elsewhere = _spoken_by_others(judge, before, after)
    for one, two in pairs:
        for found in _of_pair(judge, one, two, one_of_many=True):
            if isinstance(found, Inside) or found.path not in elsewhere or found.kind not in _IN_ONE_CASE:
                yield found
    space = judge.space
    whole = space.of_atoms(tuple(before)), space.of_atoms(tuple(after))
    lost = [a for a in old if not judge.within(space.of_atom(a), whole[1])]
    gained = [a for a in new if not judge.within(space.of_atom(a), whole[0])]
    if not lost and not gained:
        return
    word = "changed" if lost and gained else "tightened" if lost else "loosened"
    extra, goal = (lost, whole[1]) if judge.is_request else (gained, whole[0])
    answers = [judge.sent.ask(space.of_atom(atom), goal) for atom in extra]
    witness = next((one.witness for one in answers if one.witness is not ABSENT), ABSENT)
    if any(one.undecided for one in answers) and witness is ABSENT:
        yield Difference(judge.kind("schema-undecided"))
    else:
        yield Difference(judge.kind(f"alternatives-{word}"), "", "", witness)


_IN_ONE_CASE = ("request-property-refused", "response-property-unexpected")


def _spoken_by_others(judge: Judge, before: list[Atom], after: list[Atom]) -> frozenset[str]:
    """Paths of properties that an object cut into cases keeps in one of them: in none is it refused for good."""
    whole, cases = (before, after) if judge.is_request else (after, before)
    if len(whole) > 1:
        return frozenset()
    return frozenset(f".{name}" for atom in cases if isinstance(atom, Object) for name in _spoken(judge, atom))


def _paired(
    judge: Judge, before: list[Atom], after: list[Atom]
) -> tuple[list[tuple[Atom, Atom]], list[Atom], list[Atom]]:
    space = judge.space
    pairs: list[tuple[Atom, Atom]] = []
    old, new = list(before), list(after)
    for mark in (_written, _fixed_values, _single_values):
        _pair_by_mark(mark, space, pairs, old, new)
    for one in list(old) if len(old) * len(new) <= _MOST_PAIRS else ():
        same = next((two for two in new if judge.same(space.of_atom(one), space.of_atom(two))), None)
        if same is not None:
            pairs.append((one, same))
            old.remove(one)
            new.remove(same)
    _pair_by_mark(_declared_names, space, pairs, old, new)
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


def _single_values(space: Space, atom: Atom) -> frozenset[Any]:
    """The same of properties that may be left out."""
    if not isinstance(atom, Object):
        return frozenset()
    found = {}
    for name in atom.declared:
        values = space.expand(property_term(space, atom, name))
        if len(values) == 1 and isinstance(values[0], Single):
            found[name] = values[0].key
    return frozenset(found.items())


def _written(space: Space, atom: Atom) -> frozenset[Any]:
    """Everything the atom says itself, what is left unread aside."""
    return frozenset([written(atom)])


def _declared_names(space: Space, atom: Atom) -> frozenset[str]:
    return atom.declared if isinstance(atom, Object) else frozenset()


def _of_objects(judge: Judge, before: Object, after: Object, one_of_many: bool) -> Iterator[Difference | Inside]:
    """Every difference of the two atoms' properties. `one_of_many`: they are alternatives beside others."""
    if one_of_many:
        judge.marked.update(((id(before), before), (id(after), after)))
    old, new = _spoken(judge, before), _spoken(judge, after)
    for name in sorted(old | new):
        if name in old and name in new:
            yield from _kept(judge, before, after, name)
        elif name in old:
            yield _removed(judge, before, after, name)
        else:
            yield _added(judge, before, after, name)
    yield from _others(judge, before, after)
    yield from _property_names(judge, before, after)


def _spoken(judge: Judge, atom: Object) -> frozenset[str]:
    """The names the description speaks of and some value may have."""
    space = judge.space
    return frozenset(
        name
        for name in atom.declared | (atom.required - atom.forced)
        if not space.vacant(property_term(space, atom, name))
    )


def newly_declared(judge: Judge, base: Iterable[Object], revision: Iterable[Object]) -> Iterator[Difference]:
    """Properties that one of two unions of the same values declares and the other does not: anything may be in them."""
    old = frozenset().union(*(_spoken(judge, atom) for atom in base))
    new = frozenset().union(*(_spoken(judge, atom) for atom in revision))
    for name in sorted(old ^ new):
        yield _difference(judge, name, "property-added" if name in new else "property-removed")


def _with(judge: Judge, before: Object, after: Object, name: str, value: Any) -> Any:
    """The witness around a property's: what the sender could send."""
    if value is ABSENT:
        return ABSENT
    sender: Object = judge.sender(before, after)
    return judge.instances.completed(sender, {**_marks_of(judge, sender), name: value})


def _marks_of(judge: Judge, atom: Object) -> dict[str, Any]:
    """What a value needs to be of this alternative and of no other."""
    return judge.instances.marks(atom) if id(atom) in judge.marked else {}


def _without(judge: Judge, before: Object, after: Object, name: str) -> Any:
    """A witness that leaves the property out."""
    sender: Object = judge.sender(before, after)
    if name in sender.required:
        return ABSENT
    marks = {one: value for one, value in _marks_of(judge, sender).items() if one != name}
    return judge.instances.completed(sender, marks)


def _difference(judge: Judge, name: str, kind: str, witness: Any = ABSENT, detail: str = "") -> Difference:
    return Difference(judge.kind(kind), f".{name}", detail, witness)


def _kept(judge: Judge, before: Object, after: Object, name: str) -> Iterator[Difference | Inside]:
    base, revision = (shaped(one, name) for one in (before, after))
    yield Inside(f".{name}", base, revision, partial(_with, judge, before, after, name))
    was, became = name in before.required, name in after.required
    if was != became:
        kind = "property-became-required" if became else "property-became-optional"
        yield _difference(judge, name, kind, _without(judge, before, after, name))
    if was == became:
        for one in judge.default(base, revision, required=was):
            yield replace(one, path=f".{name}")


def _removed(judge: Judge, before: Object, after: Object, name: str) -> Difference:
    base, revision = shaped(before, name), property_term(judge.space, after, name)
    if judge.is_request:
        answer = judge.sent.ask(base, revision)
        if not holds(answer):
            return _difference(judge, name, "property-refused", _with(judge, before, after, name, answer.witness))
        kind = "property-became-read-only" if name in after.hidden else "property-removed"
        return _difference(judge, name, kind)
    if name in before.required:
        return _difference(judge, name, "required-property-removed", _without(judge, before, after, name))
    return _difference(judge, name, "property-became-write-only" if name in after.hidden else "property-removed")


def _added(judge: Judge, before: Object, after: Object, name: str) -> Difference:
    base, revision = property_term(judge.space, before, name), shaped(after, name)
    if not judge.is_request:
        answer = judge.sent.ask(revision, base)
        if holds(answer):
            kind = "property-no-longer-write-only" if name in before.hidden else "property-added"
            return _difference(judge, name, kind)
        return _difference(judge, name, "property-unexpected", _with(judge, before, after, name, answer.witness))
    if name in after.required:
        return _difference(judge, name, "required-property-added", _without(judge, before, after, name))
    if base != ANYTHING and not judge.space.vacant(base):
        answer = judge.sent.ask(base, revision)
        if not holds(answer):
            return _difference(judge, name, "property-claimed", _with(judge, before, after, name, answer.witness))
    return _difference(judge, name, "property-no-longer-read-only" if name in before.hidden else "property-added")


def _others(judge: Judge, before: Object, after: Object) -> Iterator[Difference | Inside]:
    """Properties no name is given for: by pattern, and any other."""
    declared = _spoken(judge, before) | _spoken(judge, after) | before.hidden | after.hidden
    seen: set[tuple[Term, Term]] = set()
    for name in names_of(judge.space, before, after):
        pair = shaped(before, name), shaped(after, name)
        if name in declared or pair in seen:
            continue
        seen.add(pair)
        open_or_shut = any(term == ANYTHING or judge.space.vacant(term) for term in pair)
        if open_or_shut and judge.same(*pair):
            continue
        if open_or_shut:
            one = judge.relation(_others_facet(name, before, after), *pair)
            yield replace(one, witness=_with(judge, before, after, name, one.witness))
        else:
            yield Inside(".*", *pair, partial(_with, judge, before, after, name))


def _others_facet(name: str, *atoms: Object) -> str:
    patterns = (pattern for atom in atoms for shape in atom.shapes for pattern, _ in shape.patterns)
    matched = any(strings.matches(pattern, name) for pattern in patterns)
    return "pattern-properties" if matched else "additional-properties"


def _property_names(judge: Judge, before: Object, after: Object) -> Iterator[Difference]:
    text = judge.space.of_atom(EVERY[4])
    base, revision = before.names | text, after.names | text
    if before.names == after.names or judge.same(base, revision):
        return
    one = judge.relation("property-names", base, revision)
    sender: Object = judge.sender(before, after)
    witness = ABSENT
    if isinstance(one.witness, str):
        value = judge.instances.smallest(shaped(sender, one.witness))
        witness = _with(judge, before, after, one.witness, value)
    yield replace(one, witness=witness)


def of_discriminators(judge: Judge, base: Term, revision: Term) -> Iterator[Difference]:
    """The change of a discriminator."""
    before, after = _discriminator_of(judge, base), _discriminator_of(judge, revision)
    if before is None and after is None:
        return
    if before is None or after is None:
        yield Difference(judge.kind(f"discriminator-{'added' if before is None else 'removed'}"))
    elif before.name != after.name:
        yield Difference(judge.kind("discriminator-changed"), "", f"from {before.name} to {after.name}")
    elif before.stated or after.stated:
        yield from _selected_values(judge, before, after)


def _selected_values(judge: Judge, before: Discriminator, after: Discriminator) -> Iterator[Difference]:
    lost, gained = before.selects.keys() - after.selects.keys(), after.selects.keys() - before.selects.keys()
    if any(_selects_elsewhere(judge, value, before, after) for value in before.selects.keys() & after.selects.keys()):
        yield Difference(judge.kind("discriminator-changed"), "", "a value selects another schema")
    if lost:
        yield Difference(judge.kind("discriminator-values-tightened"), "", f"without {', '.join(sorted(lost))}")
    if gained:
        yield Difference(judge.kind("discriminator-values-loosened"), "", f"with {', '.join(sorted(gained))}")


def _selects_elsewhere(judge: Judge, value: str, before: Discriminator, after: Discriminator) -> bool:
    """Whether the value now selects what another value selected, and no longer what it did."""
    if isinstance(before.selects[value], str) or _select_the_same(judge, before, value, after, value):
        return False
    return any(_select_the_same(judge, before, value, after, other) for other in after.selects if other != value)


def _select_the_same(judge: Judge, one: Discriminator, value: str, other: Discriminator, its_value: str) -> bool:
    """Whether the two values select the same; of what stands outside the description only the reference is known."""
    mine, theirs = one.selects[value], other.selects[its_value]
    if isinstance(mine, str) or isinstance(theirs, str):
        return bool(mine == theirs)
    term = judge.space.term
    return judge.same(term(one.description, mine), term(other.description, theirs))


def _discriminator_of(judge: Judge, term: Term) -> Discriminator | None:
    for literal in sorted(term):
        node, description = judge.space.node(literal) if literal > 0 else (None, None)
        if isinstance(node, dict) and description is not None:
            for own in own_schemas(description, node):
                if isinstance(own.get("discriminator"), dict):
                    return discriminator_of(own, description)
    return None


def _by_type(atoms: Iterable[Atom]) -> dict[str, list[Atom]]:
    """The atoms by JSON type, in the types' usual order."""
    groups: dict[str, list[Atom]] = {kind: [] for kind in TYPES}
    for atom in atoms:
        groups[type_of_atom(atom)].append(atom)
    return {kind: group for kind, group in groups.items() if group}


def _split(group: list[Atom]) -> tuple[list[Single], list[Atom]]:
    """The listed values, and the atoms that stand for many."""
    return [a for a in group if isinstance(a, Single)], [a for a in group if not isinstance(a, Single)]
