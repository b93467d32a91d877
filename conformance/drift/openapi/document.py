"""Loads an OpenAPI description: read within bounds, made self-contained, and held to the OpenAPI specification.

What is loaded refers only to itself. Files it refers to are read from beside it; a remote reference is refused unless
`allow_remote` is given.
"""

from __future__ import annotations

import itertools
import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import httpx
import jsonschema_rs

from conformance.drift.openapi.dialect import modern
from conformance.drift.openapi.syntax import parse
from conformance.drift.schema.references import Description, escape, walk
from conformance.errors import UsageError

LARGEST = 64 * 2**20
"""Bytes of one file."""

_CHUNK = 2**20

MOST_FILES = 200
"""Files one description may be spread over."""

EXTERNAL = "x-referred-to"
"""Member of a loaded description that holds what stood in other files."""


def load(path: str | Path, allow_remote: bool = False) -> dict[str, Any]:
    """The description in a file, self-contained and valid.

    Raises UsageError, one sentence, for a file that is missing, too large, no YAML or JSON, no OpenAPI 3.0 or 3.1, or
    refers to what is not there.
    """
    file = Path(path)
    root = bundle(parse(read_text(file), str(path)), file.resolve().as_uri(), str(path), allow_remote)
    check(root, str(path))
    return root


def read_text(file: Path) -> str:
    """The file's text. Raises UsageError."""
    try:
        with file.open("rb") as opened:  # a pipe or a device tells no size beforehand
            content = b"".join(itertools.islice(iter(lambda: opened.read(_CHUNK), b""), LARGEST // _CHUNK + 1))
        if len(content) > LARGEST:
            raise UsageError(f"{file} is larger than {LARGEST >> 20} MiB; it is not read.")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no file {file}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from None


def bundle(root: Any, uri: str, name: str, allow_remote: bool = False) -> dict[str, Any]:
    """The description with every reference to another file led to a copy inside it. `uri` is where it was found."""
    if not isinstance(root, dict):
        raise UsageError(f"{name} is no OpenAPI description: it holds no object.")
    identified = {node["$id"] for _, node in walk(root) if isinstance(node.get("$id"), str)}
    held: dict[str, Any] = {}
    places = {uri: ""}
    led: set[int] = set()
    queue = [(root, uri)]
    while queue:
        document, base = queue.pop()
        for _, node in walk(document):
            reference = node.get("$ref")
            if not isinstance(reference, str) or (base == uri and reference.startswith("#")) or id(node) in led:
                continue
            led.add(id(node))
            target, fragment = urldefrag(urljoin(base, reference))
            if reference.partition("#")[0] in identified:
                continue
            if target not in places:
                if len(places) >= MOST_FILES:
                    raise UsageError(f"{name} is spread over more than {MOST_FILES} files; it is not read.")
                places[target] = f"/{EXTERNAL}/{escape(str(len(held)))}"
                held[str(len(held))] = other = _fetch(target, reference, name, uri, allow_remote)
                queue.append((other, target))
            node["$ref"] = f"#{places[target]}{unquote(fragment)}"
    return {**root, EXTERNAL: held} if held else root


def _fetch(target: str, reference: str, name: str, uri: str, allow_remote: bool) -> dict[str, Any]:
    """What stands in another file. What was served by somebody may not name a file of this machine."""
    other = parse(_text_of(target, reference, name, uri, allow_remote), reference)
    if not isinstance(other, dict):
        raise UsageError(f"{name} refers to {reference!r}, which holds no object.")
    return other


def _text_of(target: str, reference: str, name: str, uri: str, allow_remote: bool) -> str:
    scheme = urlsplit(target).scheme
    if scheme == "file":
        if urlsplit(uri).scheme != "file":
            raise UsageError(f"{name} refers to {reference!r}, a file of this machine, which is not read.")
        return read_text(Path(unquote(urlsplit(target).path)))
    if scheme not in ("http", "https") or not allow_remote:
        raise UsageError(f"{name} refers to {reference!r}, which is not fetched unless --allow-remote is given.")
    try:
        answer = httpx.get(target, timeout=20, follow_redirects=True).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UsageError(
            f"{name} refers to {reference!r}, which could not be fetched ({type(error).__name__})."
        ) from None
    if len(answer.content) > LARGEST:
        raise UsageError(f"{name} refers to {reference!r}, which is larger than {LARGEST >> 20} MiB.")
    return answer.text


def check(root: dict[str, Any], name: str) -> None:
    """Raise UsageError where the description is no valid OpenAPI 3.0 or 3.1 or refers to what is not there."""
    version = root.get("openapi")
    if "swagger" in root:
        raise UsageError(f"{name} is Swagger {root['swagger']}; convert it to OpenAPI 3 first.")
    if not isinstance(version, str) or not version.startswith(("3.0", "3.1")):
        told = f"its version is {version!r}" if version is not None else "it has no `openapi` member"
        raise UsageError(f"{name} is no OpenAPI 3.0 or 3.1 description: {told}.")
    current = modern(root)
    for _, node in walk(current):
        if node.get("description", "") is None or (_is_response(node) and "description" not in node):
            node["description"] = ""  # a missing text changes nothing on the wire
    for place, validator in ((current, _document_validator()), *((s, _schema_validator()) for s in _schemas(current))):
        error = next(iter(validator.iter_errors(place)), None)
        if error is not None:
            raise UsageError(f"{name} is no valid OpenAPI description: {_told(error)}")
    description = Description(current)
    for pointer, node in walk(current):
        if isinstance(node.get("$ref"), str):
            try:
                description.follow(node)
            except UsageError as error:
                raise UsageError(f"{name}, at {pointer or '/'}: {error}") from None


def _is_response(node: dict[str, Any]) -> bool:
    return "content" in node and not node.keys() & {"in", "required", "schema"}


def _schemas(root: dict[str, Any]) -> list[Any]:
    """The outermost schemas, which the document's own JSON Schema leaves to the dialect."""
    found = []
    for pointer, node in walk(root):
        if "schema" in node and isinstance(node["schema"], (dict, bool)):
            found.append(node["schema"])
        if pointer == "/components" and isinstance(node.get("schemas"), dict):
            found.extend(node["schemas"].values())
    return found


def _told(error: Any) -> str:
    where = "".join(f"/{escape(str(token))}" for token in error.instance_path)
    text = " ".join(str(error.message).split())
    return f"{text[:240].rstrip('.')} (at {where or '/'})."


@lru_cache(maxsize=1)
def _document_validator() -> jsonschema_rs.Draft202012Validator:
    text = resources.files("openapi_spec_validator").joinpath("resources/schemas/v3.1/schema.json").read_text("utf-8")
    return jsonschema_rs.Draft202012Validator(json.loads(text))


@lru_cache(maxsize=1)
def _schema_validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": "https://json-schema.org/draft/2020-12/schema"})
