"""Compares how the parts of a form are written: their content types, styles and headers.

Source: the Encoding Object of OpenAPI 3.0.4, 3.1 and 3.2. It applies to `multipart` and
`application/x-www-form-urlencoded` bodies and to properties the schema has; elsewhere it means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.drift.openapi.surface import Content
from conformance.drift.schema.annotations import own_schemas
from conformance.drift.schema.references import Description

MULTIPART, URLENCODED = "multipart/", "application/x-www-form-urlencoded"
TIGHTENED, LOOSENED, CHANGED = "tightened", "loosened", "changed"


@dataclass(frozen=True)
class _Part:
    """One property of a form as it is written; `headers` by lower-case name, with whether each is required."""

    types: frozenset[str]
    style: tuple[str, bool, bool]
    headers: dict[str, bool]


def is_form(media: str) -> bool:
    """Whether `encoding` applies to bodies of this media type."""
    return media.startswith((MULTIPART, URLENCODED))


def differences(
    base: Description, old: Content, revision: Description, new: Content, sent_by_client: bool
) -> Iterator[tuple[str, str, str]]:
    """The name of each part that both forms have and write differently, how it changed, and a few words on it."""
    if not (is_form(old.media) and is_form(new.media)):
        return
    before, after = _properties(base, old.schema), _properties(revision, new.schema)
    for name in sorted(before.keys() & after.keys()):
        one, two = _part(base, old, name, before[name]), _part(revision, new, name, after[name])
        yield from ((name, word, text) for word, text in _changes(one, two, sent_by_client))


def _changes(old: _Part, new: _Part, sent_by_client: bool) -> Iterator[tuple[str, str]]:
    lost = any(not _covered(one, new.types) for one in old.types)
    gained = any(not _covered(one, old.types) for one in new.types)
    if lost or gained:
        word = {(True, True): CHANGED, (True, False): TIGHTENED}.get((lost, gained), LOOSENED)
        yield word, f"from {', '.join(sorted(old.types))} to {', '.join(sorted(new.types))}"
    if old.style != new.style:
        yield CHANGED, f"from {_told(old.style)} to {_told(new.style)}"
    for name in sorted(old.headers.keys() | new.headers.keys()):
        was, became = old.headers.get(name), new.headers.get(name)
        if bool(was) != bool(became):
            yield (TIGHTENED if became else LOOSENED), f"header {name} is {'now' if became else 'no longer'} required"
        elif was is None:
            yield LOOSENED, f"with the optional header {name}"
        elif became is None:
            yield (LOOSENED if sent_by_client else TIGHTENED), f"without the optional header {name}"


def _told(style: tuple[str, bool, bool]) -> str:
    name, explode, reserved = style
    return f"{name}{', exploded' if explode else ''}{', reserved characters as they are' if reserved else ''}"


def _covered(media: str, types: frozenset[str]) -> bool:
    kind = media.partition(";")[0].strip()
    return bool({media, kind, f"{kind.partition('/')[0]}/*", "*/*"} & types)


def _properties(description: Description, schema: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for own in own_schemas(description, schema):
        if isinstance(own.get("properties"), dict):
            found = {**own["properties"], **found}
    return found


def _part(description: Description, content: Content, name: str, schema: Any) -> _Part:
    encoding = content.encoding.get(name)
    node = encoding if isinstance(encoding, dict) else {}
    kind = _kind(description, schema)
    stated = node.get("contentType")
    types = {one.strip().lower() for one in stated.split(",")} if isinstance(stated, str) else {_default_type(kind)}
    style = ("", False, False)
    urlencoded = content.media.startswith(URLENCODED)
    if urlencoded and kind in ("array", "object"):
        name_of_style = str(node.get("style", "form"))
        explode = bool(node.get("explode", name_of_style == "form")) or name_of_style == "deepObject"
        style = (name_of_style, explode, node.get("allowReserved") is True)
    headers = {
        header.lower(): (description.follow(one) or {}).get("required") is True
        for header, one in (node.get("headers") or {}).items()
        if header.lower() != "content-type" and not urlencoded
    }
    return _Part(frozenset(types), style, headers)


def _kind(description: Description, schema: Any, depth: int = 0) -> str:
    """The JSON type of the property, `binary` for raw bytes; that of its items for a list, which is a part for each."""
    for own in own_schemas(description, schema):
        kinds = own.get("type")
        listed = [kinds] if isinstance(kinds, str) else [one for one in kinds or () if one != "null"]
        if own.get("format") == "binary" or own.get("contentMediaType") or own.get("contentEncoding"):
            return "binary"
        if listed == ["array"] and depth < 3:
            inner = _kind(description, own.get("items", True), depth + 1)
            return inner if inner != "object" else "object"
        if "object" in listed or ("properties" in own and not listed):
            return "object"
        if listed:
            return str(listed[0])
    return "binary" if schema in (True, {}) else "string"


def _default_type(kind: str) -> str:
    return {"object": "application/json", "binary": "application/octet-stream"}.get(kind, "text/plain")
