"""What a validator says of a request or response that is not as described: where, what was expected, what came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from conformance.model import Request, Response

SHOWN_CHARACTERS = 80
"""How much of a value a problem shows."""

MOST_PROBLEMS = 20
"""How many problems of one value are told; an array of ten thousand wrong rows is wrong for one reason."""


class Kind(StrEnum):
    """What is not as described."""

    OPERATION = "operation"
    SECURITY = "security"
    PARAMETER = "parameter"
    STATUS = "status"
    HEADER = "header"
    MEDIA_TYPE = "media-type"
    BODY = "body"
    SCHEMA = "schema"


@dataclass(frozen=True)
class Problem:
    """One thing that is not as described.

    `where` is a path within the body (`$.engines[0].ip`), "status", "content-type", or a header's or parameter's name.
    `expected` is the same for the same promise, whatever came; `actual` shows what came, cut short. `keyword` is the
    one of JSON Schema that is broken, empty for what no schema says.
    """

    kind: Kind
    where: str
    expected: str
    actual: str
    keyword: str = field(default="", compare=False)


_TYPES = {
    "null": "null",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "array": "an array",
    "object": "an object",
}
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minProperties": "at least {} fields",
    "maxProperties": "at most {} fields",
    "const": "{}",
    "format": "a string of the format {}",
    "pattern": "a string that matches {}",
    "anyOf": "a value of one of the described forms",
    "oneOf": "a value of exactly one of the described forms",
    "uniqueItems": "no item twice",
    "required": "a value; the field is required",
}


def expectation(keyword: str, value: Any) -> str:
    """What a keyword of JSON Schema demands, in words. `value` is what the schema gives it."""
    if keyword == "type":
        names = [value] if isinstance(value, str) else value
        return " or ".join(words for name, words in reversed(_TYPES.items()) if name in names)
    if keyword == "enum":
        return f"one of {', '.join(shown(choice) for choice in value)}"
    bound = _BOUNDS.get(keyword)
    if bound is not None:
        return bound.format(value if isinstance(value, str) and keyword in ("format", "pattern") else shown(value))
    return f"a value that satisfies its schema's `{keyword}`"


def shown(value: Any) -> str:
    """A value as JSON on one line, cut short."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):
        text = f"{type(value).__name__} that nests too deeply to be shown"
    return cut(text)


def cut(text: str) -> str:
    """A text on one line, cut short."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"


def json_path(keys: Iterable[str | int], root: str = "$") -> str:
    """Keys as a JSONPath: `$.engines[0].ip`; names that are no identifiers are quoted."""
    parts = [root]
    for key in keys:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        else:
            parts.append(f".{key}" if key.replace("_", "a").isalnum() else f"[{json.dumps(key, ensure_ascii=False)}]")
    return "".join(parts)


def schema_problem(
    keyword: str, value: Any, keys: Sequence[str | int], instance: Any, missing: str = "", root: str = "$"
) -> Problem:
    """A value that breaks one keyword of its schema. `missing` names the field that `required` misses."""
    if missing:
        where = json_path([*keys, missing], root)
        return Problem(Kind.SCHEMA, where, expectation("required", None), "no such field", "required")
    return Problem(Kind.SCHEMA, json_path(keys, root), expectation(keyword, value), shown(instance), keyword)


def unknown_operation(request: Request) -> Problem:
    """A request of no described operation."""
    return Problem(
        Kind.OPERATION, "path", "method and path of a described operation", f"{request.method} {cut(request.path)}"
    )


def no_token(request: Request) -> Problem:
    """A request without a bearer token; whatever stands in its place is not shown."""
    actual = "another scheme" if "authorization" in request.headers else "no such header"
    return Problem(Kind.SECURITY, "Authorization", "a bearer token", actual)


def missing_parameter(name: str) -> Problem:
    """A request without a parameter it must have."""
    return Problem(Kind.PARAMETER, name, "a value; the parameter is required", "no such parameter")


def missing_header(name: str) -> Problem:
    """A message without a header it must have."""
    return Problem(Kind.HEADER, name, "a value; the header is required", "no such header")


def undeclared_status(declared: Iterable[str], status: int) -> Problem:
    """A status that the description does not have."""
    return Problem(Kind.STATUS, "status", f"one of the declared statuses: {', '.join(declared)}", str(status))


def undeclared_type(declared: Iterable[str], message: Request | Response) -> Problem:
    """A media type that the description does not have."""
    actual = cut(message.headers.get("content-type", "")) or "no content type"
    return Problem(Kind.MEDIA_TYPE, "content-type", " or ".join(declared), actual)


def empty_body(declared: Iterable[str]) -> Problem:
    """No body where there has to be one."""
    return Problem(Kind.BODY, "$", f"a body of {' or '.join(declared)}", "an empty body")


def not_json(body: str) -> Problem:
    """A body that is not the JSON it should be (RFC 8259)."""
    return Problem(Kind.BODY, "$", "JSON", cut(body))
