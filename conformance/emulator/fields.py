"""Reads the fields of a JSON body, and refuses what has the wrong shape with a 400 that names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from conformance.emulator.wire import JSON, Call, RefusalError, bad_request

Body = Mapping[str, Any]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INT64 = range(-(2**63), 2**63)


def json_object(call: Call) -> Body:
    """The call's body as a JSON object. Refuses another media type (415), and what is not one object (400)."""
    if call.media_type != JSON or call.media_parameters.get("charset", "utf-8") not in ("utf-8", "utf8"):
        raise RefusalError(415, "Unsupported media type: this operation takes application/json.")
    try:
        body = call.json
    except ValueError:
        raise bad_request("the body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise bad_request("the body is not a JSON object.")
    return cast(Body, body)


def text(body: Body, name: str) -> str:
    """A required string."""
    value = body.get(name)
    if not isinstance(value, str):
        raise bad_request(f"{name} must be a string.")
    return value


def optional_text(body: Body, name: str) -> str | None:
    """A string that may be absent or null."""
    return None if body.get(name) is None else text(body, name)


def integer(body: Body, name: str) -> int:
    """A required integer; as in JSON Schema, 10.0 is one and true is not."""
    value = body.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_request(f"{name} must be an integer.")
    if value not in _INT64:
        raise bad_request(f"{name} is out of range.")
    return value


def optional_integer(body: Body, name: str) -> int | None:
    """An integer that may be absent or null."""
    return None if body.get(name) is None else integer(body, name)


def optional_mapping(body: Body, name: str) -> Body | None:
    """An object that may be absent or null."""
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"{name} must be an object.")
    return value


def mapping(body: Body, name: str) -> Body:
    """A required object."""
    value = optional_mapping(body, name)
    if value is None:
        raise bad_request(f"{name} must be an object.")
    return value


def optional_list(body: Body, name: str) -> list[Any]:
    """A list that may be absent or null, empty then."""
    value = body.get(name)
    if value is not None and not isinstance(value, list):
        raise bad_request(f"{name} must be a list.")
    return value or []


def list_of(body: Body, name: str) -> list[Any]:
    """A required list."""
    value = body.get(name)
    if not isinstance(value, list):
        raise bad_request(f"{name} must be a list.")
    return value


def integers(body: Body, name: str) -> list[int]:
    """A list of integers that may be absent or null."""
    return [integer({name: value}, name) for value in optional_list(body, name)]


def new_name(body: Body, name: str, longest: int) -> str:
    """The name of something to be made: 1 to `longest` characters, none of them a control character.

    The real service's own rule is not recorded; a name also becomes a segment of a URL, so `.` and `..` are refused.
    """
    value = text(body, name)
    if not value or len(value) > longest:
        raise bad_request(f"{name} must have 1 to {longest} characters.")
    if value in (".", "..") or _CONTROL.search(value):
        raise bad_request(f"{name} must not hold control characters, or be a dot segment.")
    return value
