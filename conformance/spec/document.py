"""The description of the API: its operations, which of them a request is of, and where each stands in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from conformance.data import SPECS
from conformance.errors import UsageError
from conformance.model import Effect, Operation
from conformance.spec.overlay import apply_overlay

BASE_PROFILE = "2023.4"
FILE = "pipelines.openapi.yaml"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
"""The methods an OpenAPI path item may have (OpenAPI 3.1, Path Item Object)."""

_SAFE = ("get", "head", "options", "trace")
"""Methods that change nothing (RFC 9110 9.2.1); for operations of a document that does not say `x-effect`."""

_Template = list[str | tuple[re.Pattern[str], tuple[str, ...]]]


def profiles() -> tuple[str, ...]:
    """The releases there is a description of: the one written out, then the overlays, each on the one before."""
    overlays = sorted(path.stem for path in (SPECS / "overlays").glob("*.yaml"))
    return (BASE_PROFILE, *overlays)


@dataclass(frozen=True, eq=False)
class Document:
    """One OpenAPI 3.1 description. `raw` is the parsed document, shared and not to be changed; `profile` its release.

    `path` is relative to the root of the repository, which is what reports may point at.
    """

    raw: Mapping[str, Any]
    profile: str
    path: str = f"specs/{FILE}"
    operations: tuple[Operation, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(_operations(self.raw)))

    @classmethod
    def load(cls, profile: str = BASE_PROFILE) -> Document:
        """The description of a release; raises UsageError, naming the known ones, for one there is none of."""
        return _load(profile)

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Document:
        """A description that is parsed already; raises UsageError where it is none. Its profile is `info.version`."""
        if not isinstance(raw, Mapping) or not isinstance(raw.get("paths"), Mapping):
            raise UsageError("This is not an OpenAPI description: it has no `paths`. Give valid OpenAPI 3.1.")
        info = raw.get("info")
        version = info.get("version", "") if isinstance(info, Mapping) else ""
        return cls(raw, str(version))

    def operation(self, operation_id: str) -> Operation:
        """The operation of that id; raises UsageError, naming the known ones, where there is none."""
        try:
            return self._by_id[operation_id]
        except KeyError:
            known = ", ".join(self._by_id)
            raise UsageError(
                f"There is no operation {operation_id!r} in release {self.profile}; known: {known}."
            ) from None

    def has(self, operation_id: str) -> bool:
        """Whether there is an operation of that id."""
        return operation_id in self._by_id

    def definition(self, operation_id: str) -> Mapping[str, Any]:
        """The operation's own object in the document, `$ref`s unresolved; raises UsageError as `operation` does."""
        operation = self.operation(operation_id)
        definition: Mapping[str, Any] = self.raw["paths"][operation.path][operation.method.lower()]
        return definition

    def resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object that a `$ref` into this document leads to, or the object itself where it is none.

        Raises UsageError where the reference leads out of the document, nowhere, or in a circle.
        """
        followed = set()
        while isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in followed or not reference.startswith("#/"):
                raise UsageError(f"The reference {reference} points to nothing in this document. Correct it.")
            followed.add(reference)
            node = self._at(reference)
        return node

    def _at(self, reference: str) -> Mapping[str, Any]:
        node: Any = self.raw
        for token in reference[2:].split("/"):
            try:
                node = node[unquote(token).replace("~1", "/").replace("~0", "~")]
            except (KeyError, TypeError):
                raise UsageError(f"The reference {reference} points to nothing in this document. Correct it.") from None
        found: Mapping[str, Any] = node
        return found

    def match(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation a request is of, with its path parameters decoded; None where it is of none.

        `path` is the path of the request's URL as sent. Percent-encoding is undone in each segment (RFC 3986 2.4);
        nothing else is forgiven: no other case, no further slash, no empty parameter.
        """
        segments = path.split("/")
        if "%" in path:
            segments = [unquote(segment) for segment in segments]
        static = self._static.get((method, tuple(segments)))
        if static is not None:
            return static, {}
        for template, operation in self._templates.get((method, len(segments)), ()):
            parameters = _parameters(template, segments)
            if parameters is not None:
                return operation, parameters
        return None

    def line_of(self, operation_id: str) -> int:
        """The line of the file where the operation begins, from 1; 1 for one that only an overlay adds."""
        operation = self.operation(operation_id)
        return self.line_at("paths", operation.path, operation.method.lower())

    def line_at(self, *keys: str | int) -> int:
        """The line of the file, from 1, where the value under these keys begins, or the nearest one around it."""
        return _line(_tree(), keys)

    @cached_property
    def _by_id(self) -> dict[str, Operation]:
        return {operation.id: operation for operation in self.operations}

    @cached_property
    def _static(self) -> dict[tuple[str, tuple[str, ...]], Operation]:
        return {(op.method, tuple(op.path.split("/"))): op for op in self.operations if "{" not in op.path}

    @cached_property
    def _templates(self) -> dict[tuple[str, int], list[tuple[_Template, Operation]]]:
        routes: dict[tuple[str, int], list[tuple[_Template, Operation]]] = {}
        for operation in self.operations:
            if "{" in operation.path:
                template = _template(operation.path)
                routes.setdefault((operation.method, len(template)), []).append((template, operation))
        return routes


@lru_cache
def _load(profile: str) -> Document:
    if profile not in profiles():
        raise UsageError(f"There is no description of release {profile!r}; known releases: {', '.join(profiles())}.")
    return Document(
        _composed(SPECS / FILE if profile == BASE_PROFILE else SPECS / "overlays" / f"{profile}.yaml"), profile
    )


def _composed(path: Path) -> dict[str, Any]:
    """The description in a file; of an overlay, what it makes of the description it extends."""
    raw = _read(path)
    if "overlay" not in raw:
        return raw
    return apply_overlay(_composed(path.parent / raw.get("extends", f"../{FILE}")), raw)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        parsed: dict[str, Any] = yaml.load(file, Loader=_LOADER)  # noqa: S506 - a safe loader, the C one where it is built
    return parsed


_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _operations(raw: Mapping[str, Any]) -> Iterator[Operation]:
    for path, item in raw["paths"].items():
        for method in METHODS:
            definition = item.get(method)
            if definition is not None:
                name = definition.get("operationId", f"{method.upper()} {path}")
                effect = definition.get("x-effect", Effect.READ if method in _SAFE else Effect.MUTATE)
                yield Operation(name, method.upper(), path, Effect(effect))


def _template(path: str) -> _Template:
    """A path template by segment: a literal, or a pattern in which each `{name}` takes one character or more."""
    return [_segment(segment) if "{" in segment else segment for segment in path.split("/")]


def _segment(template: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    parts = re.split(r"\{([^{}]+)\}", template)
    pattern = "".join(re.escape(part) if index % 2 == 0 else "(.+)" for index, part in enumerate(parts))
    return re.compile(pattern, re.DOTALL), tuple(parts[1::2])


def _parameters(template: _Template, segments: list[str]) -> dict[str, str] | None:
    """The parameters' values by name, None where a segment does not fit."""
    found: dict[str, str] = {}
    for expected, segment in zip(template, segments, strict=True):
        if isinstance(expected, str):
            if expected != segment:
                return None
            continue
        pattern, names = expected
        match = pattern.fullmatch(segment)
        if match is None:
            return None
        found.update(zip(names, match.groups(), strict=True))
    return found


@lru_cache
def _tree() -> yaml.Node:
    with (SPECS / FILE).open("rb") as file:
        tree = yaml.compose(file, Loader=_LOADER)
    assert tree is not None  # `_read` has read the same file
    return tree


def _line(node: yaml.Node, keys: tuple[str | int, ...]) -> int:
    line = 1
    for key in keys:
        entry = _entry(node, key)
        if entry is None:
            break
        line, node = entry
    return line


def _entry(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    """The line of an entry of a mapping or sequence, and its value."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and 0 <= key < len(node.value):
        value = node.value[key]
        return value.start_mark.line + 1, value
    return None


_VALIDATORS = {"3.0": OpenAPIV30SpecValidator, "3.1": OpenAPIV31SpecValidator}


@dataclass(frozen=True)
class Flaw:
    """One thing wrong with a description: where, as the keys from its top joined by `/`, and what."""

    where: str
    message: str


def flaws(path: Path) -> Iterator[Flaw]:
    """What is wrong with a description, as the OpenAPI Specification of the release it names has it.

    Raises UsageError where the file cannot be read, is neither YAML nor JSON, or names no release we know.
    """
    raw = _parsed(path)
    release = str(raw.get("openapi", "")) if isinstance(raw, dict) else ""
    validator = _VALIDATORS.get(".".join(release.split(".")[:2]))
    if validator is None:
        known = " or ".join(_VALIDATORS)
        raise UsageError(f"{path} is not an OpenAPI {known} description: its `openapi` is {release or 'missing'}.")
    seen = set()
    for error in validator(raw, base_uri=path.resolve().as_uri()).iter_errors():
        flaw = Flaw("/".join(map(str, getattr(error, "absolute_path", ()))) or "the top", error.message[:300])
        if flaw not in seen:
            seen.add(flaw)
            yield flaw


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"The description {path} cannot be read: {error.strerror}.") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"The description {path} is neither YAML nor JSON: {str(error).splitlines()[0]}.") from error
