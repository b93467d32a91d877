"""Makes a description refer to itself alone: what stands in other files becomes its own components.

The walk follows the grammar of OpenAPI and JSON Schema, so that examples, defaults and extensions, in which `$ref` is a
name like any other, are passed over. A reference that cannot be followed is noted and left out. `pointer_of` says where
in the description a change stands: the property's own place, not its operation's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from conformance.drift.changes import Change
from conformance.drift.schema.description import escape
from conformance.errors import UsageError

Node = dict[str, Any]
Fetch = Callable[[str, str], Any]
"""The parsed document at a URI, given with the reference that names it. Raises UsageError where there is none."""

SCHEMA, PATH_ITEM = "schemas", "pathItems"

_ONE: dict[str, str] = {
    **dict.fromkeys(("schema", "itemSchema"), SCHEMA),
    **dict.fromkeys(("get", "put", "post", "delete", "options", "head", "patch", "trace", "query"), "operation"),
    "requestBody": "requestBodies",
    "components": "components",
    "itemEncoding": "encoding",
}
_MANY: dict[str, str] = {
    **{name: name for name in ("parameters", "responses", "headers", "requestBodies", "links", "callbacks")},
    **{name: name for name in ("securitySchemes", "encoding", "mediaTypes", PATH_ITEM)},
    **dict.fromkeys(("schemas", "definitions"), SCHEMA),
    **dict.fromkeys(("paths", "webhooks"), PATH_ITEM),
    "content": "mediaTypes",
    "additionalOperations": "operation",
    "prefixEncoding": "encoding",
    "securityDefinitions": "securitySchemes",
}
"""Members outside of schemas that hold one node or many, with what the nodes are: the name of their components."""

_SCHEMA_ONE = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "contentSchema"}
    | {"additionalItems", "unevaluatedItems", "unevaluatedProperties"}
)
_SCHEMA_MANY = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "allOf", "anyOf", "oneOf"}
    | {"prefixItems", "items"}
)
_OLD_SECTIONS = {SCHEMA: "definitions", "parameters": "parameters", "responses": "responses"}
"""Where Swagger 2.0 keeps what OpenAPI 3 keeps under `components`."""

_EMPTY: dict[str, Node] = {"responses": {"description": ""}, SCHEMA: {}, PATH_ITEM: {}}
"""What a node that leads nowhere is read as; of other kinds it is left out."""


def children(node: Node, role: str) -> Iterator[tuple[str, Any, str]]:
    """The nodes inside one to which OpenAPI gives a meaning: JSON pointer from it, the node, and its role.

    A role is the name of the components of the node's kind (`schemas`, `parameters`).
    """
    if role == "links":
        return  # its `parameters` are values
    for key, child in node.items():
        if not isinstance(child, (dict, list)):
            continue
        one, many = _kinds(str(key), child, role)
        if many:
            inner = child.items() if isinstance(child, dict) else enumerate(child)
            for name, grandchild in inner:
                if many == SCHEMA or not str(name).startswith("x-"):
                    yield f"/{escape(key)}/{escape(str(name))}", grandchild, many
        elif one:
            yield f"/{escape(key)}", child, one


def _kinds(key: str, child: Any, role: str) -> tuple[str, str]:
    """The role of a member that is one node, or of the many in it; both empty for a member that holds none."""
    if role == SCHEMA:
        if key in _SCHEMA_MANY and not (key == "items" and isinstance(child, dict)):
            return "", SCHEMA
        return (SCHEMA if key in _SCHEMA_ONE else ""), ""
    if role == "callbacks":
        return ("" if key.startswith("x-") else PATH_ITEM), ""
    return _ONE.get(key, ""), _MANY.get(key, "")


def tokens_of(pointer: str) -> list[str]:
    """The keys of a JSON pointer (RFC 6901)."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def at(root: Any, pointer: str) -> Any:
    """The node at a JSON pointer. Raises KeyError where there is none."""
    node = root
    for token in tokens_of(pointer):
        if isinstance(node, dict) and token in node:
            node = node[token]
        elif isinstance(node, list) and token.isdigit() and int(token) < len(node):
            node = node[int(token)]
        else:
            raise KeyError(pointer)
    return node


def remove(root: Any, pointers: Iterable[str]) -> None:
    """Take the nodes at these pointers out of the document; one that is not there is passed over."""
    chosen: dict[tuple[int, str | int], Any] = {}
    for pointer in pointers:
        holder, _, last = pointer.rpartition("/")
        try:
            container = at(root, holder)
        except KeyError:
            continue
        key: str | int = int(last) if isinstance(container, list) and last.isdigit() else tokens_of(f"/{last}")[0]
        chosen[id(container), key] = container
    for (_, key), container in sorted(chosen.items(), key=lambda one: str(one[0][1]).zfill(12), reverse=True):
        if isinstance(container, list) and isinstance(key, int) and key < len(container):
            del container[key]
        elif isinstance(container, dict):
            container.pop(key, None)


@dataclass
class Bundle:
    """A description being made self-contained. `root` is altered.

    `slips` are the references that lead nowhere: pointer and sentence. `origins` maps the pointer of what stood
    elsewhere to its URI and pointer there. `fits` says whether a node that only references lead to is of the kind they
    want; without it, and without `fetch`, references are led, and not judged.
    """

    root: Node
    uri: str
    fetch: Fetch
    fits: Callable[[str, Node], bool] | None = None
    slips: list[tuple[str, str]] = field(default_factory=list)
    origins: dict[str, tuple[str, str]] = field(default_factory=dict)
    _documents: dict[str, Any] = field(default_factory=dict)
    _resources: dict[str, str] = field(default_factory=dict)
    _places: dict[tuple[int, str], str] = field(default_factory=dict)
    _bases: dict[str, str] = field(default_factory=dict)
    _stack: list[tuple[str, Any, str, str]] = field(default_factory=list)
    _dropped: list[str] = field(default_factory=list)
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def make(self) -> None:
        """Lead every reference to a place of the root itself."""
        self.modern = "swagger" not in self.root and not str(self.root.get("openapi", "")).startswith("3.0")
        self.identified = self.modern and self.fits is None  # once led, references are relative to the root alone
        self._documents[self.uri] = self.root
        own = self.root.get("$self")
        if isinstance(own, str) and own:
            self._documents[urldefrag(urljoin(self.uri, own)).url] = self.root
        self._identify(self.root, "", "root", self.uri)
        self._adopt()
        self._stack.append(("", self.root, "root", self.uri))
        led: dict[int, str] = {}
        seen: set[tuple[int, str]] = set()
        references: list[tuple[str, Node, str]] = []
        while self._stack:
            self._walk(led, seen, references)
            self._stack.extend(self._strays(references, seen))
        self._circles(references)
        remove(self.root, self._dropped)

    def _walk(self, led: dict[int, str], seen: set[tuple[int, str]], references: list[tuple[str, Node, str]]) -> None:
        while self._stack:
            pointer, node, role, base = self._stack.pop()
            if not isinstance(node, dict) or (id(node), role) in seen:
                continue
            seen.add((id(node), role))
            base = self._bases.get(pointer, base)
            if "$ref" in node and role != "operation":
                if id(node) not in led:
                    led[id(node)] = pointer
                    self._lead(pointer, node, role, base)
                references.append((pointer, node, role))
            if role == SCHEMA and isinstance(node.get("discriminator"), dict):
                self._mapping(pointer, node["discriminator"], base)
            self._stack.extend((pointer + step, child, kind, base) for step, child, kind in children(node, role))

    def _strays(
        self, references: Iterable[tuple[str, Node, str]], seen: set[tuple[int, str]]
    ) -> Iterator[tuple[str, Any, str, str]]:
        """What references lead to and no other way does: nodes of extensions, or of another kind than is wanted."""
        for pointer, node, role in references:
            target = self._followed(node)
            if target is None or isinstance(target, bool) or (id(target), role) in seen:
                continue
            if isinstance(target, dict) and (self.fits is None or role == SCHEMA or self.fits(role, target)):
                yield unquote(node["$ref"][1:]), target, role, self.uri
            else:
                kind = role.removesuffix("s").replace("ie", "y")
                self._nowhere(
                    pointer, node, role, f"The reference {node['$ref']!r} leads to what does not fit ({kind})."
                )

    def _followed(self, node: Node) -> Any:
        """What a reference leads to, None where it was found to lead nowhere."""
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        try:
            return at(self.root, unquote(reference[1:]))
        except KeyError:
            return None

    def _identify(self, node: Any, pointer: str, role: str, base: str) -> None:
        """Note the schemas that have an `$id`, which references inside are relative to (JSON Schema 2020-12, 8.2)."""
        if not self.identified:
            return
        stack = [(pointer, node, role, base)]
        while stack:
            pointer, node, role, base = stack.pop()
            if not isinstance(node, dict):
                continue
            if role == SCHEMA and isinstance(node.get("$id"), str):
                base = urldefrag(urljoin(base, node["$id"])).url
                self._documents[base], self._resources[base], self._bases[pointer] = node, pointer, base
            stack.extend((pointer + step, child, kind, base) for step, child, kind in children(node, role))

    def _sections(self) -> Iterator[tuple[str, str, Node]]:
        """Role, pointer and content of each group of components."""
        old = "swagger" in self.root
        holder = self.root if old else self.root.get("components")
        for name, content in holder.items() if isinstance(holder, dict) else ():
            role = next((role for role, one in _OLD_SECTIONS.items() if one == name), "") if old else name
            if role in _MANY and isinstance(content, dict):
                yield role, f"/{name}" if old else f"/components/{name}", content

    def _adopt(self) -> None:
        """A component that is nothing but a reference to another file becomes what stands there, under its own name."""
        for role, pointer, content in self._sections():
            for name, node in content.items():
                reference = node.get("$ref") if isinstance(node, dict) and len(node) == 1 else None
                if not isinstance(reference, str) or reference.startswith("#"):
                    continue
                try:
                    uri, fragment, target = self._target(urljoin(self.uri, reference), reference)
                except (UsageError, KeyError):
                    continue
                if self._documents[uri] is self.root or uri in self._resources or not isinstance(target, dict):
                    continue
                if (id(self._documents[uri]), fragment) in self._places or "$ref" in target:
                    continue
                here = f"{pointer}/{escape(name)}"
                content[name] = target
                self._put(here, role, uri, fragment, target)

    def _put(self, here: str, role: str, uri: str, fragment: str, target: Any) -> None:
        self._places[id(self._documents[uri]), fragment] = here
        self.origins[here] = (uri, fragment)
        self._bases[here] = uri
        self._identify(target, here, role, uri)

    def _target(self, absolute: str, reference: str) -> tuple[str, str, Any]:
        """URI, JSON pointer and node of what is referred to. Raises UsageError or KeyError where there is none."""
        uri, fragment = urldefrag(absolute)
        fragment = unquote(fragment)
        if uri not in self._documents:
            self._documents[uri] = document = self.fetch(uri, reference)
            if isinstance(document, dict) and isinstance(document.get("$id"), str):
                self._documents.setdefault(urldefrag(urljoin(uri, document["$id"])).url, document)
        document = self._documents[uri]
        if fragment and not fragment.startswith("/"):
            fragment = _anchored(document, fragment)
        return uri, fragment, at(document, fragment)

    def _lead(self, pointer: str, node: Node, role: str, base: str) -> None:
        reference = node["$ref"]
        if not isinstance(reference, str):
            self._nowhere(pointer, node, role, "The `$ref` is not a string.")
            return
        try:
            if (base, reference) not in self._known:
                place = self._place_of(pointer, node, role, base, reference)
                if role == PATH_ITEM:
                    node.update({"$ref": f"#{_quoted(place)}"} if place is not None else {})
                    return
                self._known[base, reference] = f"#{_quoted(place or '')}"
        except KeyError:
            self._nowhere(pointer, node, role, f"The reference {reference!r} leads nowhere.")
        except UsageError as error:
            self._nowhere(pointer, node, role, str(error))
        else:
            node["$ref"] = self._known[base, reference]

    def _place_of(self, pointer: str, node: Node, role: str, base: str, reference: str) -> str | None:
        """Where in the root that stands which is referred to; None for a path's operations, which are put in place."""
        uri, fragment, target = self._target(urljoin(base, reference), reference)
        if uri in self._resources:
            return self._resources[uri] + fragment
        document = self._documents[uri]
        if document is self.root:
            return fragment
        if not isinstance(target, (dict, bool)):
            raise UsageError(f"It refers to {reference!r}, which is not an object.")
        if role == PATH_ITEM and isinstance(target, dict):
            node.pop("$ref")
            if isinstance(target.get("$ref"), str):
                node["$ref"] = target["$ref"]
                self._lead(pointer, node, role, uri)
                return None
            self.origins[pointer] = (uri, fragment)
            self._stack.extend((pointer + step, child, kind, uri) for step, child, kind in children(target, role))
            for key, value in target.items():
                node.setdefault(key, value)
            return None
        key = (id(document), fragment)
        if key not in self._places:
            self._add(role, uri, fragment, target)
        return self._places[key]

    def _add(self, role: str, uri: str, fragment: str, target: Any) -> None:
        """What stands elsewhere as a component, under a name of its own."""
        old = "swagger" in self.root
        section = _OLD_SECTIONS.get(role, role) if old else role
        holder = self.root if old else self.root.setdefault("components", {})
        content = holder.setdefault(section, {})
        stem = urlsplit(uri).path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        wanted = re.sub(r"[^A-Za-z0-9._-]", "_", tokens_of(fragment)[-1] if fragment else unquote(stem)) or "other"
        name, count = wanted, 1
        while name in content:
            count += 1
            name = f"{wanted}-{count}"
        content[name] = target
        here = f"/{section}/{escape(name)}" if old else f"/components/{section}/{escape(name)}"
        self._put(here, role, uri, fragment, target)
        self._stack.append((here, target, role, uri))

    def _mapping(self, pointer: str, discriminator: Node, base: str) -> None:
        """A discriminator's targets are names of components or references; one that leads nowhere is left out."""
        mapping = discriminator.get("mapping")
        if mapping is None:
            discriminator.pop("mapping", None)
        if not isinstance(mapping, dict):
            return
        for value, target in list(mapping.items()):
            here = f"{pointer}/discriminator/mapping/{escape(value)}"
            if not isinstance(target, str):
                self.slips.append((here, "The discriminator's target is not a string."))
                del mapping[value]
                continue
            named = re.fullmatch(r"[A-Za-z0-9._-]+", target) is not None
            try:
                if named and base == self.uri and target in self.root.get("components", {}).get(SCHEMA, {}):
                    continue
                if named and not re.search(r"\.(ya?ml|json)$", target):
                    target = f"#/components/schemas/{target}"
                place = self._place_of(here, {"$ref": target}, SCHEMA, base, target)
                mapping[value] = f"#{_quoted(place or '')}"
            except (KeyError, UsageError):
                self.slips.append((here, f"The discriminator's target {mapping[value]!r} leads nowhere."))
                del mapping[value]

    def _nowhere(self, pointer: str, node: Node, role: str, text: str) -> None:
        self.slips.append((pointer, text))
        if role not in _EMPTY:
            self._dropped.append(pointer)
        elif role == "responses" or not self.modern:
            node.clear()
            node.update(_EMPTY[role])
        else:
            node.pop("$ref")

    def _circles(self, references: Iterable[tuple[str, Node, str]]) -> None:
        """References that lead back to themselves and never to a node."""
        ending: set[int] = set()
        for pointer, node, role in references:
            way: dict[int, Node] = {}
            one: Any = node
            while isinstance(one, dict) and isinstance(one.get("$ref"), str) and id(one) not in ending:
                if id(one) in way:
                    self._nowhere(pointer, node, role, f"The reference {node['$ref']!r} leads back to itself.")
                    break
                way[id(one)] = one
                try:
                    one = at(self.root, unquote(one["$ref"])[1:])
                except KeyError:
                    break
            ending |= way.keys()


def _quoted(pointer: str) -> str:
    """A pointer as a fragment of a URI, as far as readers of one undo it."""
    return pointer.replace("%", "%25")


def _anchored(document: Any, name: str) -> str:
    """The pointer of the schema with this `$anchor`. Raises KeyError where there is none."""
    stack: list[tuple[str, Any]] = [("", document)]
    while stack:
        pointer, node = stack.pop()
        if isinstance(node, dict):
            if name in (node.get("$anchor"), node.get("$dynamicAnchor")):
                return pointer
            stack.extend((f"{pointer}/{escape(key)}", child) for key, child in node.items())
        elif isinstance(node, list):
            stack.extend((f"{pointer}/{i}", child) for i, child in enumerate(node))
    raise KeyError(name)


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
