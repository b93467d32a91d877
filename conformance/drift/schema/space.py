"""The schemas of the descriptions under comparison, read as unions of atoms from one side of the wire.

The request's side leaves out `readOnly` properties, the response's side `writeOnly` ones. Each schema is numbered once;
a `Term` is a conjunction of numbers. Reading is lazy and remembered: recursive schemas and shared components cost once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from conformance.drift.schema import absorption, conjunction, denial, membership, reading, strings
from conformance.drift.schema.atoms import (
    ANYTHING,
    EVERY,
    NOTHING,
    Array,
    Atom,
    Object,
    Single,
    Term,
    Text,
    type_of_atom,
)
from conformance.drift.schema.identity import HEARD, Identity, plain
from conformance.drift.schema.references import Description
from conformance.drift.schema.values import Key

REQUEST, RESPONSE = "request", "response"

WIDEST = 300
"""A conjunction of unions that would need more atoms than this keeps a part unread (`rest`)."""

_MOST_UNREAD = 6
"""Schemas left unread with an atom beyond which it is not asked whether one of them contradicts it."""


class Space:
    """The numbered schemas of one comparison and one side (`request` or `response`)."""

    def __init__(self, side: str, identity: Identity | None = None) -> None:
        self.side = side
        self._identity = identity or Identity()
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
            if literal < 0:
                atoms = denial.deny(self, description, node, -literal)
            elif description is None:
                atoms = EVERY
            else:
                atoms = reading.read_schema(self, description, node)
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
        if conjunction.size(atoms, alternatives) > (WIDEST if literal > 0 else 64):
            return self.defer(atoms, literal)
        met = (conjunction.meet(self, one, two) for one in atoms for two in alternatives)
        return absorption.absorbed(tuple(atom for atom in met if atom is not None))

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
        return membership.member(self, value, term)

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
            items = [membership.item_term(atom, index) for index in range(length + 1)]
            needed = items[: atom.low] if atom.low <= length else items
            return any(self.vacant(term) for term in needed if atom.low) or any(
                rule.low > (math.inf if atom.high is None else atom.high)
                or (rule.low > 0 and all(self.vacant(term | rule.term) for term in items))
                for rule in atom.contains
            )
        return isinstance(atom, Object) and (
            any(self.vacant(membership.property_term(self, atom, name)) for name in sorted(atom.required))
            or self._too_few(atom)
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
        met = (conjunction.meet(self, bare, one) for one in stripped)
        return all(one is None or self.vacant_atom(one) for one in met)

    def fixed(self, atom: Object) -> dict[str, Key]:
        """The properties the atom requires that may hold one value only, with that value's key."""
        if id(atom) not in self._fixed:
            found = {}
            for name in atom.required:
                values = self.expand(membership.property_term(self, atom, name))
                if len(values) == 1 and isinstance(values[0], Single):
                    found[name] = values[0].key
            self._fixed[id(atom)] = (atom, found)
        return self._fixed[id(atom)][1]

    def _too_few(self, atom: Object) -> bool:
        """Whether an object that needs so many properties has not so many names to give them."""
        closed = [shape for shape in atom.shapes if shape.others == NOTHING and not shape.patterns]
        return bool(atom.low) and any(len(shape.named) < atom.low for shape in closed)
