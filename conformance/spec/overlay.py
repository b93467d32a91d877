"""OpenAPI Overlay 1.0: a list of actions that turns one description into another, applied strictly.

Where the 1.0 text leaves a merge open (an array given to an array, values of unlike kinds), the wording that 1.1 added
decides: arrays are joined, unlike kinds are an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonpath import JSONPathEnvironment, JSONPathError
from jsonschema_rs import validator_for

from conformance.errors import UsageError

_EXTENSION = {"^x-": True}
_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["overlay", "info", "actions"],
    "additionalProperties": False,
    "patternProperties": _EXTENSION,
    "properties": {
        "overlay": {"type": "string", "pattern": r"^1\.0\.\d+$"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "additionalProperties": False,
            "patternProperties": _EXTENSION,
            "properties": {"title": {"type": "string"}, "version": {"type": "string"}},
        },
        "extends": {"type": "string", "format": "uri-reference"},
        "actions": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {
                "type": "object",
                "required": ["target"],
                "additionalProperties": False,
                "patternProperties": _EXTENSION,
                "properties": {
                    "target": {"type": "string", "pattern": r"^\$"},
                    "description": {"type": "string"},
                    "update": True,
                    "remove": {"type": "boolean"},
                },
            },
        },
    },
}
_OVERLAY = validator_for(_SCHEMA, validate_formats=True)
_JSONPATH = JSONPathEnvironment(strict=True)

_Location = tuple[str | int, ...]


def apply_overlay(document: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """The document after every action, in order; neither argument changes.

    Raises UsageError where the overlay is not Overlay 1.0, where an action matches nothing, and where an update does
    not fit what it matches. `extends` is not read here: the caller chose the document (see `extended`).
    """
    check_overlay(overlay)
    result: dict[str, Any] = _unshared(document)
    for number, action in enumerate(overlay["actions"], 1):
        _act(result, action, f"Action {number} of the overlay '{overlay['info']['title']}'")
    return result


def check_overlay(overlay: Any) -> None:
    """Raise UsageError, naming the place and the fault, where the value is not an Overlay 1.0 document."""
    error = next(iter(_OVERLAY.iter_errors(overlay)), None)
    if error is None:
        return
    place = "/".join(str(part) for part in error.instance_path) or "its root"
    raise UsageError(f"The overlay is not an Overlay 1.0 document: at {place}, {error.message}.")


def extended(overlay: dict[str, Any], at: Path) -> Path | None:
    """The file that `extends` names, relative to the overlay's own file; None where the overlay names none.

    Raises UsageError for a remote document: nothing is fetched.
    """
    reference = overlay.get("extends")
    if reference is None:
        return None
    parts = urlsplit(reference)
    if parts.scheme not in ("", "file") or parts.netloc:
        raise UsageError(f"The overlay {at.name} extends {reference}, which is remote; keep a copy and name that file.")
    return (at.parent / unquote(parts.path)).resolve()


def _act(document: dict[str, Any], action: dict[str, Any], named: str) -> None:
    target = action["target"]
    locations = _matches(document, target, named)
    if not locations:
        raise UsageError(f"{named} matches nothing: {target}. Correct the target, or drop the action.")
    if action.get("remove", False):
        for location in _removable(document, locations, f"{named} ({target})"):
            del _at(document, location[:-1])[location[-1]]
    elif "update" in action:
        for location in locations:
            _update(_at(document, location), action["update"], f"{named} ({target})")


def _matches(document: dict[str, Any], target: str, named: str) -> list[_Location]:
    try:
        return [match.parts for match in _JSONPATH.finditer(target, document)]
    except JSONPathError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{named} has a target that is not JSONPath (RFC 9535): {target}: {reason}.") from None


def _removable(document: dict[str, Any], locations: list[_Location], named: str) -> list[_Location]:
    """Later entries first, so that no index moves before it is used, and nothing inside what goes anyway."""
    if () in locations:
        raise UsageError(f"{named} removes the whole document; remove what is inside it instead.")
    for location in locations:
        if isinstance(location[-1], int) and not isinstance(_at(document, location), dict | list):
            raise UsageError(
                f"{named} removes a single primitive of an array, which Overlay 1.0 does not allow; "
                f"remove the array and give it anew."
            )
    chosen = set(locations)
    outermost = {one for one in chosen if not any(one[:cut] in chosen for cut in range(1, len(one)))}
    return sorted(outermost, key=lambda one: [(isinstance(part, int), part) for part in one], reverse=True)


def _at(document: Any, location: _Location) -> Any:
    for part in location:
        document = document[part]
    return document


def _update(node: Any, update: Any, named: str) -> None:
    if isinstance(node, list):
        node.extend(_unshared(update if isinstance(update, list) else [update]))
    elif not isinstance(node, dict):
        raise UsageError(f"{named} updates {_kind(node)}; select the object that holds it instead.")
    elif not isinstance(update, dict):
        raise UsageError(f"{named} updates an object with {_kind(update)}; give an object of properties to merge.")
    else:
        _merge(node, update, named)


def _merge(node: dict[str, Any], update: dict[str, Any], named: str) -> None:
    for name, value in update.items():
        old = node.get(name)
        if name in node and _kind(old) != _kind(value):
            raise UsageError(
                f"{named} puts {_kind(value)} where '{name}' holds {_kind(old)}; remove '{name}' first, then update."
            )
        if isinstance(old, dict):
            _merge(old, value, named)
        elif isinstance(old, list):
            old.extend(_unshared(value))
        else:
            node[name] = _unshared(value)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else "a primitive value"


def _unshared(value: Any) -> Any:
    """A deep copy in which nothing is shared: a YAML anchor used twice must not be updated twice."""
    if isinstance(value, dict):
        return {name: _unshared(inner) for name, inner in value.items()}
    return [_unshared(inner) for inner in value] if isinstance(value, list) else value
