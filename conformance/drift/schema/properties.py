"""The differences between two object atoms: properties added, removed, required, and what may stand beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.drift.schema import membership, strings
from conformance.drift.schema.atoms import ANYTHING, EVERY, Object, Term
from conformance.drift.schema.differences import Difference, Inside
from conformance.drift.schema.inclusion import holds
from conformance.drift.schema.instances import names_of
from conformance.drift.schema.values import ABSENT

if TYPE_CHECKING:
    from conformance.drift.schema.schemas import Comparer


def between(comparer: Comparer, before: Object, after: Object, one_of_many: bool) -> Iterator[Difference | Inside]:
    """Every difference of the two atoms' properties. `one_of_many`: they are alternatives beside others."""
    if one_of_many:
        comparer.marked.update(((id(before), before), (id(after), after)))
    old, new = spoken(comparer, before), spoken(comparer, after)
    for name in sorted(old | new):
        if name in old and name in new:
            yield from _kept(comparer, before, after, name)
        elif name in old:
            yield _removed(comparer, before, after, name)
        else:
            yield _added(comparer, before, after, name)
    yield from _others(comparer, before, after)
    yield from _names(comparer, before, after)


def spoken(comparer: Comparer, atom: Object) -> frozenset[str]:
    """The names the description speaks of and some value may have."""
    space = comparer.space
    return frozenset(
        name
        for name in atom.declared | (atom.required - atom.forced)
        if not space.vacant(membership.property_term(space, atom, name))
    )


def declarations(comparer: Comparer, base: Iterable[Object], revision: Iterable[Object]) -> Iterator[Difference]:
    """Properties that one of two unions of the same values declares and the other does not: anything may be in them."""
    old = frozenset().union(*(spoken(comparer, atom) for atom in base))
    new = frozenset().union(*(spoken(comparer, atom) for atom in revision))
    for name in sorted(old ^ new):
        yield _difference(comparer, name, "property-added" if name in new else "property-removed")


def _with(comparer: Comparer, before: Object, after: Object, name: str, value: Any) -> Any:
    """The witness around a property's: what the sender could send."""
    if value is ABSENT:
        return ABSENT
    sender: Object = comparer.sender(before, after)
    return comparer.instances.completed(sender, {**_marks(comparer, sender), name: value})


def _marks(comparer: Comparer, atom: Object) -> dict[str, Any]:
    """What a value needs to be of this alternative and of no other."""
    return comparer.instances.marks(atom) if id(atom) in comparer.marked else {}


def _without(comparer: Comparer, before: Object, after: Object, name: str) -> Any:
    """A witness that leaves the property out."""
    sender: Object = comparer.sender(before, after)
    if name in sender.required:
        return ABSENT
    marks = {one: value for one, value in _marks(comparer, sender).items() if one != name}
    return comparer.instances.completed(sender, marks)


def _difference(comparer: Comparer, name: str, kind: str, witness: Any = ABSENT, detail: str = "") -> Difference:
    return Difference(comparer.kind(kind), f".{name}", detail, witness)


def _kept(comparer: Comparer, before: Object, after: Object, name: str) -> Iterator[Difference | Inside]:
    base, revision = (membership.shaped(one, name) for one in (before, after))
    yield Inside(f".{name}", base, revision, partial(_with, comparer, before, after, name))
    was, became = name in before.required, name in after.required
    if was != became:
        kind = "property-became-required" if became else "property-became-optional"
        yield _difference(comparer, name, kind, _without(comparer, before, after, name))
    if was == became:
        for one in comparer.default(base, revision, required=was):
            yield replace(one, path=f".{name}")


def _removed(comparer: Comparer, before: Object, after: Object, name: str) -> Difference:
    base, revision = membership.shaped(before, name), membership.property_term(comparer.space, after, name)
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
    base, revision = membership.property_term(comparer.space, before, name), membership.shaped(after, name)
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
    declared = spoken(comparer, before) | spoken(comparer, after) | before.hidden | after.hidden
    seen: set[tuple[Term, Term]] = set()
    for name in names_of(comparer.space, before, after):
        pair = membership.shaped(before, name), membership.shaped(after, name)
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


def _names(comparer: Comparer, before: Object, after: Object) -> Iterator[Difference]:
    text = comparer.space.of_atom(EVERY[4])
    base, revision = before.names | text, after.names | text
    if before.names == after.names or comparer.same(base, revision):
        return
    one = comparer.relation("property-names", base, revision)
    sender: Object = comparer.sender(before, after)
    witness = ABSENT
    if isinstance(one.witness, str):
        value = comparer.instances.smallest(membership.shaped(sender, one.witness))
        witness = _with(comparer, before, after, one.witness, value)
    yield replace(one, witness=witness)
