"""Where two terms differ, as kinds of change with a value that shows each: walked from the outside in.

A difference is local (this bound, this property); whether it matters is settled from the outside: what the whole still
admits is no breaking change, whatever a part of it lost to another part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from conformance.drift.openapi.kinds import KINDS
from conformance.drift.schema import strings
from conformance.drift.schema.annotations import annotation, own_schemas
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
    written,
)
from conformance.drift.schema.differences import CHANGED, LOOSENED, TIGHTENED, Difference, Inside, by_type, shown, split
from conformance.drift.schema.discriminators import Discriminator, discriminator_of
from conformance.drift.schema.inclusion import Inclusion, SecondOpinion, holds
from conformance.drift.schema.instances import DEEPEST, Instances, names_of
from conformance.drift.schema.space import (
    REQUEST,
    Space,
    item_term,
    of_formats,
    property_term,
    settle,
    shaped,
)
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
        found = list(_of_terms(self, base, revision))
        inside = tuple(one for one in found if isinstance(one, Inside))
        own = [*self.notes(base, revision), *(one for one in found if isinstance(one, Difference))]
        if self.same(base, revision):
            objects = ([a for a in self.space.expand(term) if isinstance(a, Object)] for term in (base, revision))
            declared = _declarations(self, *objects)
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
            return Difference(self.kind("schema-undecided"), "", detail)
        lost, gained = not self.within(base, revision), not self.within(revision, base)
        word = {(True, True): CHANGED, (True, False): TIGHTENED}.get((lost, gained), LOOSENED)
        first, second = (base, revision) if self.is_request else (revision, base)
        return Difference(self.kind(f"{facet}-{word}"), "", detail, self.sent.ask(first, second).witness)

    def notes(self, base: Term, revision: Term) -> Iterable[Difference]:
        before, after = self.note(base, "deprecated") is True, self.note(revision, "deprecated") is True
        if before != after:
            yield Difference(self.kind("schema-deprecated" if after else "schema-no-longer-deprecated"))
        yield from _of_discriminators(self, base, revision)

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


def _of_terms(comparer: Comparer, base: Term, revision: Term) -> Iterator[Difference | Inside]:
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
        yield from _of_pair(comparer, old[0], new[0])
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


def _of_pair(comparer: Comparer, before: Atom, after: Atom, one_of_many: bool = False) -> Iterator[Difference | Inside]:
    """The differences of two atoms of one type. `one_of_many`: they are alternatives beside others."""
    yield from _facets(comparer, before, after)
    if isinstance(before, Array) and isinstance(after, Array):
        yield from _items(comparer, before, after)
    elif isinstance(before, Object) and isinstance(after, Object):
        yield from _of_objects(comparer, before, after, one_of_many)


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
    settled = settle(replace(stated, tags=one.tags, denied=one.denied, rest=one.rest))
    return of_formats(settled, one.formats) if settled is not None else None


def _with_format(one: Number, other: Number) -> Atom | None:
    return of_formats(replace(one.stated or one, formats=frozenset(), tags=other.tags), other.formats)


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
        terms = item_term(before, index), item_term(after, index)
        yield Inside("[]", *terms, partial(_around_item, comparer, sender, index))


def _around_item(comparer: Comparer, sender: Array, index: int, item: Any) -> Any:
    return ABSENT if item is ABSENT else next(comparer.instances.around_item(sender, index, item), ABSENT)


def _unions(comparer: Comparer, before: list[Atom], after: list[Atom]) -> Iterator[Difference | Inside]:
    """Branches that are the same are set aside; what is left is paired where only one pairing offers itself."""
    pairs, old, new = _paired(comparer, before, after)
    elsewhere = _spoken_by_others(comparer, before, after)
    for one, two in pairs:
        for found in _of_pair(comparer, one, two, one_of_many=True):
            if isinstance(found, Inside) or found.path not in elsewhere or found.kind not in _IN_ONE_CASE:
                yield found
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


_IN_ONE_CASE = ("request-property-refused", "response-property-unexpected")


def _spoken_by_others(comparer: Comparer, before: list[Atom], after: list[Atom]) -> frozenset[str]:
    """Paths of properties that an object cut into cases keeps in one of them: in none is it refused for good."""
    whole, cases = (before, after) if comparer.is_request else (after, before)
    if len(whole) > 1:
        return frozenset()
    return frozenset(f".{name}" for atom in cases if isinstance(atom, Object) for name in _spoken(comparer, atom))


def _paired(
    comparer: Comparer, before: list[Atom], after: list[Atom]
) -> tuple[list[tuple[Atom, Atom]], list[Atom], list[Atom]]:
    space = comparer.space
    pairs: list[tuple[Atom, Atom]] = []
    old, new = list(before), list(after)
    for mark in (_written, _fixed_values, _single_values):
        _pair_by_mark(mark, space, pairs, old, new)
    for one in list(old) if len(old) * len(new) <= _MOST_PAIRS else ():
        same = next((two for two in new if comparer.same(space.of_atom(one), space.of_atom(two))), None)
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


def _of_objects(comparer: Comparer, before: Object, after: Object, one_of_many: bool) -> Iterator[Difference | Inside]:
    """Every difference of the two atoms' properties. `one_of_many`: they are alternatives beside others."""
    if one_of_many:
        comparer.marked.update(((id(before), before), (id(after), after)))
    old, new = _spoken(comparer, before), _spoken(comparer, after)
    for name in sorted(old | new):
        if name in old and name in new:
            yield from _kept(comparer, before, after, name)
        elif name in old:
            yield _removed(comparer, before, after, name)
        else:
            yield _added(comparer, before, after, name)
    yield from _others(comparer, before, after)
    yield from _property_names(comparer, before, after)


def _spoken(comparer: Comparer, atom: Object) -> frozenset[str]:
    """The names the description speaks of and some value may have."""
    space = comparer.space
    return frozenset(
        name
        for name in atom.declared | (atom.required - atom.forced)
        if not space.vacant(property_term(space, atom, name))
    )


def _declarations(comparer: Comparer, base: Iterable[Object], revision: Iterable[Object]) -> Iterator[Difference]:
    """Properties that one of two unions of the same values declares and the other does not: anything may be in them."""
    old = frozenset().union(*(_spoken(comparer, atom) for atom in base))
    new = frozenset().union(*(_spoken(comparer, atom) for atom in revision))
    for name in sorted(old ^ new):
        yield _difference(comparer, name, "property-added" if name in new else "property-removed")


def _with(comparer: Comparer, before: Object, after: Object, name: str, value: Any) -> Any:
    """The witness around a property's: what the sender could send."""
    if value is ABSENT:
        return ABSENT
    sender: Object = comparer.sender(before, after)
    return comparer.instances.completed(sender, {**_marks_of(comparer, sender), name: value})


def _marks_of(comparer: Comparer, atom: Object) -> dict[str, Any]:
    """What a value needs to be of this alternative and of no other."""
    return comparer.instances.marks(atom) if id(atom) in comparer.marked else {}


def _without(comparer: Comparer, before: Object, after: Object, name: str) -> Any:
    """A witness that leaves the property out."""
    sender: Object = comparer.sender(before, after)
    if name in sender.required:
        return ABSENT
    marks = {one: value for one, value in _marks_of(comparer, sender).items() if one != name}
    return comparer.instances.completed(sender, marks)


def _difference(comparer: Comparer, name: str, kind: str, witness: Any = ABSENT, detail: str = "") -> Difference:
    return Difference(comparer.kind(kind), f".{name}", detail, witness)


def _kept(comparer: Comparer, before: Object, after: Object, name: str) -> Iterator[Difference | Inside]:
    base, revision = (shaped(one, name) for one in (before, after))
    yield Inside(f".{name}", base, revision, partial(_with, comparer, before, after, name))
    was, became = name in before.required, name in after.required
    if was != became:
        kind = "property-became-required" if became else "property-became-optional"
        yield _difference(comparer, name, kind, _without(comparer, before, after, name))
    if was == became:
        for one in comparer.default(base, revision, required=was):
            yield replace(one, path=f".{name}")


def _removed(comparer: Comparer, before: Object, after: Object, name: str) -> Difference:
    base, revision = shaped(before, name), property_term(comparer.space, after, name)
    if comparer.is_request:
        answer = comparer.sent.ask(base, revision)
        if not holds(answer):
            return _difference(comparer, name, "property-refused", _with(comparer, before, after, name, answer.witness))
        kind = "property-became-read-only" if name in after.hidden else "property-removed"
        return _difference(comparer, name, kind)
    if name in before.required:
        return _difference(comparer, name, "required-property-removed", _without(comparer, before, after, name))
    return _difference(comparer, name, "property-became-write-only" if name in after.hidden else "property-removed")


def _added(comparer: Comparer, before: Object, after: Object, name: str) -> Difference:
    base, revision = property_term(comparer.space, before, name), shaped(after, name)
    if not comparer.is_request:
        answer = comparer.sent.ask(revision, base)
        if holds(answer):
            kind = "property-no-longer-write-only" if name in before.hidden else "property-added"
            return _difference(comparer, name, kind)
        return _difference(comparer, name, "property-unexpected", _with(comparer, before, after, name, answer.witness))
    if name in after.required:
        return _difference(comparer, name, "required-property-added", _without(comparer, before, after, name))
    if base != ANYTHING and not comparer.space.vacant(base):
        answer = comparer.sent.ask(base, revision)
        if not holds(answer):
            return _difference(comparer, name, "property-claimed", _with(comparer, before, after, name, answer.witness))
    return _difference(comparer, name, "property-no-longer-read-only" if name in before.hidden else "property-added")


def _others(comparer: Comparer, before: Object, after: Object) -> Iterator[Difference | Inside]:
    """Properties no name is given for: by pattern, and any other."""
    declared = _spoken(comparer, before) | _spoken(comparer, after) | before.hidden | after.hidden
    seen: set[tuple[Term, Term]] = set()
    for name in names_of(comparer.space, before, after):
        pair = shaped(before, name), shaped(after, name)
        if name in declared or pair in seen:
            continue
        seen.add(pair)
        open_or_shut = any(term == ANYTHING or comparer.space.vacant(term) for term in pair)
        if open_or_shut and comparer.same(*pair):
            continue
        if open_or_shut:
            one = comparer.relation(_others_facet(name, before, after), *pair)
            yield replace(one, witness=_with(comparer, before, after, name, one.witness))
        else:
            yield Inside(".*", *pair, partial(_with, comparer, before, after, name))


def _others_facet(name: str, *atoms: Object) -> str:
    patterns = (pattern for atom in atoms for shape in atom.shapes for pattern, _ in shape.patterns)
    matched = any(strings.matches(pattern, name) for pattern in patterns)
    return "pattern-properties" if matched else "additional-properties"


def _property_names(comparer: Comparer, before: Object, after: Object) -> Iterator[Difference]:
    text = comparer.space.of_atom(EVERY[4])
    base, revision = before.names | text, after.names | text
    if before.names == after.names or comparer.same(base, revision):
        return
    one = comparer.relation("property-names", base, revision)
    sender: Object = comparer.sender(before, after)
    witness = ABSENT
    if isinstance(one.witness, str):
        value = comparer.instances.smallest(shaped(sender, one.witness))
        witness = _with(comparer, before, after, one.witness, value)
    yield replace(one, witness=witness)


def _of_discriminators(comparer: Comparer, base: Term, revision: Term) -> Iterator[Difference]:
    """The change of a discriminator."""
    before, after = _discriminator_of(comparer, base), _discriminator_of(comparer, revision)
    if before is None and after is None:
        return
    if before is None or after is None:
        yield Difference(comparer.kind(f"discriminator-{'added' if before is None else 'removed'}"))
    elif before.name != after.name:
        yield Difference(comparer.kind("discriminator-changed"), "", f"from {before.name} to {after.name}")
    elif before.stated or after.stated:
        yield from _selected_values(comparer, before, after)


def _selected_values(comparer: Comparer, before: Discriminator, after: Discriminator) -> Iterator[Difference]:
    lost, gained = before.selects.keys() - after.selects.keys(), after.selects.keys() - before.selects.keys()
    if any(
        _selects_elsewhere(comparer, value, before, after) for value in before.selects.keys() & after.selects.keys()
    ):
        yield Difference(comparer.kind("discriminator-changed"), "", "a value selects another schema")
    if lost:
        yield Difference(comparer.kind("discriminator-values-tightened"), "", f"without {', '.join(sorted(lost))}")
    if gained:
        yield Difference(comparer.kind("discriminator-values-loosened"), "", f"with {', '.join(sorted(gained))}")


def _selects_elsewhere(comparer: Comparer, value: str, before: Discriminator, after: Discriminator) -> bool:
    """Whether the value now selects what another value selected, and no longer what it did."""
    if isinstance(before.selects[value], str) or _select_the_same(comparer, before, value, after, value):
        return False
    return any(_select_the_same(comparer, before, value, after, other) for other in after.selects if other != value)


def _select_the_same(comparer: Comparer, one: Discriminator, value: str, other: Discriminator, its_value: str) -> bool:
    """Whether the two values select the same; of what stands outside the description only the reference is known."""
    mine, theirs = one.selects[value], other.selects[its_value]
    if isinstance(mine, str) or isinstance(theirs, str):
        return bool(mine == theirs)
    term = comparer.space.term
    return comparer.same(term(one.description, mine), term(other.description, theirs))


def _discriminator_of(comparer: Comparer, term: Term) -> Discriminator | None:
    for literal in sorted(term):
        node, description = comparer.space.node(literal) if literal > 0 else (None, None)
        if isinstance(node, dict) and description is not None:
            for own in own_schemas(description, node):
                if isinstance(own.get("discriminator"), dict):
                    return discriminator_of(own, description)
    return None
