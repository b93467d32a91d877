"""Judges exchanges against the description, fast enough for every exchange of a run.

`conformance.spec.crosscheck` judges the same by a library of its own; tests hold both to one verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema_rs import Draft202012Validator, ValidationError

from conformance.api import multipart
from conformance.model import Exchange, Operation, Request, Response
from conformance.spec import content
from conformance.spec.document import Document
from conformance.spec.problems import (
    MOST_PROBLEMS,
    Kind,
    Problem,
    empty_body,
    json_path,
    missing_header,
    missing_parameter,
    no_token,
    not_json,
    schema_problem,
    shown,
    undeclared_status,
    undeclared_type,
    unknown_operation,
)


class FastValidator:
    """Judges exchanges against one document. Schemas are compiled when first needed, once per validator."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._plans: dict[str, _Plan] = {}

    def request_problems(self, exchange: Exchange) -> list[Problem]:
        """What of the request is not as described: operation, token, parameters, media type and body.

        Whether the token is a good one, or a value exists, the description cannot say.
        """
        operation, request = operation_of(self.document, exchange), exchange.request
        if operation is None:
            return [unknown_operation(request)]
        plan = self._plan(operation)
        problems = plan.missing(request)
        if plan.body is not None and (plan.body_required or request.body):
            problems += plan.body.problems(request, request.url)
        return problems

    def response_problems(self, exchange: Exchange, status: int | None = None) -> list[Problem]:
        """What of the response is not as described: status, media type, headers and body.

        Nothing is claimed of a response that never came, of an unknown operation, or of what a recording does not know.
        `status` stands in where the response's own is unknown; without either, the body is held to every declared
        status, and told against the success where it fits none.
        """
        operation, response = operation_of(self.document, exchange), exchange.response
        if operation is None or response is None:
            return []
        responses = self._plan(operation).responses
        status = status if response.status is None else response.status
        if status is None:
            return self._at_any_status(responses, response, exchange.request.url)
        key = content.response_key(responses, status)
        if key is None:
            return [undeclared_status(responses, status)]
        return responses[key].problems(response, exchange.request.url)

    def body_problems(self, exchange: Exchange, status: int | None = None) -> list[Problem]:
        """What of the response's body alone is not as described, whatever its status and media type are called.

        A success of an undeclared status is held to the success that is declared; a body whose media type is undeclared
        to the JSON that is.
        """
        operation, response = operation_of(self.document, exchange), exchange.response
        if operation is None or response is None or not response.body_known:
            return []
        responses = self._plan(operation).responses
        status = status if response.status is None else response.status
        if status is None:
            return self._at_any_status(responses, response, exchange.request.url)
        key = content.response_key(responses, status)
        if key is None and 200 <= status < 300:
            key = content.success_key(responses)
        return responses[key].body_problems(response, exchange.request.url) if key else []

    def _at_any_status(self, responses: dict[str, _Described], response: Response, url: str) -> list[Problem]:
        contents = {key: described.declared for key, described in responses.items()}
        return content.any_status(contents, response.body, lambda key: responses[key].problems(response, url))

    def _plan(self, operation: Operation) -> _Plan:
        plan = self._plans.get(operation.id)
        if plan is None:
            plan = self._plans[operation.id] = _planned(self.document, operation)
        return plan


def operation_of(document: Document, exchange: Exchange) -> Operation | None:
    """The operation an exchange is of: the one it names if the document has it, else by method and path."""
    if exchange.operation is not None and document.has(exchange.operation):
        return document.operation(exchange.operation)
    matched = document.match(exchange.request.method, exchange.request.path)
    return matched[0] if matched else None


class _Media:
    """One media type of a described message. `schema` is None where there is nothing to hold its content to."""

    def __init__(self, document: Document, name: str, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.form = name.lower().startswith("multipart/")
        judged = "schema" in raw and (self.form or content.is_json(name))
        self.schema = Schema(document, raw["schema"]) if judged else None

    def problems(self, message: Request | Response, url: str) -> list[Problem]:
        if self.schema is None or content.is_selective(self.raw, url):
            return []
        if self.form:
            return self.schema.problems(self._fields(message))
        try:
            return self.schema.problems(message.json)
        except RecursionError:
            return [not_json("a body that nests too deeply to be read")]
        except ValueError:
            return [not_json(message.body[:400].decode("utf-8", "replace"))]

    def _fields(self, message: Request | Response) -> dict[str, Any]:
        """The parts of a form by name: JSON where the description says so, else the bytes stand for themselves."""
        parts = multipart.decode(message.headers.get("content-type", ""), message.body)
        return {name: self._field(name, part.content) for name, part in parts.items()}

    def _field(self, name: str, body: bytes) -> Any:
        encoding = self.raw.get("encoding", {}).get(name, {})
        if not content.is_json(encoding.get("contentType", "")):
            return ""
        part = Request("", "", body=body)
        return part.json if part.is_json else body.decode("utf-8", "replace")


@dataclass(frozen=True, eq=False)
class _Described:
    """One described message: its media types, empty where nothing is said of a body, and the headers it must have."""

    media: dict[str, _Media]
    headers: tuple[str, ...] = ()

    @cached_property
    def declared(self) -> tuple[str, ...]:
        return tuple(self.media)

    def problems(self, message: Request | Response, url: str) -> list[Problem]:
        problems = []
        if content.headers_known(message):
            absent = [name for name in self.headers if name not in message.headers]
            problems += [missing_header(name) for name in absent]
        if content.is_undeclared(self.declared, message):
            return [*problems, undeclared_type(self.declared, message)]
        return problems + self.body_problems(message, url) if content.body_known(message) else problems

    def body_problems(self, message: Request | Response, url: str) -> list[Problem]:
        if not self.media:
            return []
        if not message.body:
            return [] if content.may_be_empty(self.declared) else [empty_body(self.declared)]
        name = content.falls_under(self.declared, message)
        return self.media[name].problems(message, url) if name else []


@dataclass(frozen=True, eq=False)
class _Plan:
    """What one operation's description demands of its requests and responses."""

    token: bool
    queries: tuple[str, ...]
    headers: tuple[str, ...]
    body: _Described | None
    body_required: bool
    responses: dict[str, _Described]

    def missing(self, request: Request) -> list[Problem]:
        """What a request must have beside its body, and lacks."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        refused = self.token and not (scheme.lower() == "bearer" and credentials)
        problems = [no_token(request)] if refused else []
        given = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True)) if self.queries else {}
        absent = [name for name in self.queries if name not in given]
        absent += [name for name in self.headers if name not in request.headers]
        return problems + [missing_parameter(name) for name in absent]


def _planned(document: Document, operation: Operation) -> _Plan:
    raw = document.definition(operation.id)
    describe = partial(_described, document)
    parameters = [document.resolved(parameter) for parameter in raw.get("parameters", ())]
    required = [(one["in"], one["name"]) for one in parameters if one.get("required")]
    body = document.resolved(raw["requestBody"]) if "requestBody" in raw else None
    security = raw.get("security", document.raw.get("security", ()))
    return _Plan(
        token=bool(security) and all(security),
        queries=tuple(name for place, name in required if place == "query"),
        headers=tuple(name for place, name in required if place == "header"),
        body=describe(body) if body is not None else None,
        body_required=bool(body and body.get("required")),
        responses={str(key): describe(document.resolved(response)) for key, response in raw["responses"].items()},
    )


def _described(document: Document, raw: Mapping[str, Any]) -> _Described:
    headers = {name: document.resolved(header) for name, header in raw.get("headers", {}).items()}
    return _Described(
        media={name: _Media(document, name, media) for name, media in raw.get("content", {}).items()},
        headers=tuple(name for name, header in headers.items() if header.get("required")),
    )


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
