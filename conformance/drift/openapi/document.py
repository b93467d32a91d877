"""Loads an OpenAPI description: read within bounds, made self-contained, and held to the OpenAPI specification.

What is loaded refers only to itself. Files it refers to are read from beside it; what stands on other hosts is fetched
only where that is allowed. A slip (an invalid keyword, a reference that leads nowhere) is noted with its place and left
out, so that all the rest can be compared.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs

from conformance.drift.openapi import dialects
from conformance.drift.openapi.bundling import Bundle, at, remove, tokens_of
from conformance.drift.openapi.dialects import modern
from conformance.drift.openapi.syntax import lines, parse, repetitions
from conformance.drift.schema.description import escape
from conformance.errors import SuiteError, UsageError

LARGEST = 64 * 2**20
"""Bytes of one description, all the files it is spread over together."""

_CHUNK = 2**20
_ROUNDS = 40
"""So many times a description is mended and judged again."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
Kind = jsonschema_rs.ValidationErrorKind

Remote = Callable[[str], str]
"""The text at a URL; raises SuiteError where none comes."""


@dataclass(frozen=True)
class Slip:
    """One place where a description is not valid: the file, the line (0 where it is not known), the JSON pointer in the
    file, and what is wrong there."""

    file: str
    line: int
    pointer: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}{f':{self.line}' if self.line else ''} ({self.pointer or '/'}): {self.text}"


@dataclass(frozen=True)
class Loaded:
    """A description as it is compared. `root` is valid OpenAPI 3 that refers to itself alone.

    `slips` are what was left out because it is not valid; `notes` what a conversion could not keep; `texts` the texts
    of its files by URI.
    """

    root: dict[str, Any]
    name: str
    uri: str = ""
    slips: tuple[Slip, ...] = ()
    notes: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    converted: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    """Where in `root` something was left out, by JSON pointer."""

    def whereabouts(self, pointer: str) -> tuple[str, int, str]:
        """File, line (0 where it is not known) and pointer in the file of the node at a pointer of `root`, or of the
        nearest node around it that stands in a file."""
        old = _led(pointer, self.converted)
        uri, inside = _origin(old, self.origins, self.uri)
        if uri not in self._lines:
            self._lines[uri] = lines(self.texts.get(uri, ""))
        known = self._lines[uri]
        while inside and inside not in known:
            inside = inside.rpartition("/")[0]
        name = self.name if uri == self.uri else _named(uri)
        return name, known.get(inside, 0), inside

    @cached_property
    def _lines(self) -> dict[str, dict[str, int]]:
        return {}

    def strictly(self) -> Loaded:
        """The same where it has no slip. Raises UsageError, with the first of them, else."""
        if not self.slips:
            return self
        more = f" {len(self.slips) - 1} more such places." if len(self.slips) > 1 else ""
        raise UsageError(f"{self.name} is not a valid OpenAPI description: {self.slips[0]}{more}")


def _led(pointer: str, converted: Mapping[str, str]) -> str:
    place = pointer
    while place and place not in converted:
        place = place.rpartition("/")[0]
    return converted[place] + pointer[len(place) :] if place in converted else pointer


def _origin(pointer: str, origins: Mapping[str, tuple[str, str]], uri: str) -> tuple[str, str]:
    place = pointer
    while place and place not in origins:
        place = place.rpartition("/")[0]
    if place not in origins:
        return uri, pointer
    return origins[place][0], origins[place][1] + pointer[len(place) :]


def _named(uri: str) -> str:
    """A file as a person names it: its path, from the folder at hand where it stands below it."""
    if urlsplit(uri).scheme != "file":
        return uri
    path = Path(unquote(urlsplit(uri).path))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def load(path: str | Path, remote: Remote | None = None) -> dict[str, Any]:
    """The description in a file, self-contained and valid.

    Raises UsageError, one sentence, for a file that is missing, too large, no YAML or JSON, no OpenAPI, or that has a
    slip.
    """
    return read(path, remote).strictly().root


def read(path: str | Path, remote: Remote | None = None) -> Loaded:
    """The description in a file, with its slips left out and noted. Raises UsageError where there is none to read."""
    file = Path(path)
    return loaded(read_text(file), file.resolve().as_uri(), str(path), remote)


def read_text(file: Path, most: int = LARGEST) -> str:
    """The file's text. Raises UsageError."""
    try:
        with file.open("rb") as opened:  # a pipe or a device tells no size beforehand
            content = b"".join(itertools.islice(iter(lambda: opened.read(_CHUNK), b""), most // _CHUNK + 1))
        if len(content) > most:
            raise UsageError(f"{file} is larger than {most >> 20} MiB; it is not read.")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no file {file}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from None


def loaded(text: str, uri: str, name: str, remote: Remote | None = None) -> Loaded:
    """The description in a text that was found at `uri`. Raises UsageError where it is none."""
    files = _Files(uri, name, remote, {uri: text})
    root = files.parsed(text, uri, name)
    version = _version(root, name)
    bundle = Bundle(root, uri, files.fetch)
    bundle.make()
    found = Loaded(root, name, uri, (), (), files.texts, bundle.origins)
    if version == "2.0":
        conversion = dialects.converted(root)
        found = replace(found, root=conversion.root, notes=conversion.lost, converted=conversion.origins)
    elif version.startswith("3.2"):
        _lowered(root)
    told = [*((f"\0{where}", said) for where, said in files.slips), *bundle.slips]
    for _ in range(_ROUNDS):
        told += _mended(found.root, name)
        again = Bundle(found.root, uri, _nothing_more, partial(_fits, found.root["openapi"][:3]))
        again.make()  # what was taken out may have been referred to
        told += again.slips
        if not again.slips:
            break
    left_out = tuple(pointer for pointer, _ in told if not pointer.startswith("\0"))
    return replace(found, slips=tuple(_slips(found, told)), left_out=left_out)


def _nothing_more(uri: str, reference: str) -> Any:
    raise UsageError(f"The reference {reference!r} leads nowhere.")


_DEFINITIONS = {
    "parameters": "parameter-or-reference",
    "responses": "response-or-reference",
    "headers": "header-or-reference",
    "requestBodies": "request-body-or-reference",
    "links": "link-or-reference",
    "callbacks": "callbacks-or-reference",
    "securitySchemes": "security-scheme-or-reference",
    "pathItems": "path-item",
}


def _fits(version: str, role: str, node: dict[str, Any]) -> bool:
    """Whether a node is of the kind that its role wants."""
    definition = _DEFINITIONS.get(role)
    return definition is None or _validator("3.2" if version == "3.2" else "3.1", definition).is_valid(node)


def _slips(found: Loaded, told: Iterable[tuple[str, str]]) -> Iterator[Slip]:
    """Slips with their file and line; a place that starts with a zero is a file's name with the line in it."""
    for pointer, text in dict.fromkeys(told):
        if pointer.startswith("\0"):
            name, _, line = pointer[1:].rpartition(":")
            yield Slip(name, int(line), "", text)
        else:
            file, line_number, inside = found.whereabouts(pointer)
            yield Slip(file, line_number, inside, text)


def _version(root: Any, name: str) -> str:
    """The version of the specification that the description follows. Raises UsageError for what is none."""
    if not isinstance(root, dict):
        raise UsageError(f"{name} is not an OpenAPI description: it is not an object.")
    version = root.get("openapi", root.get("swagger"))
    if "openapi" not in root and str(version) in ("2.0", "2"):
        return "2.0"
    if not isinstance(version, str) or not version.startswith(("3.0", "3.1", "3.2")):
        told = f"its version is {version!r}" if version is not None else "it has no `openapi` member"
        raise UsageError(f"{name} is not an OpenAPI description of version 2.0, 3.0, 3.1 or 3.2: {told}.")
    if not any(isinstance(root.get(word), dict) for word in ("paths", "webhooks", "components")):
        raise UsageError(f"{name} is not a valid OpenAPI description: it has no `paths`, `webhooks` or `components`.")
    return version


@dataclass
class _Files:
    """The files a description is spread over: read from beside it, or fetched where that is allowed."""

    uri: str
    name: str
    remote: Remote | None
    texts: dict[str, str]
    slips: list[tuple[str, str]] = field(default_factory=list)

    def parsed(self, text: str, uri: str, name: str) -> Any:
        twice: list[str] = []
        value = parse(text, name, twice)
        found = repetitions(text) if twice else {}
        for key in dict.fromkeys(twice):
            self.slips.append((f"{name}:{found.get(key, 0)}", f"The key {key!r} stands twice; the last counts."))
        return value

    def fetch(self, uri: str, reference: str) -> Any:
        """What stands in another file. What was served by somebody may not name a file of this machine."""
        left = LARGEST - sum(map(len, self.texts.values()))
        text = self._text(uri, reference, left)
        if len(text) > left:
            raise UsageError(f"With {reference!r}, which it refers to, it is larger than {LARGEST >> 20} MiB.")
        self.texts[uri] = text
        other = self.parsed(text, uri, _named(uri))
        if not isinstance(other, (dict, list)):
            raise UsageError(f"It refers to {reference!r}, which is not an object.")
        return other

    def _text(self, uri: str, reference: str, left: int) -> str:
        scheme = urlsplit(uri).scheme
        if scheme == "file":
            if urlsplit(self.uri).scheme != "file":
                raise UsageError(f"It refers to {reference!r}, a file of this machine, which is not read.")
            return read_text(Path(unquote(urlsplit(uri).path)))
        if scheme not in ("http", "https") or self.remote is None:
            raise UsageError(f"It refers to {reference!r}, which is not fetched unless --allow-remote is given.")
        try:
            return self.remote(uri)
        except SuiteError as error:
            raise UsageError(f"It refers to {reference!r}, which could not be fetched: {error}") from None


def _lowered(root: dict[str, Any]) -> None:
    """What OpenAPI 3.2 adds in the words of 3.1, as far as 3.1 has them: a stream is an array of its items."""
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
            continue
        if not isinstance(node, dict):
            continue
        stack.extend(child for key, child in node.items() if not str(key).startswith("x-"))
        contents = node.get("content")
        for media in contents.values() if isinstance(contents, dict) else ():
            if isinstance(media, dict) and isinstance(media.get("itemSchema"), (dict, bool)):
                items = {"type": "array", "items": media["itemSchema"]}
                media["schema"] = {"allOf": [media["schema"], items]} if "schema" in media else items
        if isinstance(node.get("parameters"), list):
            node["parameters"] = [one for listed in node["parameters"] for one in _asked(listed)]


def _asked(parameter: Any) -> list[Any]:
    """A parameter that is the whole query string (`in: querystring`) as the parameters that it holds."""
    if not isinstance(parameter, dict) or parameter.get("in") != "querystring":
        return [parameter]
    content = parameter.get("content")
    media, body = next(iter(content.items()), ("", {})) if isinstance(content, dict) else ("", {})
    schema = body.get("schema") if isinstance(body, dict) else None
    if media != "application/x-www-form-urlencoded" or not isinstance(schema, dict) or "properties" not in schema:
        return [{**parameter, "in": "query"}]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": inner}
        for name, inner in schema["properties"].items()
    ]


def _mended(root: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """Take what is not valid out of the description, round by round: pointer and sentence of each.

    Raises UsageError where nothing valid is left to compare.
    """
    told: list[tuple[str, str]] = []
    current = modern(root)
    validator = _validator(current["openapi"][:3])
    for _ in range(_ROUNDS):
        errors = list(validator.iter_errors(current))
        if not errors:
            return told
        dropped: list[str] = []
        for pointer, error in _innermost(errors):
            said, mend = _mending(pointer, error)
            if mend is None:
                raise UsageError(f"{name} is not a valid OpenAPI description: {_short(error)} (at {pointer or '/'}).")
            raw = _raw_pointer(root, pointer)
            if said:
                told.extend((_raw_pointer(root, one), said) for one in (mend if isinstance(mend, list) else [pointer]))
            if callable(mend):
                for document, place in ((root, raw), (current, pointer)):
                    mend(_node(document, place))
            else:
                dropped.extend(mend)
        remove(current, dropped)
        remove(root, [_raw_pointer(root, pointer) for pointer in dropped])
    raise UsageError(f"{name} is not a valid OpenAPI description: {_short(errors[0])}.")


def _node(document: Any, pointer: str) -> Any:
    try:
        return at(document, pointer)
    except KeyError:
        return None


def _innermost(errors: list[Any]) -> list[tuple[str, Any]]:
    """One error a place, without those that only follow from one inside: what is not understood further in makes the
    members around it unknown."""
    found: dict[str, Any] = {}
    for error in errors:
        pointer = "".join(f"/{escape(str(token))}" for token in error.instance_path)
        unknown = isinstance(error.kind, Kind.UnevaluatedProperties)
        if pointer not in found or (isinstance(found[pointer].kind, Kind.UnevaluatedProperties) and not unknown):
            found[pointer] = error
    around = {pointer[:i] for pointer in found for i, mark in enumerate(pointer) if mark == "/"}
    return [(pointer, error) for pointer, error in found.items() if pointer not in around]


_FILLED: dict[str, Callable[[Any], Any]] = {
    "info": lambda node: node.setdefault("info", {"title": "", "version": ""}),
    "title": lambda node: node.setdefault("title", ""),
    "version": lambda node: node.setdefault("version", ""),
    "description": lambda node: node.setdefault("description", ""),
    "content": lambda node: node.setdefault("content", {}),
    "schema": lambda node: node.setdefault("schema", {}),
}
"""What is filled in where it is missing."""

_SILENT = ("description",)
"""A missing text changes nothing on the wire, and is no slip."""


def _mending(pointer: str, error: Any) -> tuple[str, Any]:
    """What to tell of an error, and how to mend it: a function of the node, or the pointers to take out; None where it
    cannot be."""
    kind = error.kind
    if isinstance(kind, Kind.UnevaluatedProperties | Kind.AdditionalProperties):
        names = list(kind.unexpected)
        return "This member is not allowed here.", [f"{pointer}/{escape(name)}" for name in names]
    if isinstance(kind, Kind.Required):
        missing = str(kind.property).strip('"')
        if missing == "required":  # of a path's variable, which always is
            return "A path's parameter is not said to be required.", lambda node: node.update(required=True)
        if missing in _FILLED:
            return "" if missing in _SILENT else f"There is no `{missing}`.", _FILLED[missing]
    if isinstance(kind, Kind.OneOfNotValid | Kind.OneOfMultipleValid) and isinstance(error.instance, dict):
        held = error.instance.keys() & {"schema", "content"}
        if not held:
            return "There is no `schema`.", _FILLED["schema"]
        if len(held) == 2:
            return "Both `schema` and `content`; the latter counts.", [f"{pointer}/schema"]
    if pointer.endswith("/description") and isinstance(kind, Kind.Type) and error.instance is None:
        return "", [pointer]
    return (_short(error) + ".", [pointer]) if pointer else ("", None)


def _raw_pointer(root: Any, pointer: str) -> str:
    """The place in the description of a place in its copy of version 3.1, in which `nullable` may be an `anyOf`."""
    node, way, tokens = root, "", tokens_of(pointer)
    while tokens:
        key = tokens.pop(0)
        if isinstance(node, dict) and key == "anyOf" and key not in node and node.get("nullable") is True:
            tokens = tokens[1:]
            continue
        way += f"/{escape(key)}"
        if isinstance(node, dict):
            node = node.get(key)
        elif isinstance(node, list):
            node = node[int(key)] if key.isdigit() and int(key) < len(node) else None
    return way


def _short(error: Any) -> str:
    text = " ".join(str(error.message).split())
    return text[:240].rstrip(".")


@lru_cache(maxsize=32)
def _validator(version: str, definition: str = "") -> jsonschema_rs.Draft202012Validator:
    """Judges a whole description of 3.1 or 3.2, schemas included, in the words of the specification's own schema; or
    one node, by the schema's `definition`."""
    package = find_spec("openapi_spec_validator")  # found, not imported: only its data is wanted here
    folder = Path(str(package.origin)).parent if package else Path()
    text = (folder / "resources" / "schemas" / f"v{version}" / "schema.json").read_text(encoding="utf-8")
    whole = json.loads(text.replace('"$dynamicRef": "#meta"', f'"$ref": "{_DIALECT}"'))
    whole["$defs"]["schema"] = {"$ref": _DIALECT}
    if definition:
        whole = {"$defs": whole["$defs"], "$ref": f"#/$defs/{definition}"}
    return jsonschema_rs.Draft202012Validator(whole)
