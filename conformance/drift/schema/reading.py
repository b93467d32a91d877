"""Reads schema objects (JSON Schema 2020-12, OpenAPI 3.1) as unions of atoms, asserted or denied."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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
    Contains,
    ItemShape,
    Number,
    Object,
    PropertyShape,
    Single,
    Term,
    Text,
    type_of_atom,
)
from conformance.drift.schema.description import Description, is_hidden
from conformance.drift.schema.identity import Identity
from conformance.drift.schema.space import Space, absorbed, higher, lower, meet, meet_numbers, of_formats, settle
from conformance.drift.schema.values import TYPES, exact, key_of, value_of

Schema = dict[str, Any]


def space_of(side: str, identity: Identity | None = None) -> Space:
    """A space of schemas as one side of the wire (`request` or `response`) reads them."""
    return Space(side, identity or Identity(), _read)


def _read(space: Space, description: Description | None, node: Any, literal: int) -> tuple[Atom, ...]:
    if literal < 0:
        return _deny(space, description, node, -literal)
    return EVERY if description is None else _read_schema(space, description, node)


_SINGLES: dict[str, tuple[Atom, ...]] = {"null": EVERY[:1], "boolean": EVERY[1:3]}


def _read_schema(space: Space, description: Description, node: Any) -> tuple[Atom, ...]:
    """The atoms of a schema object or boolean."""
    if not isinstance(node, dict):
        return EVERY if node is not False else ()
    atoms = _own(space, description, node)
    for keywords, alternatives in _applied(space, description, node):
        expanded = tuple(atom for term in alternatives for atom in space.expand(term))
        if len(alternatives) > 1 and not UNEVALUATED & node.keys():
            expanded = absorbed(expanded)
        if expanded == EVERY:
            continue
        atoms = space.cross(atoms, expanded, space.part(description, node, *keywords))
    if UNEVALUATED & node.keys():
        atoms = absorbed(tuple(_close(space, description, node, atom) for atom in atoms))
    return atoms


def types_of(node: Schema) -> list[str]:
    """The JSON types `type` admits, `integer` as it stands; all where it is absent."""
    stated = node.get("type", TYPES)
    return [stated] if isinstance(stated, str) else list(stated)


def _own(space: Space, description: Description, node: Schema) -> tuple[Atom, ...]:
    """What the keywords say that refer to no other union: types, values, bounds, properties, items."""
    kinds = types_of(node)
    if "number" in kinds:
        kinds = [kind for kind in kinds if kind != "integer"]
    atoms: list[Atom] = []
    for kind in dict.fromkeys(kinds):
        atoms.extend(_SINGLES.get(kind, ()))
        made: Atom | None = None
        if kind in ("integer", "number"):
            made = number_atom(node, whole=kind == "integer")
        elif kind == "string":
            made = text_atom(node)
        elif kind == "array":
            made = _array_atom(space, description, node)
        elif kind == "object":
            made = _object_atom(space, description, node)
        if made is not None:
            atoms.append(made)
    for word, values in (("enum", node.get("enum")), ("const", [node["const"]] if "const" in node else None)):
        if isinstance(values, list) and word in node:
            singles = {key_of(value): Single(value, key_of(value)) for value in values}
            met = (meet(space, one, two) for one in singles.values() for two in atoms)
            atoms = list({atom.key: atom for atom in met if isinstance(atom, Single)}.values())
    return tuple(atoms)


def number_atom(node: Schema, whole: bool) -> Number | None:
    """The numbers a schema admits; None where there is none."""
    low = higher(_bound(node, "minimum", False), _bound(node, "exclusiveMinimum", True))
    high = lower(_bound(node, "maximum", False), _bound(node, "exclusiveMaximum", True))
    atom: Number | None = Number(low, high, Fraction(int(whole)))
    if "multipleOf" in node and atom is not None:
        atom = meet_numbers(atom, Number(step=exact(node["multipleOf"])))
    name = node.get("format")
    if name in strings.RANGES and atom is not None:
        atom = of_formats(atom, frozenset({str(name)}))
    elif name and name not in strings.HINTS and name not in strings.SAMPLES and atom is not None:
        atom = replace(atom, tags=frozenset({(str(name), True)}))
    return settle(atom) if atom is not None else None


def _bound(node: Schema, word: str, excluded: bool) -> Bound | None:
    return (exact(node[word]), excluded) if word in node else None


def text_tags(node: Schema) -> Iterator[str]:
    """The formats a string is held to; 3.0 wrote `byte` and `binary` for what 3.1 writes as content keywords."""
    name = node.get("format")
    encoding, media = node.get("contentEncoding"), node.get("contentMediaType")
    if name and name not in strings.HINTS:
        yield str(name)
    if encoding:
        yield {"base64": "byte", "base64url": "base64url"}.get(encoding, f"content encoding {encoding}")
    if media == "application/octet-stream" and not encoding:
        yield "binary"
    elif media and media != "application/octet-stream":
        yield f"content of {media}"


def text_atom(node: Schema) -> Text | None:
    """The strings a schema admits; None where there is none."""
    low, high = node.get("minLength", 0), node.get("maxLength")
    patterns = frozenset({(node["pattern"], True)} if "pattern" in node else ())
    tags = frozenset((name, True) for name in text_tags(node))
    return None if high is not None and low > high else Text(int(low), high, patterns, tags)


def _array_atom(space: Space, description: Description, node: Schema) -> Array | None:
    prefix = tuple(space.term(description, item) for item in node.get("prefixItems", ()))
    others = space.term(description, node.get("items", True))
    low, high = node.get("minItems", 0), node.get("maxItems")
    if others == NOTHING:
        high = min(len(prefix), high if high is not None else len(prefix))
    contains: frozenset[Contains] = frozenset()
    if "contains" in node:
        rule = Contains(space.term(description, node["contains"]), node.get("minContains", 1), node.get("maxContains"))
        contains = frozenset({rule} if (rule.low, rule.high) != (0, None) else ())
    shapes = (ItemShape(prefix, others),) if prefix or others else ()
    unique = node.get("uniqueItems") is True and (high is None or high > 1)
    return None if high is not None and low > high else Array(shapes, int(low), high, unique, contains)


def _object_atom(space: Space, description: Description, node: Schema) -> Object | None:
    named, hidden = {}, set()
    for name, schema in node.get("properties", {}).items():
        if is_hidden(description, schema, space.side):
            hidden.add(name)
        else:
            named[name] = space.term(description, schema)
    patterns = tuple((p, space.term(description, schema)) for p, schema in node.get("patternProperties", {}).items())
    others = space.term(description, node.get("additionalProperties", True))
    names = _names(space, space.term(description, node.get("propertyNames", True)))
    required = frozenset(node.get("required", ())) - hidden
    shape = PropertyShape(named, patterns, others, "additionalProperties" in node)
    trivial = not named and not patterns and not others and not shape.says_others
    low, high = node.get("minProperties", 0), node.get("maxProperties")
    shapes = () if trivial else (shape,)
    atom = Object(shapes, required, int(low), high, names, frozenset(named), frozenset(hidden))
    if high is not None and max(low, len(required)) > high:
        return None
    return None if space.vacant_atom(atom) else atom


def _names(space: Space, term: Term) -> Term:
    """What `propertyNames` says, which is nothing where it admits every string."""
    plain = (atom for atom in space.expand(term) if isinstance(atom, Text))
    free = any(not (a.low or a.high is not None or a.patterns or a.tags or a.denied or a.rest) for a in plain)
    return ANYTHING if free else term


def _close(space: Space, description: Description, node: Schema, atom: Atom) -> Atom:
    """`unevaluatedProperties` and `unevaluatedItems`: bind what no schema of this object or its parts has spoken of."""
    if isinstance(atom, Object) and "unevaluatedProperties" in node:
        others = space.term(description, node["unevaluatedProperties"])
        if others == ANYTHING or any(shape.says_others for shape in atom.shapes):
            return atom
        named = dict.fromkeys(sorted(atom.declared | atom.hidden), ANYTHING)
        patterns = tuple((pattern, ANYTHING) for shape in atom.shapes for pattern, _ in shape.patterns)
        return replace(atom, shapes=(*atom.shapes, PropertyShape(named, patterns, others, True)))
    if isinstance(atom, Array) and "unevaluatedItems" in node:
        others = space.term(description, node["unevaluatedItems"])
        if others == ANYTHING or any(shape.others for shape in atom.shapes):
            return atom
        length = max((len(shape.prefix) for shape in atom.shapes), default=0)
        high = length if others == NOTHING and (atom.high is None or atom.high > length) else atom.high
        return replace(atom, shapes=(*atom.shapes, ItemShape((ANYTHING,) * length, others)), high=high)
    return atom


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


def _applied(
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
        yield ("anyOf",), _together(terms) if UNEVALUATED & node.keys() else terms
    if "oneOf" in node:
        yield ("oneOf",), _exactly_one(space, [space.term(description, schema) for schema in node["oneOf"]])
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


def _together(terms: list[Term]) -> list[Term]:
    """The alternatives, and all that may hold at once: what has been evaluated depends on every one that holds."""
    if len(terms) > MOST_TOGETHER:
        pairs = [one | two for one, two in itertools.combinations(terms, 2)]
        return [*terms, *pairs, frozenset().union(*terms)]
    return [
        frozenset().union(*some) for size in range(len(terms), 0, -1) for some in itertools.combinations(terms, size)
    ]


def _exactly_one(space: Space, terms: list[Term]) -> list[Term]:
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
            empty = -1 in unread or any(-literal in unread for literal in term)
            kept, excluded = [] if empty else [_kept_unread(space, term, unread)], []
        for other in excluded:
            kept = [one | denied for one in kept for denied in _not(space, other)]
        alternatives.extend(one for one in kept if not any(-literal in one for literal in one))
    return alternatives


def _kept_unread(space: Space, term: Term, unread: Term) -> Term:
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
    return all(meet(space, one, two) is None for one in left for two in right)


_TOO_MANY = 24


def _deny(space: Space, description: Any, node: Any, literal: int) -> tuple[Atom, ...]:
    """The complement of the schema behind `literal`; unread (`rest`) where it has no short form."""
    if node is True or node == {}:
        return ()
    if node is False:
        return EVERY
    if not isinstance(node, dict) or description is None or not APPLIED & node.keys():
        return _deny_union(space, space.read(literal), literal)
    if UNEVALUATED & node.keys():
        return space.defer(EVERY, -literal)
    own = [word for word in node if word not in APPLIED]
    part = space.part(description, node, *own)
    found = list(_deny_union(space, space.read(part), part))
    for _, alternatives in _applied(space, description, node):
        denied = _deny_terms(space, alternatives)
        if denied is None or len(found) + len(denied) > _TOO_MANY * 2:
            return space.defer(EVERY, -literal)
        found.extend(denied)
    return absorbed(tuple(found))


def _deny_terms(space: Space, terms: list[Term]) -> tuple[Atom, ...] | None:
    """What none of the terms admits; None where it is too wide."""
    result: tuple[Atom, ...] = EVERY
    for term in terms:
        others = tuple(atom for literal in term for atom in space.read(-literal)) if term else ()
        result = absorbed(tuple(_cross(space, result, others)) if result is not EVERY else others)
        if len(result) > _TOO_MANY:
            return None
    return result


def _deny_union(space: Space, atoms: tuple[Atom, ...], literal: int) -> tuple[Atom, ...]:
    if atoms == EVERY:
        return ()
    if len(atoms) > _TOO_MANY:
        return space.defer(EVERY, -literal)
    result: tuple[Atom, ...] = EVERY
    for atom in atoms:
        others = tuple(_other(space, atom, -literal))
        met = absorbed(tuple(_cross(space, result, others)))
        if len(met) > _TOO_MANY:
            return space.defer(EVERY, -literal)
        result = met
    return result


def _cross(space: Space, first: tuple[Atom, ...], second: tuple[Atom, ...]) -> Iterator[Atom]:
    for one in first:
        for two in second:
            met = meet(space, one, two)
            if met is not None:
                yield met


def _other(space: Space, atom: Atom, literal: int) -> Iterator[Atom]:
    """The complement of one atom. `literal`, the denied schema, stands in where a constraint has no opposite."""
    if isinstance(atom, Single):
        yield from _other_values(atom)
        return
    yield from (one for one in EVERY if not isinstance(one, type(atom)))
    for unmet in atom.rest:
        yield from (one for one in space.read(-unmet) if type_of_atom(one) == type_of_atom(atom))
    unread = frozenset({literal})
    if isinstance(atom, Number):
        yield from _other_numbers(atom, unread)
    elif isinstance(atom, Text):
        yield from _other_texts(atom)
    elif isinstance(atom, Array):
        yield from _other_arrays(space, atom, unread)
    else:
        yield from _other_objects(space, atom, unread)


def _other_values(atom: Single) -> Iterator[Atom]:
    kind = atom.key[0]  # type: ignore[index]
    denied = frozenset({atom.key})
    for one in EVERY:
        if isinstance(one, Single):
            if one.key != atom.key:
                yield one
        elif kind == type_of_atom(one):
            yield replace(one, denied=denied)
        else:
            yield one


def _given_back(atom: Number | Text | Array | Object) -> Iterator[Atom]:
    """The values the atom itself denied."""
    yield from (Single(value_of(key), key) for key in atom.denied)


def _other_numbers(atom: Number, unread: Term) -> Iterator[Atom]:
    if atom.low:
        yield Number(high=(atom.low[0], not atom.low[1]))
    if atom.high:
        yield Number(low=(atom.high[0], not atom.high[1]))
    if atom.step or atom.tags:
        yield Number(low=atom.low, high=atom.high, rest=unread)
    yield from _given_back(atom)


def _other_texts(atom: Text) -> Iterator[Atom]:
    if atom.low:
        yield Text(high=atom.low - 1)
    if atom.high is not None:
        yield Text(low=atom.high + 1)
    for pattern, wanted in sorted(atom.patterns):
        yield Text(patterns=frozenset({(pattern, not wanted)}))
    for name, wanted in sorted(atom.tags):
        yield Text(tags=frozenset({(name, not wanted)}))
    yield from _given_back(atom)


def _other_arrays(space: Space, atom: Array, unread: Term) -> Iterator[Atom]:
    if atom.low:
        yield Array(high=atom.low - 1)
    if atom.high is not None:
        yield Array(low=atom.high + 1)
    yield from _given_back(atom)
    hard = atom.unique or any(rule.low != 1 or rule.high is not None for rule in atom.contains)
    for rule in atom.contains:
        if rule.low == 1 and rule.high is None and len(rule.term) == 1:
            (literal,) = rule.term
            yield Array(shapes=(ItemShape((), frozenset({-literal})),))
        else:
            hard = True
    for shape in atom.shapes:
        if shape.prefix or len(shape.others) != 1:
            hard = True
        else:
            (literal,) = shape.others
            yield Array(contains=frozenset({Contains(frozenset({-literal}))}), low=1)
    if hard:
        yield Array(rest=unread)


def _other_objects(space: Space, atom: Object, unread: Term) -> Iterator[Atom]:
    for name in sorted(atom.required):
        yield Object(shapes=(PropertyShape({name: NOTHING}),))
    if atom.low:
        yield Object(high=atom.low - 1)
    if atom.high is not None:
        yield Object(low=atom.high + 1)
    yield from _given_back(atom)
    hard = bool(atom.names)
    for shape in atom.shapes:
        hard = hard or bool(shape.patterns) or shape.others != ANYTHING
        for name, term in sorted(shape.named.items()):
            if len(term) == 1:
                (literal,) = term
                only = frozenset({name})
                yield Object(shapes=(PropertyShape({name: frozenset({-literal})}),), required=only, forced=only)
            elif term:
                hard = True
    if hard:
        yield Object(rest=unread)
