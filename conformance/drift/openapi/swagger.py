"""Converts a description of Swagger 2.0 into one of OpenAPI 3.0, and says what 3.0 has no words for.

Source: the Swagger 2.0 specification beside OpenAPI 3.0.3: a body and form fields become a request body, `consumes` and
`produces` its and the answers' media types, `host`, `basePath` and `schemes` the servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.drift.schema.references import escape

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
