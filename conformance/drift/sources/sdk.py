"""The contract the vendor's SDK was generated from, read back from its client's source; nothing is imported or run.

A folder of an unpacked wheel, a wheel itself, the package folder, or the installed `wallaroo` will do. Since 2025.2 the
SDK has an OpenAPI template of the inference URL too (`openapi_tmpl.py`): a string with holes that is not valid OpenAPI
in places. What is wrong in it is put right in the plainest way and said in a note.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.drift.openapi.syntax import parse
from conformance.drift.sources.generated import Models, address, parsed, read_operation
from conformance.errors import UsageError

_WHEEL_MEMBER = 8_000_000
_DEPTH = 3


@dataclass(frozen=True)
class SdkContract:
    """What an SDK says of the API: `document` is OpenAPI 3.1, `release` its version, `notes` what could not be read."""

    document: dict[str, Any]
    release: str
    notes: tuple[str, ...]


def is_sdk(place: Path) -> bool:
    """Whether the place is a wheel or a folder with a generated client inside (not whether it can be read)."""
    return place.suffix == ".whl" or (place.is_dir() and _client(place) is not None)


def read_sdk(
    place: Path | None = None,
    only: Collection[str] = (),
    infer_path: str = "",
    infer_parameters: Sequence[Any] = (),
) -> SdkContract:
    """The SDK's contract from a folder or wheel, or from the installed `wallaroo` where no place is given.

    `only` keeps the operations of these paths (all where empty); `infer_path` is where the template of the inference
    URL, which is relative, is put, with the parameters of that path.
    Raises UsageError where there is no generated client.
    """
    root = _root(place)
    client = _client(root)
    if client is None:
        raise UsageError(
            f"{place or 'The installed wallaroo'} holds no generated client (a folder with api/ and models/); "
            "name the folder of an unpacked wallaroo wheel, or the .whl file."
        )
    models = Models(client.joinpath("models"))
    paths = _operations(client, only, models)
    if not paths:
        raise UsageError(f"The generated client in {place or 'the installed wallaroo'} has none of the operations.")
    release = _release(root)
    template, notes = inference_operation(client, infer_path, [*infer_parameters])
    components = template.get("components", {})
    components["schemas"] = dict(sorted(models.schemas.items())) | components.get("schemas", {})
    document = {
        "openapi": "3.1.0",
        "info": {"title": "The API as the SDK's generated client describes it", "version": "generated client"},
        "paths": dict(sorted((paths | template.get("paths", {})).items())),
        "components": components,
    }
    return SdkContract(document, release, (*models.notes, *notes))


def _root(place: Path | None) -> Any:
    if place is None:
        found = importlib.util.find_spec("wallaroo")
        if found is None or not found.submodule_search_locations:
            raise UsageError(
                "The package wallaroo is not installed here; name the folder of an unpacked wheel instead."
            )
        return Path(next(iter(found.submodule_search_locations)))
    if place.is_dir():
        return place
    if not place.is_file():
        raise UsageError(
            f"There is no SDK at {place}; name the folder of an unpacked wallaroo wheel, or the .whl file."
        )
    try:
        archive = zipfile.ZipFile(place)
    except (zipfile.BadZipFile, OSError) as error:
        raise UsageError(f"{place} is neither a folder nor a wheel: {error}.") from None
    largest = max(archive.infolist(), key=lambda member: member.file_size, default=None)
    if largest is not None and largest.file_size > _WHEEL_MEMBER:
        raise UsageError(f"{place} holds a file of {largest.file_size:,} bytes; that is not an SDK that can be read.")
    return zipfile.Path(archive)


def _client(folder: Any, depth: int = _DEPTH) -> Any | None:
    """The nearest folder that has `api/`, `models/` and `client.py`, as the generator lays them out."""
    if folder.joinpath("client.py").is_file() and all(folder.joinpath(one).is_dir() for one in ("api", "models")):
        return folder
    if depth == 0:
        return None
    inner = sorted(
        (one for one in folder.iterdir() if one.is_dir()), key=lambda one: (one.name != "wallaroo", one.name)
    )
    return next((found for one in inner if (found := _client(one, depth - 1)) is not None), None)


def _modules(folder: Any) -> Iterator[Any]:
    for entry in sorted(folder.iterdir(), key=lambda one: str(one.name)):
        if entry.is_dir():
            yield from _modules(entry)
        elif entry.name.endswith(".py") and entry.name != "__init__.py":
            yield entry


def _release(root: Any) -> str:
    for folder in (root, root.parent) if isinstance(root, Path) else (root,):
        for entry in sorted(folder.iterdir(), key=lambda one: str(one.name)):
            if entry.name.startswith("wallaroo-") and entry.name.endswith(".dist-info"):
                return str(entry.name.removeprefix("wallaroo-").removesuffix(".dist-info"))
    return ""


def _operations(client: Any, only: Collection[str], models: Models) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for file in _modules(client.joinpath("api")):
        text = file.read_text(encoding="utf-8")
        if only and not any(path in text for path in only):
            continue
        tree = parsed(file)
        path, method = address(tree) if tree else ("", "")
        if tree is None or not path:
            models.notes.append(f"api/{file.name} is not in the generator's shape and was left out")
        elif not only or path in only:
            operation = {"operationId": file.name.removesuffix(".py"), **read_operation(tree, models)}
            paths.setdefault(path, {})[method] = operation
    return paths


_HOLE = re.compile(r"\{(\w+)\}")
_ANY_OBJECT = "additionalProperties: true"
_OPEN_HOLES = ("input_schema", "output_schema")
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_NOT_CONTRACT = ("example", "examples")


@dataclass
class _Repair:
    responses: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def inference_operation(client: Any, path: str, parameters: list[Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`paths` and `components` of the template beside a generated client, and notes on what was invalid in it.

    The template's only path is relative to the inference URL; it is put at `path` with the path `parameters` given.
    Both results are empty where the SDK has no template or `path` is empty.
    """
    tree = next(
        (found for place in (client.parent, client) if (found := parsed(place.joinpath("openapi_tmpl.py")))), None
    )
    text = _template(tree) if tree and path else ""
    if not text:
        return {}, ()
    try:
        document = parse(_filled(text), "openapi_tmpl.py")
        item, components = document["paths"]["/"], document["components"]
    except (UsageError, KeyError, TypeError) as error:
        return {}, (
            f"openapi_tmpl.py could not be read as a description of the inference URL ({type(error).__name__})",
        )
    repair = _Repair(components.get("responses", {}))
    described: dict[str, Any] = {"paths": {path: item | {"parameters": parameters}}, "components": components}
    described = _prefixed(_walk(described, repair))
    described["components"].pop("securitySchemes", None)
    return described, tuple(f"openapi_tmpl.py: {note}" for note in repair.notes)


def _template(tree: ast.Module) -> str:
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and re.search(r"^ +/:", value.value, re.M):
            return value.value
    return ""


def _filled(text: str) -> str:
    """A hole alone on its line stands for schema keywords; one inside a line for a name."""
    lines = []
    for line in text.splitlines():
        alone = _HOLE.fullmatch(line.strip())
        if alone is None:
            lines.append(_HOLE.sub(r"\1", line))
        elif alone[1] in _OPEN_HOLES:
            lines.append(line.replace(alone[0], _ANY_OBJECT))
    return "\n".join(lines)


def _walk(node: Any, repair: _Repair) -> Any:
    if isinstance(node, list):
        return [_walk(inner, repair) for inner in node]
    if not isinstance(node, dict):
        return node
    for mend in _MENDINGS:
        node = mend(node, repair)
    return {key: _walk(value, repair) for key, value in node.items() if key not in _NOT_CONTRACT}


def _type_in_lower_case(node: dict[str, Any], repair: _Repair) -> dict[str, Any]:
    given = node.get("type")
    if isinstance(given, str) and given not in _TYPES and given.lower() in _TYPES:
        repair.note(f"the type {given} is not a type of JSON Schema; read as {given.lower()}")
        return node | {"type": given.lower()}
    return node


def _schema_that_is_a_response(node: dict[str, Any], repair: _Repair) -> dict[str, Any]:
    schema = node.get("schema")
    reference = schema.get("$ref", "") if isinstance(schema, dict) else ""
    prefix = "#/components/responses/"
    if not reference.startswith(prefix):
        return node
    response = repair.responses.get(reference.removeprefix(prefix), {})
    media: dict[str, Any] = next(iter(response.get("content", {}).values()), {})
    repair.note(f"a schema refers to the response {reference.removeprefix(prefix)}; read as that response's schema")
    return node | {"schema": media.get("schema", {})}


def _media_type_without_description(node: dict[str, Any], repair: _Repair) -> dict[str, Any]:
    content = node.get("content")
    if not isinstance(content, dict):
        return node
    described = [name for name, media in content.items() if isinstance(media, dict) and "description" in media]
    if not described:
        return node
    repair.note("a media type carries a description, which OpenAPI has no place for; left out")
    bare = {
        name: {key: value for key, value in media.items() if key != "description"} for name, media in content.items()
    }
    return node | {"content": bare}


_MENDINGS: tuple[Callable[[dict[str, Any], _Repair], dict[str, Any]], ...] = (
    _type_in_lower_case,
    _schema_that_is_a_response,
    _media_type_without_description,
)


def _prefixed(found: dict[str, Any]) -> dict[str, Any]:
    """Component names that cannot meet those of the generated client."""
    components = {
        kind: {f"Inference.{name}": value for name, value in named.items()}
        for kind, named in found["components"].items()
    }
    referring: dict[str, Any] = _referring(found | {"components": components})
    return referring


def _referring(node: Any) -> Any:
    if isinstance(node, list):
        return [_referring(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: re.sub(r"^(#/components/\w+/)", r"\1Inference.", value) if key == "$ref" else _referring(value)
        for key, value in node.items()
    }
