"""Copies of a recording's answer with one field gone, or one value of another type."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

OTHER_TYPE = {
    str: 7,
    int: "seven",
    float: "0.5",
    bool: "yes",
    type(None): 7.5,
    list: {"no": "list"},
    dict: ["no object"],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every field below a JSON value, and of the first two elements of each list."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def mutants(body: Any) -> Iterator[tuple[str, Any]]:
    """Names and bodies: each field dropped, each value retyped, and the same inside JSON kept in a string."""
    for path in places(body):
        if isinstance(path[-1], str):
            changed = copy.deepcopy(body)
            del _parent(changed, path)[path[-1]]
            yield f"without {_name(path)}", changed
        changed = copy.deepcopy(body)
        value = _parent(changed, path)[path[-1]]
        _parent(changed, path)[path[-1]] = OTHER_TYPE[type(value)]
        yield f"retyped {_name(path)}", changed
        if isinstance(value, str) and value.startswith("{"):
            for name, inner in mutants(json.loads(value)):
                changed = copy.deepcopy(body)
                _parent(changed, path)[path[-1]] = json.dumps(inner)
                yield f"{name} in {_name(path)}", changed


def _parent(body: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        body = body[key]
    return body


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))
