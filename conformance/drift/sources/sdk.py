"""The contract the vendor's SDK was generated from, read back from its client's source; nothing is imported or run.

A folder of an unpacked wheel, a wheel itself, the package folder, or the installed `wallaroo` will do.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.drift.sources.endpoints import address, read_operation
from conformance.drift.sources.generated import Models, parsed
from conformance.drift.sources.template import inference_operation
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
        raise UsageError(f"{place} holds a file of {largest.file_size:,} bytes; that is no SDK this can read.")
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
