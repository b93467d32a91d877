"""Reads one schema object (JSON Schema 2020-12, OpenAPI 3.1) as a union of atoms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from conformance.drift.schema import applied, conjunction, formats
from conformance.drift.schema.absorption import absorbed
from conformance.drift.schema.annotations import is_hidden
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
)
from conformance.drift.schema.references import Description
from conformance.drift.schema.values import TYPES, exact, key_of

if TYPE_CHECKING:
    from conformance.drift.schema.space import Space

Schema = dict[str, Any]

_SINGLES: dict[str, tuple[Atom, ...]] = {"null": EVERY[:1], "boolean": EVERY[1:3]}


def read_schema(space: Space, description: Description, node: Any) -> tuple[Atom, ...]:
    """The atoms of a schema object or boolean."""
    if not isinstance(node, dict):
        return EVERY if node is not False else ()
    atoms = _own(space, description, node)
    for keywords, alternatives in applied.applied(space, description, node):
        expanded = tuple(atom for term in alternatives for atom in space.expand(term))
        if len(alternatives) > 1 and not applied.UNEVALUATED & node.keys():
            expanded = absorbed(expanded)
        if expanded == EVERY:
            continue
        atoms = space.cross(atoms, expanded, space.part(description, node, *keywords))
    if applied.UNEVALUATED & node.keys():
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
            made = _array(space, description, node)
        elif kind == "object":
            made = _object(space, description, node)
        if made is not None:
            atoms.append(made)
    for word, values in (("enum", node.get("enum")), ("const", [node["const"]] if "const" in node else None)):
        if isinstance(values, list) and word in node:
            singles = {key_of(value): Single(value, key_of(value)) for value in values}
            met = (conjunction.meet(space, one, two) for one in singles.values() for two in atoms)
            atoms = list({atom.key: atom for atom in met if isinstance(atom, Single)}.values())
    return tuple(atoms)


def number_atom(node: Schema, whole: bool) -> Number | None:
    """The numbers a schema admits; None where there is none."""
    low = conjunction.higher(_bound(node, "minimum", False), _bound(node, "exclusiveMinimum", True))
    high = conjunction.lower(_bound(node, "maximum", False), _bound(node, "exclusiveMaximum", True))
    atom: Number | None = Number(low, high, Fraction(int(whole)))
    if "multipleOf" in node and atom is not None:
        atom = conjunction.meet_numbers(atom, Number(step=exact(node["multipleOf"])))
    name = node.get("format")
    if name in formats.RANGES and atom is not None:
        atom = conjunction.of_formats(atom, frozenset({str(name)}))
    elif name and name not in formats.HINTS and name not in formats.SAMPLES and atom is not None:
        atom = replace(atom, tags=frozenset({(str(name), True)}))
    return conjunction.settle(atom) if atom is not None else None


def _bound(node: Schema, word: str, excluded: bool) -> Bound | None:
    return (exact(node[word]), excluded) if word in node else None


def text_tags(node: Schema) -> Iterator[str]:
    """The formats a string is held to; 3.0 wrote `byte` and `binary` for what 3.1 writes as content keywords."""
    name = node.get("format")
    encoding, media = node.get("contentEncoding"), node.get("contentMediaType")
    if name and name not in formats.HINTS:
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


def _array(space: Space, description: Description, node: Schema) -> Array | None:
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


def _object(space: Space, description: Description, node: Schema) -> Object | None:
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
