"""The schemas of the descriptions under comparison, read as unions of atoms from one side of the wire.

The request's side leaves out `readOnly` properties, the response's side `writeOnly` ones. Each schema is numbered once;
a `Term` is a conjunction of numbers. Reading is lazy and remembered: recursive schemas and shared components cost once.
Here too: whether a value is of an atom, what two atoms hold in common, and which atoms of a union others make needless.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from conformance.drift.schema import strings
from conformance.drift.schema.atoms import (
    ANYTHING,
    EVERY,
    NOTHING,
    Array,
    Atom,
    Bound,
    Number,
    Object,
    Single,
    Term,
    Text,
    type_of_atom,
)
from conformance.drift.schema.description import Description
from conformance.drift.schema.identity import HEARD, Identity, plain
from conformance.drift.schema.values import Key, exact, key_of, type_of

REQUEST, RESPONSE = "request", "response"

Reader = Callable[["Space", Description | None, Any, int], tuple[Atom, ...]]
"""Reads the schema behind a number, asserted or (negative) denied, as atoms."""

WIDEST = 300
"""A conjunction of unions that would need more atoms than this keeps a part unread (`rest`)."""

_MOST_UNREAD = 6
"""Schemas left unread with an atom beyond which it is not asked whether one of them contradicts it."""


class Space:
    """The numbered schemas of one comparison and one side (`request` or `response`)."""

    def __init__(self, side: str, identity: Identity, reader: Reader) -> None:
        self.side = side
        self._reader = reader
        self._identity = identity
        self._nodes: list[tuple[Any, Description | None]] = [(None, None), (True, None)]
        self._numbers: dict[tuple[int, str], int] = {}
        self._read: dict[int, tuple[Atom, ...]] = {}
        self._expanded: dict[Term, tuple[Atom, ...]] = {ANYTHING: EVERY, NOTHING: ()}
        self._sorted: dict[int, tuple[frozenset[Key], tuple[Atom, ...]]] = {}
        self._open: set[int] = set()
        self._looking: list[Term] = []
        self._fixed: dict[int, tuple[Object, dict[str, Key]]] = {}
        self._reading: set[int] = set()
        self._vacant: dict[Term, bool] = {}

    def term(self, description: Description, node: Any) -> Term:
        """The term of a schema: an object, or a boolean. A lone `allOf`, `not` or branch is no schema of its own."""
        node = plain(description, node)
        if node is False:
            return NOTHING
        if not isinstance(node, dict) or not self._identity.of(description, node):
            return ANYTHING
        words = node.keys() & HEARD
        if id(node) not in self._reading and len(words) == 1 and words <= {"allOf", "anyOf", "oneOf", "not"}:
            self._reading.add(id(node))
            try:
                found = self._alone(description, next(iter(words)), node)
            finally:
                self._reading.discard(id(node))
            if found is not None:
                return found
        return frozenset({self._number(description, node, "")})

    def _alone(self, description: Description, word: str, node: dict[str, Any]) -> Term | None:
        if word == "not":
            inner = self.term(description, node[word])
            return self.denied(inner) if len(inner) < 2 else None
        if word == "allOf":
            whole = frozenset().union(*(self.term(description, part) for part in node[word]))
            return NOTHING if any(-literal in whole for literal in whole) or whole >= NOTHING else whole
        return self.term(description, node[word][0]) if len(node[word]) == 1 else None

    def denied(self, term: Term) -> Term:
        """The opposite of a term of at most one schema."""
        if term == ANYTHING:
            return NOTHING
        (literal,) = term
        return frozenset({-literal}) if term != NOTHING else ANYTHING

    def part(self, description: Description, node: dict[str, Any], *keywords: str) -> int:
        """The number of what these keywords alone say of the schema."""
        key = (self._identity.of(description, node), " ".join(keywords))
        if key not in self._numbers:
            self._nodes.append(({word: node[word] for word in keywords if word in node}, description))
            self._numbers[key] = len(self._nodes) - 1
        return self._numbers[key]

    def of_atom(self, atom: Atom) -> Term:
        """The term of exactly this atom."""
        key = (id(atom), "atom")
        if key not in self._numbers:
            self._nodes.append((atom, None))
            self._numbers[key] = len(self._nodes) - 1
            self._read[self._numbers[key]] = (atom,)
        return frozenset({self._numbers[key]})

    def of_atoms(self, atoms: tuple[Atom, ...]) -> Term:
        """The term of exactly this union."""
        key = (id(atoms), "atoms")
        if key not in self._numbers:
            self._nodes.append((atoms, None))
            self._numbers[key] = len(self._nodes) - 1
            self._read[self._numbers[key]] = atoms
        return frozenset({self._numbers[key]})

    def node(self, literal: int) -> tuple[Any, Description | None]:
        """The schema behind a number, with its description; None for atoms made here."""
        return self._nodes[abs(literal)]

    def _number(self, description: Description, node: Any, part: str) -> int:
        key = (self._identity.of(description, node), part)
        if key not in self._numbers:
            self._nodes.append((node, description))
            self._numbers[key] = len(self._nodes) - 1
        return self._numbers[key]

    def read(self, literal: int) -> tuple[Atom, ...]:
        """The atoms of one asserted or denied schema."""
        if literal in self._read:
            return self._read[literal]
        if literal in self._open:  # a schema defined as itself admits nothing that ends
            return () if literal > 0 else EVERY
        node, description = self._nodes[abs(literal)]
        self._open.add(literal)
        try:
            atoms = self._reader(self, description, node, literal)
        finally:
            self._open.discard(literal)
        self._read[literal] = atoms
        return atoms

    def sorted(self, literal: int) -> tuple[frozenset[Key], tuple[Atom, ...]]:
        """The atoms of a schema sorted into listed values, by key, and the rest."""
        if literal not in self._sorted:
            atoms = self.read(literal)
            listed = frozenset(atom.key for atom in atoms if isinstance(atom, Single) and not atom.rest)
            others = tuple(atom for atom in atoms if not isinstance(atom, Single) or atom.rest)
            if self._open:
                return listed, others
            self._sorted[literal] = listed, others
        return self._sorted[literal]

    def expand(self, term: Term) -> tuple[Atom, ...]:
        """The atoms of a term; a union."""
        known = self._expanded.get(term)
        if known is not None:
            return known
        atoms: tuple[Atom, ...] | None = None
        for literal in sorted(term, key=lambda number: (number < 0, abs(number))):
            alternatives = self.read(literal)
            atoms = alternatives if atoms is None else self.cross(atoms, alternatives, literal)
        assert atoms is not None
        if not self._open:
            self._expanded[term] = atoms
        return atoms

    def cross(self, atoms: tuple[Atom, ...], alternatives: Iterable[Atom], literal: int) -> tuple[Atom, ...]:
        """The conjunction of two unions; `literal` is the second, kept unread where the product is too wide."""
        alternatives = tuple(alternatives)
        if alternatives is EVERY or alternatives == EVERY:
            return atoms
        if size_of_product(atoms, alternatives) > (WIDEST if literal > 0 else 64):
            return self.defer(atoms, literal)
        met = (meet(self, one, two) for one in atoms for two in alternatives)
        return absorbed(tuple(atom for atom in met if atom is not None))

    def defer(self, atoms: tuple[Atom, ...], literal: int) -> tuple[Atom, ...]:
        """The atoms with one more schema left unread."""
        rest = frozenset({literal})
        return tuple(
            replace(atom, rest=atom.rest | rest)
            for atom in atoms
            if not isinstance(atom, Single) or self.member(atom.value, rest)
        )

    def member(self, value: Any, term: Term) -> bool:
        """Whether the value is one of the term's."""
        return is_member(self, value, term)

    def vacant(self, term: Term) -> bool:
        """Whether the term certainly holds no value at all."""
        if term in self._vacant:
            return self._vacant[term]
        if len(self._looking) > 40:
            return False
        self._vacant[term] = False  # what is not certain is not vacant, a term met inside itself least of all
        self._looking.append(term)
        try:
            self._vacant[term] = all(self.vacant_atom(atom) for atom in self.expand(term))
        finally:
            self._looking.pop()
        return self._vacant[term]

    def vacant_atom(self, atom: Atom) -> bool:
        """Whether the atom certainly holds no value: no string fits, or a property or item it needs can have none."""
        if len(atom.rest) <= _MOST_UNREAD and any(self._contradicts(atom, literal) for literal in atom.rest):
            return True
        if isinstance(atom, Text):
            return strings.vacant(atom)
        if isinstance(atom, Array):
            length = max((len(shape.prefix) for shape in atom.shapes), default=0)
            items = [item_term(atom, index) for index in range(length + 1)]
            needed = items[: atom.low] if atom.low <= length else items
            return any(self.vacant(term) for term in needed if atom.low) or any(
                rule.low > (math.inf if atom.high is None else atom.high)
                or (rule.low > 0 and all(self.vacant(term | rule.term) for term in items))
                for rule in atom.contains
            )
        return isinstance(atom, Object) and (
            any(self.vacant(property_term(self, atom, name)) for name in sorted(atom.required)) or self._too_few(atom)
        )

    def _contradicts(self, atom: Atom, literal: int) -> bool:
        """Whether the atom and a schema left unread certainly hold nothing together."""
        if isinstance(atom, Single):
            return False
        bare = replace(atom, rest=ANYTHING)
        others = [one for one in self.read(literal) if type_of_atom(one) == type_of_atom(atom)]
        if len(others) > 64:
            return False
        stripped = (one if isinstance(one, Single) else replace(one, rest=ANYTHING) for one in others)
        met = (meet(self, bare, one) for one in stripped)
        return all(one is None or self.vacant_atom(one) for one in met)

    def fixed(self, atom: Object) -> dict[str, Key]:
        """The properties the atom requires that may hold one value only, with that value's key."""
        if id(atom) not in self._fixed:
            found = {}
            for name in atom.required:
                values = self.expand(property_term(self, atom, name))
                if len(values) == 1 and isinstance(values[0], Single):
                    found[name] = values[0].key
            self._fixed[id(atom)] = (atom, found)
        return self._fixed[id(atom)][1]

    def _too_few(self, atom: Object) -> bool:
        """Whether an object that needs so many properties has not so many names to give them."""
        closed = [shape for shape in atom.shapes if shape.others == NOTHING and not shape.patterns]
        return bool(atom.low) and any(len(shape.named) < atom.low for shape in closed)


def is_member(space: Space, value: Any, term: Term) -> bool:
    """Whether all the term's schemas together admit the value."""
    if len(term) == 1:
        (literal,) = term
        return _admitted(space, value, abs(literal)) is (literal > 0)
    return not term or all(_admitted(space, value, abs(one)) is (one > 0) for one in term)


def _admitted(space: Space, value: Any, literal: int) -> bool:
    """Whether the schema of this number admits the value."""
    listed, others = space.sorted(literal)
    return (bool(listed) and key_of(value) in listed) or any(is_of(space, value, atom) for atom in others)


def is_of(space: Space, value: Any, atom: Atom) -> bool:
    """Whether the value is one of the atom's."""
    kind = type_of(value)
    if isinstance(atom, Single):
        admitted = key_of(value) == atom.key
    elif isinstance(atom, Number):
        admitted = kind == "number" and in_range(atom, value)
    elif isinstance(atom, Text):
        admitted = kind == "string" and strings.holds(atom, value)
    elif isinstance(atom, Array):
        admitted = kind == "array" and _is_of_array(space, value, atom)
    else:
        admitted = kind == "object" and _is_of_object(space, value, atom)
    return admitted and all(is_member(space, value, frozenset({literal})) for literal in atom.rest)


def in_range(atom: Number, value: float) -> bool:
    """Bounds, step and denied values; formats are bounds already."""
    number = exact(value)
    return (
        (atom.low is None or number > atom.low[0] or (number == atom.low[0] and not atom.low[1]))
        and (atom.high is None or number < atom.high[0] or (number == atom.high[0] and not atom.high[1]))
        and (not atom.step or number % atom.step == 0)
        and (not atom.denied or key_of(value) not in atom.denied)
    )


def _is_of_array(space: Space, value: list[Any], atom: Array) -> bool:
    if len(value) < atom.low or (atom.high is not None and len(value) > atom.high):
        return False
    if atom.unique and len({key_of(item) for item in value}) < len(value):
        return False
    for rule in atom.contains:
        count = sum(is_member(space, item, rule.term) for item in value)
        if count < rule.low or (rule.high is not None and count > rule.high):
            return False
    if atom.denied and key_of(value) in atom.denied:
        return False
    return all(is_member(space, item, shape.at(i)) for shape in atom.shapes for i, item in enumerate(value))


def _is_of_object(space: Space, value: dict[str, Any], atom: Object) -> bool:
    if not atom.required <= value.keys() or len(value) < atom.low:
        return False
    if (atom.high is not None and len(value) > atom.high) or (atom.denied and key_of(value) in atom.denied):
        return False
    return all(
        is_member(space, name, atom.names) and is_member(space, item, shaped(atom, name))
        for name, item in value.items()
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
    if atom.names and not is_member(space, name, atom.names):
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


def size_of_product(first: tuple[Atom, ...], second: tuple[Atom, ...]) -> int:
    """How many conjunctions of the two unions could hold anything."""
    if len(first) * len(second) < 64:
        return 0
    left = Counter(type_of_atom(atom) for atom in first if not isinstance(atom, Single))
    right = Counter(type_of_atom(atom) for atom in second if not isinstance(atom, Single))
    return sum(count * right[kind] for kind, count in left.items())


def meet(space: Space, first: Atom, second: Atom) -> Atom | None:
    """Everything both atoms hold."""
    if isinstance(first, Single):
        return first if is_of(space, first.value, second) else None
    if isinstance(second, Single):
        return second if is_of(space, second.value, first) else None
    if isinstance(first, Number) and isinstance(second, Number):
        return meet_numbers(first, second)
    if isinstance(first, Text) and isinstance(second, Text):
        return _meet_texts(first, second)
    if isinstance(first, Array) and isinstance(second, Array):
        return _meet_arrays(first, second)
    if isinstance(first, Object) and isinstance(second, Object):
        return _meet_objects(space, first, second)
    return None


def higher(first: Bound | None, second: Bound | None) -> Bound | None:
    """The stricter of two lower bounds."""
    return max((b for b in (first, second) if b is not None), default=None)


def lower(first: Bound | None, second: Bound | None) -> Bound | None:
    """The stricter of two upper bounds."""
    return min((b for b in (first, second) if b is not None), key=lambda b: (b[0], not b[1]), default=None)


def _least(first: int | None, second: int | None) -> int | None:
    return min((n for n in (first, second) if n is not None), default=None)


def _common_step(first: Fraction, second: Fraction) -> Fraction:
    if not first or not second:
        return first or second
    return Fraction(math.lcm(first.numerator, second.numerator), math.gcd(first.denominator, second.denominator))


def meet_numbers(first: Number, second: Number) -> Number | None:
    return settle(
        Number(
            low=higher(first.low, second.low),
            high=lower(first.high, second.high),
            step=_common_step(first.step, second.step),
            tags=first.tags | second.tags,
            denied=first.denied | second.denied,
            rest=first.rest | second.rest,
            formats=first.formats | second.formats,
            stated=_stated(first, second),
        )
    )


def _stated(first: Number, second: Number) -> Number | None:
    if first.stated is None and second.stated is None:
        return None
    return meet_numbers(first.stated or first, second.stated or second)


def of_formats(atom: Number, names: frozenset[str]) -> Number | None:
    """The numbers of the atom that are of these formats too, which give bounds; the atom has none itself."""
    made: Number | None = atom
    for name in sorted(names):
        low, high, step = strings.RANGES[name]
        given = Number((low, False), (high, False), step, formats=frozenset({name}), stated=Number())
        made = meet_numbers(made, given) if made is not None else None
    return made


def settle(atom: Number) -> Number | None:
    """Bounds moved to the nearest multiples of the step: `exclusiveMinimum: 0` of integers is `minimum: 1`."""
    low, high, step = atom.low, atom.high, atom.step
    if step:
        if low:
            multiple = math.ceil(low[0] / step) * step
            low = (multiple + step if low[1] and multiple == low[0] else multiple, False)
        if high:
            multiple = math.floor(high[0] / step) * step
            high = (multiple - step if high[1] and multiple == high[0] else multiple, False)
    if low and high and (low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))):
        return None
    return replace(atom, low=low, high=high) if (low, high) != (atom.low, atom.high) else atom


def _meet_texts(first: Text, second: Text) -> Text | None:
    low, high = max(first.low, second.low), _least(first.high, second.high)
    patterns, tags = first.patterns | second.patterns, first.tags | second.tags
    contradictory = any((name, not wanted) in both for both in (patterns, tags) for name, wanted in both)
    if contradictory or (high is not None and low > high):
        return None
    return Text(low, high, patterns, tags, first.denied | second.denied, first.rest | second.rest)


def _meet_arrays(first: Array, second: Array) -> Array | None:
    low, high = max(first.low, second.low), _least(first.high, second.high)
    if high is not None and low > high:
        return None
    return Array(
        shapes=tuple(dict.fromkeys((*first.shapes, *second.shapes))),
        low=low,
        high=high,
        unique=first.unique or second.unique,
        contains=first.contains | second.contains,
        denied=first.denied | second.denied,
        rest=first.rest | second.rest,
    )


def _meet_objects(space: Space, first: Object, second: Object) -> Object | None:
    low, high = max(first.low, second.low), _least(first.high, second.high)
    hidden = first.hidden | second.hidden
    required = (first.required | second.required) - hidden
    if high is not None and max(low, len(required)) > high:
        return None
    both = Object(
        shapes=tuple(dict.fromkeys((*first.shapes, *second.shapes))),
        required=required,
        low=low,
        high=high,
        names=first.names | second.names,
        declared=(first.declared | second.declared) - hidden,
        hidden=hidden,
        forced=(first.forced | second.forced) - (first.required - first.forced) - (second.required - second.forced),
        denied=first.denied | second.denied,
        rest=first.rest | second.rest,
    )
    return None if space.vacant_atom(both) else both


_MOST_ABSORBED = 80
"""Atoms of one type beyond which nothing is looked for."""


def absorbed(atoms: tuple[Atom, ...]) -> tuple[Atom, ...]:
    """The same union, by fewer atoms where it is easy to see; the order is kept."""
    groups: dict[str, list[Atom]] = {}
    for atom in atoms:
        groups.setdefault(type_of_atom(atom), []).append(atom)
    if all(len(group) < 2 or len(group) > _MOST_ABSORBED for group in groups.values()):
        return atoms
    dropped: set[int] = set()
    for group in groups.values():
        if 1 < len(group) <= _MOST_ABSORBED:
            for atom in group:
                others = (one for one in group if one is not atom and id(one) not in dropped)
                if any(_plainly_holds(one, atom) for one in others):
                    dropped.add(id(atom))
    return tuple(atom for atom in atoms if id(atom) not in dropped) if dropped else atoms


def _plainly_holds(one: Atom, atom: Atom) -> bool:
    """Whether it is plain that the first holds all of the second, and declares as much."""
    if not one.rest <= atom.rest:
        return False
    if isinstance(one, Single):
        return isinstance(atom, Single) and one.key == atom.key
    if isinstance(one, Number):
        return _plainly_holds_numbers(one, atom)
    if isinstance(atom, Single) or not one.denied <= atom.denied:
        return False
    if isinstance(one, Text) and isinstance(atom, Text):
        return _holds_sizes(one, atom) and one.patterns <= atom.patterns and one.tags <= atom.tags
    if isinstance(one, Array) and isinstance(atom, Array):
        shapes = set(map(id, one.shapes)) <= set(map(id, atom.shapes))
        return shapes and _holds_sizes(one, atom) and one.unique <= atom.unique and one.contains <= atom.contains
    if isinstance(one, Object) and isinstance(atom, Object):
        shapes = set(map(id, one.shapes)) <= set(map(id, atom.shapes))
        spoken = atom.declared <= one.declared and atom.hidden == one.hidden
        return (
            shapes and spoken and _holds_sizes(one, atom) and one.required <= atom.required and one.names <= atom.names
        )
    return False


def _plainly_holds_numbers(one: Number, atom: Atom) -> bool:
    if isinstance(atom, Single):
        return not one.tags and in_range(one, atom.value)
    if not isinstance(atom, Number) or not (one.denied <= atom.denied and one.tags <= atom.tags):
        return False
    step = not one.step or (bool(atom.step) and atom.step % one.step == 0)
    return step and higher(one.low, atom.low) == atom.low and lower(one.high, atom.high) == atom.high


def _holds_sizes(one: Text | Array | Object, atom: Text | Array | Object) -> bool:
    return one.low <= atom.low and (one.high is None or (atom.high is not None and atom.high <= one.high))
