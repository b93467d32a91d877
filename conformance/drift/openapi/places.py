"""Where a change stands in a description: the property's own place, not its operation's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import unquote

from conformance.drift.openapi.bundling import at, tokens_of
from conformance.drift.openapi.comparison import Change
from conformance.drift.schema.references import escape

_STEP = re.compile(r"\.\*|\[\]|\.(?:[^.\[]|\[(?!\]))+")
_DEPTH = 12


class Described(Protocol):
    """A description that knows the files it came from."""

    @property
    def root(self) -> dict[str, Any]:
        """The description, which refers to itself alone."""

    def whereabouts(self, pointer: str) -> tuple[str, int, str]:
        """File, line and pointer in the file of the node at a pointer of `root`."""


def pointer_of(change: Change, root: dict[str, Any], pointer: str) -> str:
    """The JSON pointer of what changed, as near as the description has it, from where its operation or body stands."""
    place = _followed(root, tokens_of(pointer))
    location = change.location
    body = re.match(r"(?:request|response\.[^.]+)\.(?:body|content\.[^\[]*?)(?=[.\[]|$)", location)
    parameter = re.match(r"request\.(query|path|header|cookie)\.(.*)", location)
    if parameter:
        return _parameter(root, place, parameter[1], parameter[2])
    if body is None or ".content." in location:
        return place
    if "/content/" not in place:
        place = _media(root, place, location)
    node = _node(root, place)
    if isinstance(node, dict) and "schema" in node:
        place = f"{place}/schema"
    for step in _STEP.findall(location[body.end() :]):
        inner = next(_inside(root, place, step, _DEPTH), "")
        if not inner:
            break
        place = inner
    return place


def _node(root: Any, pointer: str) -> Any:
    try:
        return at(root, pointer)
    except KeyError:
        return None


def _followed(root: Any, tokens: list[str]) -> str:
    """The pointer these keys lead to, references followed, as far as they lead anywhere."""
    place = ""
    for key in tokens:
        place = _end(root, place)
        inner = f"{place}/{escape(key)}"
        if _node(root, inner) is None:
            break
        place = inner
    return place


def _end(root: Any, place: str) -> str:
    """Where the chain of references that begins at a place ends."""
    for _ in range(_DEPTH):
        node = _node(root, place)
        reference = node.get("$ref") if isinstance(node, dict) else None
        if (
            not isinstance(reference, str)
            or not reference.startswith("#/")
            or _node(root, unquote(reference[1:])) is None
        ):
            break
        place = unquote(reference[1:])
    return place


def _media(root: Any, place: str, location: str) -> str:
    """The first media type of the body, where all that is known is the operation."""
    status = location.split(".")[1] if location.startswith("response.") else ""
    way = ["responses", status, "content"] if status else ["requestBody", "content"]
    there = _followed(root, [*tokens_of(place), *way])
    content = _node(root, there)
    return f"{there}/{escape(next(iter(content)))}" if there.endswith("/content") and content else there


def _parameter(root: Any, place: str, kind: str, rest: str) -> str:
    """The parameter's own place: the operation's, else its path's; then the property inside it."""
    operation = re.match(r"(/(?:paths|webhooks)/[^/]+)/[^/]+", place)
    for holder in (operation[0], operation[1]) if operation else ():
        listed = _node(root, f"{holder}/parameters")
        for i in range(len(listed) if isinstance(listed, list) else 0):
            here = _end(root, f"{holder}/parameters/{i}")
            node = _node(root, here)
            name = str(node.get("name", "")) if isinstance(node, dict) else ""
            if name and node.get("in") == kind and (rest == name or rest.startswith((f"{name}.", f"{name}["))):
                return here
    return place


def _inside(root: Any, place: str, step: str, depth: int) -> Iterator[str]:
    """Where a step of a location leads: into a property, the entries of a list, or the values of a map."""
    place = _end(root, place)
    node = _node(root, place)
    if not isinstance(node, dict) or depth == 0:
        return
    words = {"[]": ("items", "prefixItems/0"), ".*": ("additionalProperties", "patternProperties")}
    for inner in words.get(step, (f"properties/{escape(step[1:])}",)):
        if _node(root, f"{place}/{inner}") is not None:
            yield f"{place}/{inner}"
    for word in ("allOf", "anyOf", "oneOf"):
        listed = node.get(word)
        for i in range(len(listed) if isinstance(listed, list) else 0):
            yield from _inside(root, f"{place}/{word}/{i}", step, depth - 1)
