"""What ties exchanges together: the ids and names that one gives and another uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from conformance.api import multipart
from conformance.api.operations import (
    Kind,
    asked,
    fields_of,
    given,
    owner,
    row_of,
    split_name,
    with_fields_changed,
    with_path_changed,
)
from conformance.model import Effect, Exchange, Headers, Request

Token = tuple[str, Any]
"""A kind of value and the value: `("pipeline", 25)`; all names are of one kind: `("name", "conformance-…")`."""

Substitute = Callable[[str, Any], Any]
"""The replay's value for a recorded value of that kind."""

NAME = "name"


def gives(exchange: Exchange) -> Iterator[Token]:
    """The values that a success gave, by kind, in a fixed order."""
    return ((at.kind, value) for at, _, value in given(exchange))


def made_name(exchange: Exchange) -> Token | None:
    """The name that an exchange makes, None where it makes none."""
    row = row_of(exchange.operation)
    if not row.named_by or row.effect is not Effect.CREATE:
        return None
    name = fields_of(row.id, exchange.request).get(row.named_by)
    return (NAME, name) if isinstance(name, str) else None


def owned(exchange: Exchange) -> Iterator[tuple[Token, Token | None]]:
    """Each value that a success gave, with the thing it is of where the answer tells of many things."""
    return (((at.kind, value), owner(exchange, at, way)) for at, way, value in given(exchange))


def renewed(old: Exchange, new: Exchange, known: dict[Token, Any]) -> None:
    """Learn from the same call made again which value stands for which."""
    given_now = list(owned(new))
    for token, thing in owned(old):
        wanted = None if thing is None else (thing[0], known.get(thing))
        for other in given_now:
            if other[0][0] == token[0] and other[1] == wanted:
                known[token] = other[0][1]
                given_now.remove(other)
                break


def uses(exchange: Exchange) -> set[Token]:
    """Every id and name that a request speaks of."""
    found: set[Token] = set()

    def collect(kind: str, value: Any) -> Any:
        if isinstance(value, int | str) and not isinstance(value, bool):
            found.add((kind, value))
        return value

    rewritten(exchange.operation, exchange.request, collect)
    return found


def rewritten(operation: str | None, request: Request, substitute: Substitute) -> Request:
    """The request with every id and name passed through `substitute`."""

    def change(kind: Kind, value: Any) -> Any:
        if kind is not Kind.DEPLOYMENT_NAME:
            return substitute(NAME if kind.is_name else kind, value)
        parts = split_name(value)
        if parts is None:
            return value
        return f"{substitute(NAME, parts[0])}-{substitute(Kind.DEPLOYMENT, parts[1])}"

    row = row_of(operation)
    request = replace(request, url=with_path_changed(operation, request.url, change))
    body = asked(operation, request)
    if not isinstance(body, dict) or not row.id:
        return request
    changed = json.dumps(with_fields_changed(row, body, change)).encode()
    return _form(request, row.part, changed) if row.part else replace(request, body=changed)


def _form(request: Request, name: str, content: bytes) -> Request:
    """The form with another content of one part."""
    parts = multipart.decode(request.headers.get("content-type", ""), request.body).values()
    kind, body = multipart.encode([replace(part, content=content) if part.name == name else part for part in parts])
    fields = [(name, kind if name.lower() == "content-type" else value) for name, value in request.headers.fields]
    return replace(request, headers=Headers(fields), body=body)
