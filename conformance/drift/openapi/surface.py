"""What a description offers on the wire, operation by operation, with everything hoisted and referred to in place.

Here too, of two of them: how the parts of a form are written (Encoding Object of OpenAPI 3.0.4, 3.1 and 3.2: only for
`multipart` and `application/x-www-form-urlencoded` bodies, and only for properties the schema has), which credentials
are asked for, and where the operations are served.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from conformance.drift.schema.description import Description, escape, own_schemas

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
    security: frozenset[Alternative]
    addresses: frozenset[Address]
    ranges: frozenset[Address]
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
        self.security = Schemes(description)

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
            addresses=addresses(listed, shape_of(path)) if kind == "operation" else frozenset(),
            ranges=ranges(listed, shape_of(path)) if kind == "operation" else frozenset(),
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


def differences_of_parts(
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


Identity = tuple[str, ...]
"""What a scheme is: its type and what its type goes by."""

Flow = tuple[str, str, str]
"""An OAuth flow: its name and its URLs."""

Need = tuple[Identity, frozenset[Flow], frozenset[str]]
"""One scheme, the flows that lead to it, and the scopes asked for."""

Alternative = frozenset[Need]
"""Schemes that are needed together; empty: none."""


class Schemes:
    """The security schemes of one description."""

    def __init__(self, description: Description) -> None:
        components = description.root.get("components") or {}
        listed = components.get("securitySchemes") or {}
        self._known = {name: _scheme(description.follow(node)) for name, node in listed.items()}

    def alternatives(self, requirements: Any) -> frozenset[Alternative]:
        """The alternatives of a `security` member; none stated is the one alternative that needs nothing."""
        found = {
            frozenset(
                (*self._known.get(name, (("unknown", name), frozenset())), frozenset(scopes))
                for name, scopes in one.items()
            )
            for one in requirements or ()
        } or {frozenset()}
        return frozenset(one for one in found if not any(other and other != one and met(other, one) for other in found))


def _scheme(node: dict[str, Any]) -> tuple[Identity, frozenset[Flow]]:
    kind = str(node.get("type"))
    flows: frozenset[Flow] = frozenset()
    if kind == "apiKey":
        name = str(node.get("name"))
        identity: Identity = (kind, str(node.get("in")), name.lower() if node.get("in") == "header" else name)
    elif kind == "http":
        identity = (kind, str(node.get("scheme")).lower())
    elif kind == "openIdConnect":
        identity = (kind, str(node.get("openIdConnectUrl")))
    else:
        identity = (kind,)
        flows = frozenset(
            (name, str(flow.get("authorizationUrl", "")), str(flow.get("tokenUrl", "")))
            for name, flow in (node.get("flows") or {}).items()
            if isinstance(flow, dict)
        )
    return identity, flows


def met(needed: Alternative, held: Alternative) -> bool:
    """Whether who holds the credentials of `held` has all that `needed` asks for."""
    return all(any(own[0] == need[0] and own[1] <= need[1] and need[2] <= own[2] for own in held) for need in needed)


def security_relation(base: frozenset[Alternative], revision: frozenset[Alternative]) -> str:
    """Empty where nothing changed, else tightened, loosened or changed."""
    if base == revision:
        return ""
    refused = any(not any(met(new, old) for new in revision) for old in base)
    newly = any(not any(met(old, new) for old in base) for new in revision)
    return {(True, True): "changed", (True, False): "tightened"}.get((refused, newly), "loosened")


def security_told(alternatives: frozenset[Alternative]) -> str:
    """The alternatives in words."""
    return " or ".join(sorted(" and ".join(sorted(map(_need, one))) or "no credentials" for one in alternatives))


def _need(need: Need) -> str:
    identity, _, scopes = need
    return " ".join(identity) + (f" with {', '.join(sorted(scopes))}" if scopes else "")


Address = tuple[str, str]
"""Origin (`https://host`, empty where the URL is relative) and the whole path, its variables' names left out."""

_FREE = "{}"
"""Stands in an address for a server variable that may be anything."""
_MOST = 1024
"""Addresses written out for one server; beyond it a variable's choices stay together in one."""


def addresses(listed: list[dict[str, Any]], shape: str) -> frozenset[Address]:
    """Every address of an operation of this path shape, server variables by their choices, or by their default."""
    return frozenset(_address(url, shape) for server in listed for url in _filled(server, free=False))


def ranges(listed: list[dict[str, Any]], shape: str) -> frozenset[Address]:
    """The addresses of servers with variables that may be anything, `{}` where they stand."""
    return frozenset(
        _address(url, shape) for server in listed for url in _filled(server, free=True) if _is_free(server)
    )


def _is_free(server: dict[str, Any]) -> bool:
    variables = server.get("variables") or {}
    return any(
        not variables[name].get("enum") for name in _VARIABLE.findall(str(server.get("url", "/"))) if name in variables
    )


def _filled(server: dict[str, Any], free: bool) -> list[str]:
    url, variables = str(server.get("url", "/")), server.get("variables") or {}
    names = [name for name in dict.fromkeys(_VARIABLE.findall(url)) if name in variables]
    choices = [_choices(variables[name], free) for name in names]
    while math.prod(map(len, choices)) > _MOST:
        longest = max(choices, key=len)
        longest[:] = [" or ".join(sorted(longest))]
    filled = []
    for values in itertools.product(*choices):
        one = url
        for name, value in zip(names, values, strict=True):
            one = one.replace(f"{{{name}}}", value)
        filled.append(one)
    return filled


def _choices(variable: dict[str, Any], free: bool) -> list[str]:
    if free and not variable.get("enum"):
        return [_FREE]
    return [str(value) for value in variable.get("enum") or [variable.get("default", "")]]


def _address(url: str, shape: str) -> Address:
    parts = urlsplit(_VARIABLE.sub("{}", url))
    host = parts.netloc.lower()
    for scheme, port in (("https", ":443"), ("http", ":80")):
        if parts.scheme == scheme:
            host = host.removesuffix(port)
    base = "/" + parts.path.strip("/") if parts.path.strip("/") else ""
    return (f"{parts.scheme.lower()}://{host}" if host else ""), base + shape


def lost_addresses(
    base: frozenset[Address], revision: frozenset[Address], base_ranges: frozenset[Address], ranges: frozenset[Address]
) -> list[Address]:
    """Addresses of base that the revision names no longer; a relative URL may stand for any origin.

    `ranges`, of the revision, keep every address they take in; a range of base is kept by the same range alone.
    """
    patterns = [_pattern(one) for one in ranges]
    return sorted(
        one
        for one in base | base_ranges
        if one not in ranges
        and not any(one[1] == other[1] and (one[0] == other[0] or not other[0] or not one[0]) for other in revision)
        and not any(one not in base_ranges and pattern.fullmatch("".join(one)) for pattern in patterns)
    )


def _pattern(address: Address) -> re.Pattern[str]:
    """Matches what the address may be with anything for its free variables."""
    return re.compile("".join(re.escape(part).replace(re.escape(_FREE), ".+") for part in address))
