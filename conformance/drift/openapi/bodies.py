"""Compares schemas where they stand in an operation: changes of their differences, with confirmed witnesses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.drift.openapi.comparison import Change
from conformance.drift.openapi.kinds import KINDS
from conformance.drift.schema.atoms import ANYTHING, Array, Atom, ItemShape, Number, Object, Single, Term, Text
from conformance.drift.schema.confirmation import Validators
from conformance.drift.schema.differences import Difference, shown
from conformance.drift.schema.identity import Identity, plain
from conformance.drift.schema.reading import space_of
from conformance.drift.schema.references import Description
from conformance.drift.schema.schemas import Comparer
from conformance.drift.schema.space import REQUEST, RESPONSE, Space, item_term
from conformance.drift.schema.values import ABSENT, is_number, key_of

BESIDE_VALUES = ("default", "discriminator", "deprecated")


@dataclass(frozen=True)
class Place:
    """Where something is compared: the operation's name, the location, and the pointers in both descriptions."""

    operation: str | None
    location: str
    base: str = ""
    revision: str = ""

    def at(self, location: str, base: str = "", revision: str = "") -> Place:
        """Another location of the same operation."""
        return Place(self.operation, location, base or self.base, revision or self.revision)


def change(place: Place, kind: str, detail: str = "", **more: Any) -> Change:
    """A change of this kind at this place, at the catalogue's level unless told otherwise."""
    row = KINDS[kind]
    message = f"{row.sentence.rstrip('.')} ({detail})." if detail else row.sentence
    standard = {"breaking": row.breaking, "contested": bool(row.contested), "direction": row.direction}
    return Change(
        place.operation,
        place.location,
        kind,
        message=message,
        base=place.base,
        revision=place.revision,
        **(standard | more),
    )


Written = tuple[str, str] | None
"""For values written as text: what each side writes between the items of a list, empty where one alone is none."""

_Judged = tuple[Any, Any, tuple[tuple[Difference, bool], ...]]
"""The two schemas, kept so that their identity stays theirs; each difference, and whether its witness was confirmed."""


class Sides:
    """Both sides of the wire of one comparison: their comparers and validators, with every answer kept."""

    def __init__(self, base: Description, revision: Description) -> None:
        self.base, self.revision = base, revision
        identity = Identity(base, revision)
        self.comparers = {side: Comparer(space_of(side, identity)) for side in (REQUEST, RESPONSE)}
        self._validators = {side: Validators(side) for side in (REQUEST, RESPONSE)}
        self._judgements: dict[tuple[str, int, int, Written], _Judged] = {}

    def schemas(
        self, place: Place, side: str, base: Any, revision: Any, on_the_wire: Written = None
    ) -> Iterator[Change]:
        """The changes from one schema to another. `on_the_wire`: values are written as text, not as JSON."""
        comparer = self.comparers[side]
        base, revision = plain(self.base, base), plain(self.revision, revision)
        terms = comparer.space.term(self.base, base), comparer.space.term(self.revision, revision)
        key = (side, id(base), id(revision), on_the_wire)
        if key not in self._judgements:
            judged = tuple(self._judged(comparer, terms, base, revision, on_the_wire))
            self._judgements[key] = (base, revision, judged)
        for one, confirmed in self._judgements[key][2]:
            yield self._change(place, one, confirmed)

    def default(self, place: Place, side: str, base: Any, revision: Any) -> Iterator[Change]:
        """The change of what leaving the value out means."""
        comparer = self.comparers[side]
        terms = comparer.space.term(self.base, base), comparer.space.term(self.revision, revision)
        for one in comparer.default(*terms, null=ABSENT):
            yield self._change(place, one, False)

    def _change(self, place: Place, one: Difference, confirmed: bool) -> Change:
        detail = one.detail
        beside = any(word in one.kind for word in BESIDE_VALUES)
        if one.breaking and not beside:
            found = f"for instance {shown(one.witness)}" if confirmed else "no witness was found"
            detail = f"{detail}; {found}" if detail else found
        return change(
            place.at(f"{place.location}{one.path}"),
            one.kind,
            detail,
            breaking=one.breaking,
            witness=one.witness if one.breaking else ABSENT,
            confirmed=confirmed,
        )

    def _judged(
        self, comparer: Comparer, terms: tuple[Term, Term], base: Any, revision: Any, on_the_wire: Written
    ) -> Iterator[tuple[Difference, bool]]:
        found = _as_written(comparer, terms, on_the_wire) if on_the_wire else comparer.compare(*terms)
        sender, receiver = (0, 1) if comparer.is_request else (1, 0)
        schemas = ((self.base, base), (self.revision, revision))
        self._validators[comparer.space.side].prepare(one.witness for one in found if one.breaking)
        for one in found:
            if not one.breaking or any(word in one.kind for word in BESIDE_VALUES):
                yield replace(one, witness=ABSENT, more=None), False
                continue
            values = self._candidates(comparer, one, terms[sender])
            witness = next(
                (v for v in values if self._shows(comparer, schemas[sender], schemas[receiver], v, on_the_wire)), ABSENT
            )
            if witness is not ABSENT and one.kind.endswith("-undecided"):  # the witness decides
                one = replace(one, kind=comparer.kind("schema-tightened" if comparer.is_request else "schema-loosened"))
            yield replace(one, witness=witness, more=None), witness is not ABSENT

    def _candidates(self, comparer: Comparer, one: Difference, sender: Term) -> Iterator[Any]:
        more = one.more() if one.more is not None else comparer.instances.several_of(sender, 2, 24)
        return (value for value in itertools.chain([one.witness], more) if value is not ABSENT)

    def _shows(self, comparer: Comparer, sender: Any, receiver: Any, value: Any, on_the_wire: Written) -> bool:
        validators = self._validators[comparer.space.side]
        if validators.admits(sender[0], sender[1], value) is not True:
            return False
        if on_the_wire and not _is_writable(value):
            return False
        spellings = list(read_as(value)) if on_the_wire else [value]
        return all(validators.admits(receiver[0], receiver[1], one) is False for one in spellings)


def _as_written(comparer: Comparer, terms: tuple[Term, Term], between: tuple[str, str]) -> list[Difference]:
    """The differences that show where values are written as text."""
    texts = tuple(
        written(comparer.space, writable(comparer.space, term), separator)
        for term, separator in zip(terms, between, strict=True)
    )
    found = [one for one in comparer.compare(*terms) if "-nullable-" not in one.kind]
    beside = [one for one in found if any(word in one.kind for word in BESIDE_VALUES)]
    if comparer.breaks(texts[0], texts[1]):
        shown = any(one.breaking for one in found if one not in beside)
        return found if shown else [*found, comparer.relation("type", texts[0], texts[1])]
    if comparer.same(texts[0], texts[1]):
        return beside
    found = [replace(one, safe=True) for one in found if not one.breaking and one not in beside]
    return [*beside, *(found or [replace(comparer.relation("type", texts[0], texts[1]), safe=True)])]


def writable(space: Space, term: Term) -> Term:
    """The term without null, which no text of a parameter stands for."""
    atoms = space.expand(term)
    kept = tuple(one for one in atoms if not (isinstance(one, Single) and one.value is None))
    return term if len(kept) == len(atoms) or term == ANYTHING else space.of_atoms(kept)


def _is_writable(value: Any) -> bool:
    return value is not None and (not isinstance(value, list) or None not in value)


def read_as(value: Any) -> Iterator[Any]:
    """Every JSON value the text of a parameter may be read as."""
    yield value
    if isinstance(value, bool) or is_number(value):
        yield json.dumps(value)
    elif isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            return
        if isinstance(parsed, bool) or is_number(parsed):
            yield parsed
    elif isinstance(value, list):
        yield from (list(one) for one in itertools.islice(itertools.product(*(list(read_as(v)) for v in value)), 16))


def written(space: Space, term: Term, between: str = "") -> Term:
    """The term with every value that a parameter writes alike: the number 5 and the text "5" are one on the wire.

    `between`: what stands between the items of a list, where a list of one item is written as the item.
    """
    atoms = space.expand(term)
    found: list[Atom] = []
    for atom in atoms:
        if isinstance(atom, Array):
            found.extend(_list_as_written(space, atom, between))
        else:
            found.append(atom)
    if any(
        isinstance(a, Text) and not (a.low > 1 or a.high or a.patterns or a.tags or a.denied or a.rest) for a in found
    ):
        found.extend([Number(), *(Single(v, key_of(v)) for v in (True, False))])
    singles = {a.key: a for a in found if isinstance(a, Single)}
    for single in list(singles.values()):
        for value in read_as(single.value):
            if not isinstance(value, list) and key_of(value) not in singles:
                singles[key_of(value)] = Single(value, key_of(value))
                found.append(singles[key_of(value)])
    same = len(found) == len(atoms) and all(one is two for one, two in zip(found, atoms, strict=True))
    return term if same or term == ANYTHING else space.of_atoms(tuple(found))


def _list_as_written(space: Space, atom: Array, between: str) -> Iterator[Atom]:
    """The list, its items as written; with its item alone where a list of one is written so."""

    def item(term: Term) -> Term:
        return written(space, writable(space, term))

    shapes = tuple(ItemShape(tuple(map(item, shape.prefix)), item(shape.others)) for shape in atom.shapes)
    made = replace(atom, shapes=shapes) if shapes != atom.shapes else atom
    if not between or atom.low > 1 or atom.high == 0 or atom.contains or atom.rest or atom.denied:
        yield made
        return
    if atom.high != 1:
        yield made
    for one in space.expand(item(item_term(atom, 0))):
        if not isinstance(one, (Array, Object)) and (atom.high is None or _is_one_item(one, between)):
            yield one


def _is_one_item(atom: Atom, between: str) -> bool:
    """Whether the item's text can never be read as several items."""
    return between == "&" or (between not in str(atom.value) if isinstance(atom, Single) else isinstance(atom, Number))
