"""A schema of the description, compiled once, and the JSON that stands inside strings of what it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

from conformance.spec.document import Document
from conformance.spec.problems import MOST_PROBLEMS, Kind, Problem, json_path, schema_problem, shown

_ROWS = 50
"""How many items of an array are told of in full."""

_EACH = None
"""Stands for every index in the keys of an embedded value."""

_Keys = tuple[str | None, ...]


class Schema:
    """A schema of a document (JSON Schema 2020-12; formats are asserted). `$ref`s lead into the document's components.

    As JSON Schema has it, 1.0 is an integer; `true` is not. JSON inside strings is held to `contentSchema` too, which
    JSON Schema itself leaves to its users.
    """

    def __init__(self, document: Document, schema: Mapping[str, Any] | bool) -> None:
        self._validator = _compiled(document, schema)
        self._embedded = tuple(_embedded(document, schema))

    def problems(self, value: Any, root: str = "$") -> list[Problem]:
        """What is wrong with a value, at most `MOST_PROBLEMS`, each path beginning with `root`."""
        try:
            found = self._own_problems(value, root)
        except UnicodeEncodeError:  # a lone surrogate, which JSON can escape and UTF-8 cannot hold
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
            found = self._own_problems(value, root)
        return found or [problem for place in self._embedded for problem in place.problems(value, root)][:MOST_PROBLEMS]

    def _own_problems(self, value: Any, root: str) -> list[Problem]:
        if self._validator.is_valid(value):
            return []
        if isinstance(value, list) and len(value) > _ROWS:
            return self._problems_of_rows(value, root)
        return [_problem(error, root) for error in islice(self._validator.iter_errors(value), MOST_PROBLEMS)]

    def _problems_of_rows(self, rows: list[Any], root: str) -> list[Problem]:
        """The problems of the first rows, else the first problem of all: telling each of a long array takes seconds."""
        early = islice(self._validator.iter_errors(rows[:_ROWS]), MOST_PROBLEMS)
        found = [_problem(error, root) for error in early if error.instance_path]
        if not found:
            try:
                self._validator.validate(rows)
            except ValidationError as error:
                found = [_problem(error, root)]
        return found


def _compiled(document: Document, schema: Mapping[str, Any] | bool) -> Draft202012Validator:
    components = {"schemas": document.raw.get("components", {}).get("schemas", {})}
    return Draft202012Validator({"components": components, "allOf": [schema]}, validate_formats=True)


def _problem(error: Any, root: str) -> Problem:
    missing = error.kind.property if error.kind.name == "required" else ""
    return schema_problem(error.kind.name, error.kind.value, error.instance_path, error.instance, missing, root)


@dataclass(frozen=True)
class _Embedded:
    """A string of a described value that holds JSON, and the schema of that JSON."""

    keys: _Keys
    schema: Schema

    def problems(self, value: Any, root: str) -> Iterator[Problem]:
        judged: dict[str, list[Problem]] = {}
        for path, text in _strings(value, self.keys):
            if text not in judged:
                judged[text] = self._of(text)
            if judged[text]:
                where = json_path(path, root)
                yield from (replace(p, where=where + p.where.removeprefix("$")) for p in judged[text])

    def _of(self, text: str) -> list[Problem]:
        try:
            return self.schema.problems(json.loads(text))
        except (ValueError, RecursionError):
            return [Problem(Kind.SCHEMA, "$", "a string that holds JSON", shown(text))]


def embedded_problems(document: Document, schema: Mapping[str, Any] | bool, value: Any) -> list[Problem]:
    """What is wrong with JSON inside strings of a value, for validators that leave `contentSchema` alone."""
    return [problem for place in _embedded(document, schema) for problem in place.problems(value, "$")][:MOST_PROBLEMS]


def _embedded(
    document: Document, schema: Mapping[str, Any] | bool, keys: _Keys = (), seen: frozenset[str] = frozenset()
) -> Iterator[_Embedded]:
    """Where a schema says that strings hold JSON. A schema that contains itself is followed once."""
    if isinstance(schema, bool):
        return
    reference = schema.get("$ref")
    if reference is not None and reference not in seen:
        yield from _embedded(document, document.resolved(schema), keys, seen | {reference})
    if "contentSchema" in schema and schema.get("contentMediaType") == "application/json":
        yield _Embedded(keys, Schema(document, schema["contentSchema"]))
    for part in schema.get("allOf", ()):
        yield from _embedded(document, part, keys, seen)
    for name, part in schema.get("properties", {}).items():
        yield from _embedded(document, part, (*keys, name), seen)
    if "items" in schema:
        yield from _embedded(document, schema["items"], (*keys, _EACH), seen)


def _strings(value: Any, keys: _Keys, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The strings at these keys of a value, with where each stands."""
    if not keys:
        if isinstance(value, str):
            yield path, value
        return
    key, rest = keys[0], keys[1:]
    if key is _EACH:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _strings(item, rest, (*path, index))
    elif isinstance(value, dict) and key in value:
        yield from _strings(value[key], rest, (*path, key))
