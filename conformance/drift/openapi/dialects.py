"""Rewrites descriptions of Swagger 2.0 and OpenAPI 3.0 as OpenAPI 3.1, whose schemas are JSON Schema 2020-12.

Sources: the OpenAPI 3.0.4 Schema Object and the 3.1 migration notes; the Swagger 2.0 specification beside 3.0.3.
`nullable` without `type` in its own object has no effect by the letter of 3.0.3; beside `allOf`, `anyOf`, `oneOf` or
`$ref` alone it is read as its authors mean it: or null. `bare` leaves out what a generated client cannot speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.drift.schema.description import DATA, NAMED, escape, walk

_APPLIED = ("allOf", "anyOf", "oneOf")
_SCHEMA_PARENTS = frozenset({"schema", "items", "additionalProperties", "not"})
_ABOUT = ("default", "description", "readOnly", "writeOnly", "deprecated", "discriminator")
_UNKNOWN = frozenset({"$recursiveAnchor", "$recursiveRef"})
"""Keywords of JSON Schema 2019-09 that 2020-12 no longer knows, and ignores."""
_SCHEMA_MAPS = frozenset({"properties", "schemas", "patternProperties"})


def is_old(root: dict[str, Any]) -> bool:
    """Whether the description is of OpenAPI 3.0."""
    return str(root.get("openapi", "")).startswith("3.0")


def modern(root: dict[str, Any], null_in_enums: bool = True) -> dict[str, Any]:
    """The description in the 3.1 dialect, as a copy of its own that shares no node with the original.

    `null_in_enums`: a nullable schema's `enum` without null admits null all the same, as most authors and tools take
    it; else not, by the letter of 3.0.3.
    """
    copy: dict[str, Any] = _Copier(is_old(root), null_in_enums).copy(root, False, False)
    if is_old(root):
        copy["openapi"] = "3.1.0"
    info = copy.get("info")
    if isinstance(info, dict) and isinstance(info.get("version"), (int, float)):
        info["version"] = str(info["version"])
    return copy


def is_ambiguous(root: dict[str, Any]) -> bool:
    """Whether it makes a difference how a nullable `enum` without null is read."""
    return is_old(root) and any(
        node.get("nullable") is True and isinstance(node.get("enum"), list) and None not in node["enum"]
        for _, node in walk(root)
    )


class _Copier:
    def __init__(self, old: bool, null_in_enums: bool) -> None:
        self.old, self.null_in_enums = old, null_in_enums
        self._shared: dict[tuple[Any, ...], Any] = {}

    def copy(self, node: Any, schema: bool, named: bool) -> Any:
        """`schema`: the node is a Schema Object; `named`: its members are named by the author."""
        if isinstance(node, list):
            return self._once([self.copy(item, schema, False) for item in node])
        if not isinstance(node, dict):
            return node
        copied: dict[str, Any] = {}
        for key, child in node.items():
            if key in _UNKNOWN and not named:
                continue
            if named:
                copied[key] = self.copy(child, schema, False)
            elif key in DATA:
                copied[key] = self.data(child)
            else:
                names = key in NAMED
                inside = key in _SCHEMA_MAPS if names else key in _SCHEMA_PARENTS or key in _APPLIED
                copied[key] = self.copy(child, inside, names)
        return self._once(self._schema(copied) if self.old and schema and not named else copied)

    def _once(self, node: Any) -> Any:
        """The node, or one written alike before: what is said often is compared once."""
        items = node.items() if isinstance(node, dict) else enumerate(node)
        key = (type(node), *((k, id(v) if isinstance(v, (dict, list)) else (type(v), v)) for k, v in items))
        return self._shared.setdefault(key, node)

    def _schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        nullable = schema.pop("nullable", False) is True
        if "$ref" in schema:  # 3.0 ignores what else stands beside a $ref
            only = {"$ref": schema["$ref"]}
            return {"anyOf": [only, {"type": "null"}]} if nullable else only
        for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and inclusive in schema:
                schema[exclusive] = schema.pop(inclusive)
        return self._or_null(schema) if nullable else schema

    def _or_null(self, schema: dict[str, Any]) -> dict[str, Any]:
        kind = schema.get("type")
        if any(word in schema for word in _APPLIED):
            about = {word: schema.pop(word) for word in _ABOUT if word in schema}
            return {"anyOf": [schema, {"type": "null"}], **about}
        if isinstance(kind, str):
            schema["type"] = [kind, "null"]
            if self.null_in_enums and isinstance(schema.get("enum"), list) and None not in schema["enum"]:
                schema["enum"] = [*schema["enum"], None]
        return schema

    def data(self, node: Any) -> Any:
        """A copy of what is no description but a value."""
        if isinstance(node, dict):
            return self._once({key: self.data(child) for key, child in node.items()})
        return self._once([self.data(item) for item in node]) if isinstance(node, list) else node


Node = dict[str, Any]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_MOVED = {
    "#/definitions/": "#/components/schemas/",
    "#/parameters/": "#/components/parameters/",
    "#/responses/": "#/components/responses/",
}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_JSON = "application/json"
_OF_PARAMETERS = ("name", "in", "description", "required", "deprecated", "allowEmptyValue")
_STYLES = {
    "csv": ("form", False),
    "multi": ("form", True),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
    "tsv": ("form", False),
}
"""How a list of values is written: the style of 3.0, and whether each value stands alone. 3.0 has none with tabs."""

_FLOWS = {
    "implicit": "implicit",
    "password": "password",
    "application": "clientCredentials",
    "accessCode": "authorizationCode",
}


@dataclass(frozen=True)
class Conversion:
    """The description in OpenAPI 3.0, what was lost on the way, and where each moved part stood, by JSON pointer."""

    root: Node
    lost: tuple[str, ...]
    origins: Mapping[str, str]


def converted(root: Node) -> Conversion:
    """The conversion of a description that refers to itself alone. `root` is not altered."""
    return _Converter(root).convert()


@dataclass
class _Converter:
    old: Node
    lost: dict[str, None] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def convert(self) -> Conversion:
        root: Node = {"openapi": "3.0.3", "info": self.old.get("info", {}), "servers": self._servers()}
        root["paths"] = {
            path: self._item(item, f"/paths/{escape(path)}") if isinstance(item, dict) else item
            for path, item in _dict(self.old.get("paths")).items()
        }
        root["components"] = {
            "schemas": {name: self._schema(one) for name, one in _dict(self.old.get("definitions")).items()},
            "parameters": {
                name: self._parameter(one, f"/components/parameters/{escape(name)}", f"/parameters/{escape(name)}")
                for name, one in _dict(self.old.get("parameters")).items()
                if _dict(one).get("in") not in ("body", "formData")
            },
            "responses": {
                name: self._response(one, _list(self.old.get("produces")), f"responses/{escape(name)}", "/components/")
                for name, one in _dict(self.old.get("responses")).items()
            },
            "securitySchemes": {
                name: self._scheme(_dict(one)) for name, one in _dict(self.old.get("securityDefinitions")).items()
            },
        }
        for section, before in (("schemas", "definitions"), ("responses", "responses")):
            self.origins[f"/components/{section}"] = f"/{before}"
        self.origins["/components/securitySchemes"] = "/securityDefinitions"
        root |= {word: self.old[word] for word in ("security", "tags", "externalDocs") if word in self.old}
        return Conversion(root, tuple(self.lost), self.origins)

    def _servers(self) -> list[Node]:
        path = str(self.old.get("basePath") or "/")
        host = self.old.get("host")
        if not host:
            return [{"url": path}]
        return [
            {"url": f"{scheme}://{host}{path.rstrip('/')}"} for scheme in _list(self.old.get("schemes")) or ["https"]
        ]

    def _item(self, item: Node, here: str) -> Node:
        found: Node = {key: value for key, value in item.items() if key == "$ref" or key.startswith("x-")}
        shared = [(one, f"{here}/parameters/{i}") for i, one in enumerate(_list(item.get("parameters")))]
        plain = [(one, at) for one, at in shared if not self._is_sent(one)]
        if plain:
            found["parameters"] = [
                self._parameter(one, f"{here}/parameters/{i}", at) for i, (one, at) in enumerate(plain)
            ]
        for method in _METHODS:
            if isinstance(item.get(method), dict):
                found[method] = self._operation(item[method], f"{here}/{method}", shared)
        return found

    def _is_sent(self, parameter: Any) -> bool:
        """Whether it is a body or a form's field."""
        return _dict(self._followed(parameter)).get("in") in ("body", "formData")

    def _followed(self, node: Any) -> Any:
        reference = _dict(node).get("$ref")
        name = reference.removeprefix("#/parameters/") if isinstance(reference, str) else ""
        return _dict(self.old.get("parameters")).get(name, node) if name else node

    def _operation(self, old: Node, here: str, shared: list[tuple[Any, str]]) -> Node:
        moved = ("parameters", "responses", "consumes", "produces", "schemes")
        found: Node = {key: value for key, value in old.items() if key not in moved}
        own = [(one, f"{here}/parameters/{i}") for i, one in enumerate(_list(old.get("parameters")))]
        plain = [(one, at) for one, at in own if not self._is_sent(one)]
        if plain:
            found["parameters"] = [
                self._parameter(one, f"{here}/parameters/{i}", at) for i, (one, at) in enumerate(plain)
            ]
        names = {_dict(self._followed(one)).get("name") for one, _ in own}
        sent = [(self._followed(one), at) for one, at in own if self._is_sent(one)]
        sent += [
            (self._followed(one), at)
            for one, at in shared
            if self._is_sent(one) and _dict(self._followed(one)).get("name") not in names
        ]
        body = self._body(sent, _list(old.get("consumes", self.old.get("consumes"))), f"{here}/requestBody")
        if body:
            found["requestBody"] = body
        produces = _list(old.get("produces", self.old.get("produces")))
        found["responses"] = {
            str(status): self._response(one, produces, f"responses/{escape(status)}", f"{here}/", f"{here}/")
            for status, one in _dict(old.get("responses")).items()
        }
        return found

    def _body(self, sent: list[tuple[Node, str]], consumes: list[str], here: str) -> Node:
        whole = [(one, at) for one, at in sent if one.get("in") == "body"]
        fields = [(one, at) for one, at in sent if one.get("in") == "formData"]
        if len(whole) > 1 or (whole and fields):
            self._lose("an operation with more than one body, or with a body and a form, of which one body is kept")
        if whole:
            body, at = whole[0]
            schema = self._schema(body.get("schema", {}))
            content = {}
            for media in consumes or [_JSON]:
                content[media] = {"schema": schema}
                self.origins[f"{here}/content/{escape(media)}/schema"] = f"{at}/schema"
                self.origins[f"{here}/content/{escape(media)}"] = at
            return {"content": content, "required": body.get("required") is True}
        return self._form(fields, consumes, here) if fields else {}

    def _form(self, fields: list[tuple[Node, str]], consumes: list[str], here: str) -> Node:
        files = any(one.get("type") == "file" for one, _ in fields)
        media = [one for one in consumes if one.split(";")[0] in _FORMS] or [_FORMS[files]]
        names = [str(one.get("name")) for one, _ in fields]
        required = [str(one.get("name")) for one, _ in fields if one.get("required") is True]
        schema: Node = {"type": "object", "properties": {}, **({"required": required} if required else {})}
        encoding: Node = {}
        for name, (one, at) in zip(names, fields, strict=True):
            schema["properties"][name] = self._value(one)
            style = self._style(one)
            if style:
                encoding[name] = style
            for kind in media:
                self.origins[f"{here}/content/{escape(kind)}/schema/properties/{escape(name)}"] = at
        content = {}
        for kind in media:
            content[kind] = {"schema": schema, **({"encoding": encoding} if encoding and kind == _FORMS[0] else {})}
            self.origins[f"{here}/content/{escape(kind)}"] = fields[0][1]
        return {"content": content, "required": bool(required)}

    def _parameter(self, old: Any, here: str, at: str) -> Any:
        self.origins[here] = self.origins[f"{here}/schema"] = at
        if not isinstance(old, dict) or "$ref" in old:
            return self._schema(old)
        found = {word: old[word] for word in _OF_PARAMETERS if word in old}
        return {**found, "schema": self._value(old), **self._style(old)}

    def _style(self, old: Node) -> Node:
        """How the values of a list are written (`collectionFormat`)."""
        if old.get("type") != "array":
            return {}
        given = str(old.get("collectionFormat", "csv"))
        if given == "tsv":
            self._lose("collectionFormat `tsv`, values between tabs, read as values between commas")
        style, explode = _STYLES.get(given, ("form", False))
        if old.get("in") in ("path", "header"):
            return {"style": "simple", "explode": False}
        return {"style": style, "explode": explode}

    def _value(self, old: Node) -> Node:
        """The schema of a parameter, a field, a header or an entry: Swagger 2.0 writes it among their other members."""
        kept = {
            key: value
            for key, value in old.items()
            if key not in (*_OF_PARAMETERS, "collectionFormat", "schema") and key != "type"
        }
        kind = old.get("type")
        if kind == "file":
            return {**kept, "type": "string", "format": "binary"}
        if isinstance(kept.get("items"), dict):
            if kept["items"].get("collectionFormat") not in (None, "csv"):
                self._lose("collectionFormat of a list within a list")
            kept["items"] = self._value(kept["items"])
        found: Node = self._schema({**({"type": kind} if kind is not None else {}), **kept})
        return found

    def _response(self, old: Any, produces: list[str], name: str, here: str, before: str = "/") -> Any:
        if not isinstance(old, dict) or "$ref" in old:
            return self._schema(old)
        found: Node = {"description": old.get("description") or ""}
        if isinstance(old.get("headers"), dict):
            found["headers"] = {
                header: {"description": one.get("description", ""), "schema": self._value(one), **self._header(one)}
                for header, one in old["headers"].items()
                if isinstance(one, dict)
            }
        schema = old.get("schema")
        if isinstance(schema, dict):
            content: Node = {}
            for media in produces or [_JSON]:
                binary = schema.get("type") == "file"
                content[media] = {"schema": {"type": "string", "format": "binary"} if binary else self._schema(schema)}
                self.origins[f"{here}{name}/content/{escape(media)}/schema"] = f"{before}{name}/schema"
                self.origins[f"{here}{name}/content/{escape(media)}"] = f"{before}{name}"
            found["content"] = content
        return found

    def _header(self, old: Node) -> Node:
        return {"style": "simple", "explode": False} if old.get("type") == "array" else {}

    def _schema(self, old: Any) -> Any:
        """A schema in the words of 3.0: references moved, `x-nullable` understood, the discriminator an object."""
        if isinstance(old, list):
            return [self._schema(one) for one in old]
        if not isinstance(old, dict):
            return old
        found: Node = {}
        for key, value in old.items():
            if key in ("default", "enum", "example"):
                found[key] = value
            elif key in ("properties", "patternProperties") and isinstance(value, dict):
                found[key] = {name: self._schema(one) for name, one in value.items()}
            elif key == "$ref" and isinstance(value, str):
                start = next((start for start in _MOVED if value.startswith(start)), "")
                found[key] = f"{_MOVED[start]}{value.removeprefix(start)}" if start else value
            elif key == "discriminator" and isinstance(value, str):
                found[key] = {"propertyName": value}
            elif key == "x-nullable":
                found["nullable"] = value is True
            else:
                found[key] = self._schema(value)
        return found

    def _scheme(self, old: Node) -> Node:
        kind = old.get("type")
        if kind == "basic":
            return {"type": "http", "scheme": "basic"}
        if kind != "oauth2":
            return old
        flow = {word: old[word] for word in ("authorizationUrl", "tokenUrl") if word in old}
        name = _FLOWS.get(str(old.get("flow")), "implicit")
        return {"type": "oauth2", "flows": {name: {**flow, "scopes": _dict(old.get("scopes"))}}}

    def _lose(self, what: str) -> None:
        self.lost[f"Swagger 2.0 converted to OpenAPI 3.0 without {what}."] = None


def _dict(value: Any) -> Node:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_UNSAID = frozenset(
    {
        "summary",
        "description",
        "tags",
        "externalDocs",
        "links",
        "headers",
        "encoding",
        "examples",
        "example",
        "contentSchema",
    }
    | {"minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "minProperties", "maxProperties"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
"""Members the generator leaves no trace of in its client (openapi-python-client: models, functions, their types)."""

_UNREAD = ("*/*", "text/plain")
"""Media types of answers its functions read nothing from."""


def bare(document: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A copy without what a generated client does not say; servers and security, which it has none of, are the other's
    where only the other has them."""
    copy = modern(document)
    for pointer, node in walk(copy):
        for word in [word for word in node if word in _UNSAID or word.startswith("x-")]:
            del node[word]
        if "/responses/" in pointer and isinstance(node.get("content"), dict):
            node["content"] = {name: media for name, media in node["content"].items() if name not in _UNREAD}
        for word in ("responses",):
            if isinstance(node.get(word), dict):
                node[word] = {status: one for status, one in node[word].items() if not str(status).endswith("XX")}
    copy["info"] = {"title": "", "version": ""}
    for word in ("servers", "security"):
        if word not in copy and word in other:
            copy[word] = other[word]
    schemes = other.get("components", {}).get("securitySchemes")
    if schemes:
        copy.setdefault("components", {}).setdefault("securitySchemes", schemes)
    return copy
