"""Compares two operations: what they are asked, what they answer, who may ask. Witnesses are confirmed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.drift.changes import KINDS, Change
from conformance.drift.openapi.surface import (
    Content,
    Field,
    Offer,
    Reply,
    differences_of_parts,
    is_json,
    security_relation,
    security_told,
)
from conformance.drift.schema import reading
from conformance.drift.schema.atoms import ANYTHING, Array, Atom, ItemShape, Number, Object, Single, Term, Text
from conformance.drift.schema.description import Description
from conformance.drift.schema.differences import Difference, shown
from conformance.drift.schema.identity import Identity, plain
from conformance.drift.schema.reading import space_of
from conformance.drift.schema.schemas import Comparer
from conformance.drift.schema.space import REQUEST, RESPONSE, Space, item_term
from conformance.drift.schema.values import ABSENT, is_number, key_of
from conformance.drift.schema.witnesses import Validators

_TEXTUAL = ("text/", "multipart/", "application/x-www-form-urlencoded", "application/xml")
_LABELLED = ("label", "matrix")
"""Styles that mark even a single value on the wire."""
_SEPARATORS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|", "cookie": "&"}
"""Styles that write a list of one item as they write the item, and what stands between several."""


def operation(
    sides: Sides, base: Offer, revision: Offer, name: str | None = None, flipped: bool = False
) -> Iterator[Change]:
    """Every change of one operation. `flipped`: the server sends the request (webhooks, callbacks)."""
    place = Place(name or base.name, "operation", base.pointer, revision.pointer)
    asked, answered = (RESPONSE, REQUEST) if flipped else (REQUEST, RESPONSE)
    yield from _itself(place, base, revision)
    yield from _security(place, base, revision)
    yield from fields(sides, place, asked, base.parameters, revision.parameters, "request")
    yield from _body(sides, place, asked, base, revision)
    yield from replies(sides, place, answered, base.replies, revision.replies)
    yield from _callbacks(sides, place, base, revision, flipped)


def _itself(place: Place, base: Offer, revision: Offer) -> Iterator[Change]:
    if base.deprecated != revision.deprecated:
        yield change(place, "operation-deprecated" if revision.deprecated else "operation-no-longer-deprecated")
    if base.id != revision.id:
        yield change(place, "operation-id-changed", f"from {base.id or 'none'} to {revision.id or 'none'}")
    changed = [word for word, text in base.texts.items() if revision.texts[word] != text]
    if changed:
        yield change(place, "operation-text-changed", ", ".join(changed))


def _security(place: Place, base: Offer, revision: Offer) -> Iterator[Change]:
    word = security_relation(base.security, revision.security)
    if word:
        told = f"from {security_told(base.security)} to {security_told(revision.security)}"
        yield change(place.at("security"), f"security-{word}", told)


def fields(
    sides: Sides, place: Place, side: str, base: dict[Any, Field], revision: dict[Any, Field], prefix: str
) -> Iterator[Change]:
    """The changes of parameters, or of a response's headers. `prefix` begins their locations."""
    noun = f"{side}-parameter" if side == REQUEST else f"{side}-header"
    required_noun = noun.replace("-", "-required-", 1)
    for key in [*base, *(key for key in revision if key not in base)]:
        old, new = base.get(key), revision.get(key)
        shown = old or new
        assert shown is not None
        here = place.at(f"{prefix}.{shown.place}.{shown.name}", old.pointer if old else "", new.pointer if new else "")
        if old is not None and new is not None:
            yield from _field(sides, here, side, noun, old, new)
        elif new is not None:
            needed = new.required and side == REQUEST
            yield change(here, f"{required_noun if needed else noun}-added")
        else:
            promised = shown.required and side == RESPONSE
            yield change(here, f"{required_noun if promised else noun}-removed")


def _field(sides: Sides, place: Place, side: str, noun: str, old: Field, new: Field) -> Iterator[Change]:
    if old.required != new.required:
        yield change(place, f"{noun}-became-{'required' if new.required else 'optional'}")
    if old.deprecated != new.deprecated:
        yield change(place, f"{noun}-{'' if new.deprecated else 'no-longer-'}deprecated")
    if _serialization(sides, side, old, new):
        yield change(place, f"{noun}-serialization-changed")
    if old.characters != new.characters and side == REQUEST:
        lost = any(before and not after for before, after in zip(old.characters, new.characters, strict=True))
        yield change(place, f"{noun}-characters-{'tightened' if lost else 'loosened'}")
    on_the_wire = None if old.media or new.media else (_single(old), _single(new))
    yield from sides.schemas(place, side, old.schema, new.schema, on_the_wire)
    if not (old.required or new.required):
        yield from sides.default(place, side, old.schema, new.schema)


def _serialization(sides: Sides, side: str, old: Field, new: Field) -> bool:
    if old.media or new.media:
        return old.media != new.media
    space = sides.comparers[side].space
    pairs = ((sides.base, old), (sides.revision, new))
    composite = [
        any(isinstance(atom, (Array, Object)) for atom in space.expand(space.term(description, one.schema)))
        for description, one in pairs
    ]
    if composite[0] != composite[1]:
        return False  # the schema's own change
    if composite[0]:
        return _written_as(old) != _written_as(new)
    return old.style != new.style and (old.style in _LABELLED or new.style in _LABELLED)


def _written_as(one: Field) -> tuple[str, bool]:
    """The style, exploded or not; of a style that has one way of writing only, `explode` says nothing."""
    return one.style, one.explode or one.style == "deepObject"


def _single(one: Field) -> str:
    """Between which characters a list of several items is written; empty where one item alone is not read as a list."""
    if one.media or one.style not in _SEPARATORS:
        return ""
    return "&" if one.explode and one.style == "form" else _SEPARATORS[one.style]


def _body(sides: Sides, place: Place, side: str, base: Offer, revision: Offer) -> Iterator[Change]:
    here = place.at("request.body", f"{base.pointer}/requestBody", f"{revision.pointer}/requestBody")
    if base.body is None and revision.body is None:
        return
    if side == RESPONSE:
        yield from contents(sides, here, side, base.body or {}, revision.body or {}, "request")
    elif base.body is None:
        yield change(here, "request-required-body-added" if revision.body_required else "request-body-added")
    elif revision.body is None:
        yield change(here, "request-body-removed")
    else:
        if base.body_required != revision.body_required:
            yield change(here, f"request-body-became-{'required' if revision.body_required else 'optional'}")
        yield from contents(sides, here, side, base.body, revision.body, "request")


def contents(
    sides: Sides, place: Place, side: str, base: dict[str, Content], revision: dict[str, Content], prefix: str
) -> Iterator[Change]:
    """The changes of a body's media types and their schemas; a range stands for the types it covers."""
    seen: set[tuple[str, str]] = set()
    for media in [*base, *(media for media in revision if media not in base)]:
        old, new = base.get(media) or _covering(base, media), revision.get(media) or _covering(revision, media)
        here = place.at(f"{prefix}.content.{media}", old.pointer if old else "", new.pointer if new else "")
        if old is not None and new is not None:
            body = here.at(f"{prefix}.body")
            for one in _content(sides, body, side, old, new):
                if (one.kind, one.location) not in seen:
                    seen.add((one.kind, one.location))
                    yield one
        if media not in revision and (new is None or side == RESPONSE):
            yield change(here, f"{side}-media-type-removed")
        elif media not in base and (old is None or side == REQUEST):
            yield change(here, f"{side}-media-type-added")


def _covering(contents: dict[str, Content], media: str) -> Content | None:
    kind = media.partition(";")[0]
    return contents.get(f"{kind.partition('/')[0]}/*") or contents.get("*/*")


def _content(sides: Sides, place: Place, side: str, old: Content, new: Content) -> Iterator[Change]:
    before, after = _as_sent(sides.base, old), _as_sent(sides.revision, new)
    yield from sides.schemas(place, side, before, after)
    for name, word, told in differences_of_parts(sides.base, old, sides.revision, new, side == REQUEST):
        yield change(place.at(f"{place.location}.{name}"), f"{side}-encoding-{word}", told)


_RAW = {"type": "string"}
_RAW_OR_NONE = {"type": ["string", "null"]}


def _as_sent(description: Description, content: Content) -> Any:
    """The schema; of raw bytes, which 3.0 calls a binary string and 3.1 leaves without a schema, one for them all."""
    if is_json(content.media) or content.media.startswith(_TEXTUAL):
        return content.schema
    schema = plain(description, content.schema)
    if schema is True or schema == {}:
        return True if "*" in content.media else _RAW
    if not isinstance(schema, dict) or "string" not in reading.types_of(schema) or schema.get("contentEncoding"):
        return schema
    raw = schema.get("format") == "binary" or schema.get("contentMediaType") or schema.get("type") == "string"
    if not raw or len(set(reading.types_of(schema)) - {"null"}) > 1:
        return schema
    if "*" in content.media:
        return True
    sizes = {word: schema[word] for word in ("minLength", "maxLength") if word in schema}
    known = _RAW_OR_NONE if "null" in reading.types_of(schema) else _RAW
    return {**known, **sizes} if sizes else known


def _callbacks(sides: Sides, place: Place, base: Offer, revision: Offer, flipped: bool) -> Iterator[Change]:
    for key in [*base.callbacks, *(key for key in revision.callbacks if key not in base.callbacks)]:
        old, new = base.callbacks.get(key), revision.callbacks.get(key)
        if old is not None and new is not None:
            name = old.id or f"{place.operation} callback {key}"
            yield from operation(sides, old, new, name, not flipped)
        else:
            kind = "callback-added" if old is None else "callback-removed"
            yield change(place.at("operation", old.pointer if old else "", new.pointer if new else ""), kind, key)


DEFAULT = "default"


def replies(
    sides: Sides, place: Place, side: str, base: dict[str, Reply], revision: dict[str, Reply]
) -> Iterator[Change]:
    """The changes status by status. A status not named is its range's, then `default`'s."""
    for status in [*base, *(status for status in revision if status not in base)]:
        old, new = meant(base, status), meant(revision, status)
        here = place.at(f"response.{status}", old.pointer if old else "", new.pointer if new else "")
        if old is not None and new is not None:
            yield from _reply(sides, here, side, old, new)
        elif new is not None:
            yield change(here, f"response-{'success-' if is_success(revision, status) else ''}status-added")
        elif old is not None:
            yield change(here, f"response-{'success-' if is_success(base, status) else ''}status-removed")


def is_success(replies: dict[str, Reply], status: str) -> bool:
    """A 2xx; `default` too, where it is all there is to say of success."""
    return status.startswith("2") or (status == DEFAULT and _default_is_success(replies))


def _default_is_success(replies: dict[str, Reply]) -> bool:
    return not any(status.startswith("2") for status in replies)


def meant(replies: dict[str, Reply], status: str) -> Reply | None:
    """What the description says of this status, or range, or of every other status (`default`)."""
    if status in replies:
        return replies[status]
    if status == DEFAULT:
        return None
    span = f"{status[0]}XX"
    if span in replies:
        return replies[span]
    if status.startswith("2") and not _default_is_success(replies):
        return None
    return replies.get(DEFAULT)


def _reply(sides: Sides, place: Place, side: str, old: Reply, new: Reply) -> Iterator[Change]:
    if old is new:
        return
    yield from fields(sides, place, side, old.headers, new.headers, place.location)
    yield from contents(sides, place, side, old.contents, new.contents, place.location)
    yield from _links(place, old.links, new.links)


def _links(place: Place, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        here = place.at(f"{place.location}.link.{name}")
        if name not in new:
            yield change(here, "response-link-removed")
        elif name not in old:
            yield change(here, "response-link-added")
        elif key_of(_wire(old[name])) != key_of(_wire(new[name])):
            yield change(here, "response-link-changed")


def _wire(link: dict[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in link.items() if word != "description" and not word.startswith("x-")}


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
