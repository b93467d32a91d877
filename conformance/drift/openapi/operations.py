"""Compares two operations: what they are asked, what they answer, who may ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.drift.openapi import parts, security
from conformance.drift.openapi.bodies import Place, Sides, change
from conformance.drift.openapi.comparison import Change
from conformance.drift.openapi.surface import Content, Field, Offer, Reply, is_json
from conformance.drift.schema import reading
from conformance.drift.schema.atoms import Array, Object
from conformance.drift.schema.identity import plain
from conformance.drift.schema.references import Description
from conformance.drift.schema.space import REQUEST, RESPONSE
from conformance.drift.schema.values import key_of

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
    word = security.relation(base.security, revision.security)
    if word:
        told = f"from {security.told(base.security)} to {security.told(revision.security)}"
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
    for name, word, told in parts.differences(sides.base, old, sides.revision, new, side == REQUEST):
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
