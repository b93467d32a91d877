"""What a description offers on the wire, operation by operation, with everything hoisted and referred to in place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.drift.openapi import security, servers
from conformance.drift.schema.references import Description, escape

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
"""Methods with a place of their own in a path item; `query` since OpenAPI 3.2."""

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})
"""Header parameters the specification says are ignored."""

Node = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A parameter, or a header of a response. `media` is set where its value is a document of that type."""

    name: str
    place: str
    schema: Any
    required: bool
    deprecated: bool
    style: str
    explode: bool
    media: str = ""
    characters: tuple[bool, bool] = (False, False)
    """Whether reserved characters and an empty value are accepted."""
    pointer: str = ""


@dataclass(frozen=True)
class Content:
    """One media type of a body."""

    media: str
    schema: Any
    encoding: Node
    pointer: str = ""


@dataclass(frozen=True)
class Reply:
    """What one status answers: headers by lower-case name, contents by media type, links by name."""

    headers: dict[str, Field]
    contents: dict[str, Content]
    links: dict[str, Any]
    pointer: str = ""


@dataclass(frozen=True)
class Offer:
    """One operation. `shape` is its path with the variables' names left out; `addresses` are where it is served.

    `ranges` are addresses with a server variable that may be anything.
    """

    id: str
    method: str
    path: str
    shape: str
    kind: str
    parameters: dict[tuple[str, str], Field]
    body: dict[str, Content] | None
    body_required: bool
    replies: dict[str, Reply]
    security: frozenset[security.Alternative]
    addresses: frozenset[servers.Address]
    ranges: frozenset[servers.Address]
    deprecated: bool
    texts: dict[str, Any]
    callbacks: dict[str, Offer] = field(default_factory=dict)
    pointer: str = ""

    @property
    def name(self) -> str:
        """The operationId, or the method and path where there is none."""
        return self.id or f"{self.method.upper()} {self.path}"


def shape_of(path: str) -> str:
    """The path template with its variables' names left out."""
    return _VARIABLE.sub("{}", path)


class Surface:
    """One description's operations and webhooks."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.root = description.root
        self.security = security.Schemes(description)

    def operations(self) -> list[Offer]:
        """Every operation of `paths`, in the document's order."""
        return list(self._of_paths(self.root.get("paths") or {}, "/paths", "operation"))

    def webhooks(self) -> list[Offer]:
        """Every operation of `webhooks`; its path is the webhook's name."""
        return list(self._of_paths(self.root.get("webhooks") or {}, "/webhooks", "webhook"))

    def _of_paths(self, paths: Node, pointer: str, kind: str, depth: int = 0) -> Iterator[Offer]:
        for path, item in paths.items():
            if path.startswith("x-"):
                continue
            item = self._with_siblings(item)
            here = f"{pointer}/{escape(path)}"
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    yield self._offer(path, item, item[method], method, f"{here}/{method}", kind, depth)
            for method, node in (item.get("additionalOperations") or {}).items():
                place = f"{here}/additionalOperations/{escape(method)}"
                yield self._offer(path, item, node, method.lower(), place, kind, depth)

    def _with_siblings(self, item: Any) -> Node:
        target = self.description.follow(item)
        return {**target, **{k: v for k, v in item.items() if k != "$ref"}} if target is not item else item

    def _offer(self, path: str, item: Node, node: Node, method: str, pointer: str, kind: str, depth: int) -> Offer:
        body = self.description.follow(node.get("requestBody"))
        listed = next((n["servers"] for n in (node, item, self.root) if n.get("servers")), [{"url": "/"}])
        contents = self._contents(body.get("content"), f"{pointer}/requestBody/content") if body is not None else None
        return Offer(
            id=str(node.get("operationId") or ""),
            method=method,
            path=path,
            shape=shape_of(path),
            kind=kind,
            parameters=self._parameters(path, item, node, pointer),
            body=contents or None,
            body_required=bool(contents) and body.get("required") is True,
            replies=self._replies(node.get("responses") or {}, f"{pointer}/responses"),
            security=self.security.alternatives(node.get("security", self.root.get("security"))),
            addresses=servers.addresses(listed, shape_of(path)) if kind == "operation" else frozenset(),
            ranges=servers.ranges(listed, shape_of(path)) if kind == "operation" else frozenset(),
            deprecated=node.get("deprecated") is True,
            texts=_texts(node),
            callbacks=self._callbacks(node, pointer, depth),
            pointer=pointer,
        )

    def _parameters(self, path: str, item: Node, node: Node, pointer: str) -> dict[tuple[str, str], Field]:
        positions = {name: str(i) for i, name in enumerate(_VARIABLE.findall(path))}
        found: dict[tuple[str, str], Field] = {
            ("path", place): Field(name, "path", {"type": "string"}, True, False, "simple", False, pointer=pointer)
            for name, place in positions.items()
        }
        for source in (item, node):
            for i, listed in enumerate(source.get("parameters") or ()):
                made = self._field(self.description.follow(listed), f"{pointer}/parameters/{i}")
                key = made.name.lower() if made.place == "header" else positions.get(made.name, f" {made.name}")
                if made.place == "header" and key in _IGNORED_HEADERS:
                    continue
                if made.place == "path" and made.name not in positions:
                    continue
                found[made.place, key if made.place in ("header", "path") else made.name] = made
        return found

    def _field(self, node: Node, pointer: str, place: str = "", name: str = "") -> Field:
        place = place or node["in"]
        content = node.get("content") or {}
        media = next(iter(content), "")
        style = node.get("style") or {"query": "form", "cookie": "form"}.get(place, "simple")
        return Field(
            name=name or node["name"],
            place=place,
            schema=content[media].get("schema", True) if media else node.get("schema", True),
            required=node.get("required") is True or place == "path",
            deprecated=node.get("deprecated") is True,
            style=style,
            explode=bool(node.get("explode", style in ("form", "cookie"))),
            media=media_key(media),
            characters=(node.get("allowReserved") is True, place == "query" and node.get("allowEmptyValue") is True),
            pointer=pointer,
        )

    def _contents(self, contents: Node | None, pointer: str) -> dict[str, Content]:
        found = {}
        for media, node in (contents or {}).items():
            node = self.description.follow(node) or {}
            key = media_key(media)
            found[key] = Content(
                key, node.get("schema", True), node.get("encoding") or {}, f"{pointer}/{escape(media)}"
            )
        return found

    def _replies(self, replies: Node, pointer: str) -> dict[str, Reply]:
        found = {}
        for status, listed in replies.items():
            if str(status).startswith("x-"):
                continue
            node = self.description.follow(listed)
            here = f"{pointer}/{status}"
            headers = {
                name.lower(): self._field(
                    self.description.follow(header), f"{here}/headers/{escape(name)}", "header", name
                )
                for name, header in (node.get("headers") or {}).items()
                if name.lower() != "content-type"
            }
            contents = self._contents(node.get("content"), f"{here}/content")
            links = {name: self.description.follow(link) for name, link in (node.get("links") or {}).items()}
            found[str(status).upper() if str(status) != "default" else "default"] = Reply(
                headers, contents, links, here
            )
        return found

    def _callbacks(self, node: Node, pointer: str, depth: int) -> dict[str, Offer]:
        found: dict[str, Offer] = {}
        if depth > 3:  # a callback may refer to an operation that declares it
            return found
        for name, listed in (node.get("callbacks") or {}).items():
            item = self.description.follow(listed)
            for offer in self._of_paths(item, f"{pointer}/callbacks/{escape(name)}", "callback", depth + 1):
                found[f"{name} {offer.method} {offer.path}"] = offer
        return found


def _texts(node: Node) -> dict[str, Any]:
    texts = {word: node.get(word) or "" for word in ("summary", "description")}
    return {
        **{word: " ".join(str(text).split()) for word, text in texts.items()},
        "tags": sorted(node.get("tags") or ()),
    }


def media_key(media: str) -> str:
    """The media type in one spelling: lower case, parameters sorted, a JSON type's charset left out (RFC 8259 11)."""
    kind, *parameters = [part.strip() for part in media.split(";")]
    kind = kind.lower()
    pairs = []
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        value = value.strip().strip('"')
        lowered = (name.strip().lower(), value.lower() if name.strip().lower() == "charset" else value)
        if parameter and not (lowered[0] == "charset" and is_json(kind)):
            pairs.append("=".join(lowered))
    return "; ".join([kind, *sorted(pairs)])


def is_json(media: str) -> bool:
    """Whether the media type is JSON or built on it (RFC 6839)."""
    kind = media.partition(";")[0]
    return kind in ("application/json", "text/json") or kind.endswith("+json")
