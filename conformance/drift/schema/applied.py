"""The keywords of a schema that bring in other schemas for the same value: references, unions, conditions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.drift.schema import conjunction
from conformance.drift.schema.atoms import ANYTHING, EVERY, NOTHING, Atom, Object, PropertyShape, Single, Term
from conformance.drift.schema.references import Description

if TYPE_CHECKING:
    from conformance.drift.schema.space import Space

APPLIED = frozenset(
    (
        "$ref",
        "$dynamicRef",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
    )
)
"""Keywords that bring in other schemas for the same value."""

MOST_WRITTEN_OUT = 2
"""Branches of a `oneOf` that overlap with one of them and are still written out as atoms."""

MOST_TOGETHER = 5
"""Branches of an `anyOf` of which every combination is looked at; of more, each pair and all of them."""

UNEVALUATED = frozenset(("unevaluatedProperties", "unevaluatedItems"))


def applied(
    space: Space, description: Description, node: dict[str, Any]
) -> Iterator[tuple[tuple[str, ...], list[Term]]]:
    """The keywords that bring in other schemas, each as a union of terms."""
    for word in ("$ref", "$dynamicRef"):
        if isinstance(node.get(word), str):
            yield (word,), [space.term(description, description.resolve(node[word]))]
    for schema in node.get("allOf", ()):
        yield ("allOf",), [space.term(description, schema)]
    if "anyOf" in node:
        terms = [space.term(description, schema) for schema in node["anyOf"]]
        yield ("anyOf",), together(terms) if UNEVALUATED & node.keys() else terms
    if "oneOf" in node:
        yield ("oneOf",), exactly_one(space, [space.term(description, schema) for schema in node["oneOf"]])
    if "not" in node:
        yield ("not",), _not(space, space.term(description, node["not"]))
    if "if" in node and ("then" in node or "else" in node):
        condition = space.term(description, node["if"])
        then = condition | space.term(description, node.get("then", True))
        otherwise = space.term(description, node.get("else", True))
        yield ("if", "then", "else"), [then, *(one | otherwise for one in _not(space, condition))]
    for name, others in node.get("dependentRequired", {}).items():
        yield ("dependentRequired",), _dependent(space, name, Object(required=frozenset({name, *others})), ANYTHING)
    for name, schema in node.get("dependentSchemas", {}).items():
        present = Object(required=frozenset({name}))
        yield ("dependentSchemas",), _dependent(space, name, present, space.term(description, schema))


def _dependent(space: Space, name: str, present: Object, schema: Term) -> list[Term]:
    absent = Object(shapes=(PropertyShape({name: NOTHING}),))
    return [space.of_atoms((*EVERY[:-1], absent)), space.of_atom(present) | schema]


def together(terms: list[Term]) -> list[Term]:
    """The alternatives, and all that may hold at once: what has been evaluated depends on every one that holds."""
    if len(terms) > MOST_TOGETHER:
        pairs = [one | two for one, two in itertools.combinations(terms, 2)]
        return [*terms, *pairs, frozenset().union(*terms)]
    return [
        frozenset().union(*some) for size in range(len(terms), 0, -1) for some in itertools.combinations(terms, size)
    ]


def exactly_one(space: Space, terms: list[Term]) -> list[Term]:
    """The union that `oneOf` is: each schema without the others, which are left out where they cannot hold at once.

    Where the others are many, they are kept unread with each atom: written out, they would be too many atoms.
    """
    alternatives: list[Term] = []
    for i, term in enumerate(terms):
        excluded = [
            other for j, other in enumerate(terms) if i != j and (other == term or not _disjoint(space, term, other))
        ]
        kept = [term]
        many = len(excluded) > MOST_WRITTEN_OUT or any(isinstance(atom, Object) for atom in space.expand(term))
        if excluded and many and all(len(other) == 1 for other in excluded):
            unread = frozenset(-literal for other in excluded for literal in other)
            kept = [] if -1 in unread or unread & {-literal for literal in term} else [_unread(space, term, unread)]
            excluded = []
        for other in excluded:
            kept = [one | denied for one in kept for denied in _not(space, other)]
        alternatives.extend(one for one in kept if not any(-literal in one for literal in one))
    return alternatives


def _unread(space: Space, term: Term, unread: Term) -> Term:
    """The term with more schemas that are asked only of values, and of whole atoms where that settles a question."""
    kept: list[Atom] = []
    for atom in space.expand(term):
        if not isinstance(atom, Single):
            kept.append(replace(atom, rest=atom.rest | unread))
        elif space.member(atom.value, unread):
            kept.append(atom)
    return space.of_atoms(tuple(kept))


def _not(space: Space, term: Term) -> list[Term]:
    """What the term denies, as a union: each of its schemas alone may fail."""
    return [space.denied(frozenset({literal})) for literal in sorted(term)]


def _disjoint(space: Space, first: Term, second: Term) -> bool:
    left, right = space.expand(first), space.expand(second)
    if len(left) * len(right) > 400:
        return False
    return all(conjunction.meet(space, one, two) is None for one in left for two in right)
