"""The SDK's own OpenAPI template of the inference URL (`openapi_tmpl.py`, since 2025.2), as one more description.

The template is a string with holes, and is not valid OpenAPI in places. What is wrong is put right in the plainest way
and said in a note, so that the rest can be compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conformance.drift.openapi.syntax import parse
from conformance.drift.sources.generated import parsed
from conformance.errors import UsageError

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
        repair.note(f"the type {given} is no type of JSON Schema; read as {given.lower()}")
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
