"""What a run reached: links of the document that were followed, and keywords of request bodies met both ways."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.api import multipart
from conformance.model import Exchange, Mark
from conformance.spec.document import Document
from conformance.spec.validation import FastValidator

_EXPRESSION = re.compile(r"\{(\$[^}]+)\}")
_INDEX = re.compile(r"\[\d+\]")
LINK, KEYWORD, MET, VIOLATED, NEW = "link", "keyword", "met", "violated", "new"
SPARED = "spared"
"""A mark of an operation that was slow, and asked less."""

_ITEMS = 5
"""Items of a list that are looked at for fields that no description has."""

_HEADERS = frozenset(
    {
        "allow", "alt-svc", "cache-control", "connection", "content-encoding", "content-language", "content-length",
        "content-location", "content-security-policy", "content-type", "date", "etag", "expires", "keep-alive",
        "last-modified", "location", "pragma", "proxy-authenticate", "referrer-policy", "retry-after", "server",
        "set-cookie", "strict-transport-security", "transfer-encoding", "trailer", "vary", "via", "www-authenticate",
        "x-content-type-options", "x-frame-options", "x-xss-protection",
    }
)  # fmt: skip
"""Response fields of HTTP itself and of browsers' safety, which any gateway may add."""


def _is_known_header(name: str) -> bool:
    return name.lower() in _HEADERS or name.lower().startswith(("access-control-", "x-envoy-"))


def additions_of(marks: Mapping[str, int]) -> list[dict[str, Any]]:
    """What no description has, most often seen first: `{"operation", "kind", "what", "seen"}`."""
    rows = [(mark.split("|", 3), count) for mark, count in marks.items() if mark.startswith(f"{NEW}|")]
    rows.sort(key=lambda row: (-row[1], row[0]))
    return [
        {"operation": operation, "kind": kind, "what": what, "seen": count}
        for (_, operation, kind, what), count in rows
    ]


class Reach:
    """Counts, exchange by exchange. A mark is a text: `link|FROM|NAME`, `keyword|OPERATION|WHERE|met or violated`,
    `new|OPERATION|KIND|WHAT`.

    WHERE is a place of the body, `$.models[].sha`; of what is violated with the keyword, `$.models[].sha type`.
    """

    def __init__(self, document: Document, validator: FastValidator) -> None:
        self._document = document
        self._links = dict(_links(document))
        self._validator = validator
        self._offered: dict[tuple[str, str, str], set[tuple[str, ...]]] = {}

    def marks(self, exchange: Exchange) -> list[str]:
        """The marks of one exchange, given all before it."""
        found = list(self._followed(exchange)) if exchange.ok else []
        found += self._additions(exchange)
        if Mark.GENERATED in exchange.labels:
            found += self._keywords(exchange)
        return found

    def _additions(self, exchange: Exchange) -> list[str]:
        """Marks of what no description has: a status, a media type, a header, a field of an answer."""
        response, operation = exchange.response, exchange.operation
        if response is None or operation is None or response.status is None:
            return []
        responses = {str(status): body for status, body in self._document.definition(operation)["responses"].items()}
        status = response.status
        declared = responses.get(str(status), responses.get(f"{status // 100}XX", responses.get("default")))
        found = [] if declared is not None else [("status", str(status))]
        found += [("header", name) for name in response.headers if not _is_known_header(name)]
        content = self._document.resolved(declared or {}).get("content", {})
        types = {name.partition(";")[0].strip().lower(): media for name, media in content.items()}
        known = {*types, *(() if response.ok else ("application/json", "text/plain"))}
        if response.media_type and types and response.media_type not in known:
            found.append(("media type", f"{response.media_type} of status {status}"))
        if response.ok and response.media_type == "application/json" and response.media_type in types:
            schema = types[response.media_type].get("schema", {})
            found += [("field", place) for place in self._unknown(schema, exchange.answer, "$")]
        return [f"{NEW}|{operation}|{kind}|{what}" for kind, what in dict.fromkeys(found)]

    def _unknown(self, schema: Any, value: Any, where: str) -> Iterator[str]:
        """The places of fields that a schema has no word for; what it leaves open altogether is no addition."""
        schema = self._document.resolved(schema) if isinstance(schema, Mapping) else {}
        branches = [self._document.resolved(one) for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ())]
        if isinstance(value, list):
            items = schema.get("items", next((one["items"] for one in branches if "items" in one), {}))
            for item in value[:_ITEMS]:
                yield from self._unknown(items, item, f"{where}[]")
        elif isinstance(value, dict):
            described = {name: part for one in (schema, *branches) for name, part in one.get("properties", {}).items()}
            for name, item in value.items() if described else ():
                if name in described:
                    yield from self._unknown(described[name], item, f"{where}.{name}")
                else:
                    yield f"{where}.{name}"

    def _followed(self, exchange: Exchange) -> Iterator[str]:
        for (source, name, target), offered in self._offered.items():
            if target == exchange.operation:
                link = self._links[source, name]
                if _asked(link, exchange) in offered:
                    yield f"{LINK}|{source}|{name}"
        for (source, name), link in self._links.items():
            if source == exchange.operation:
                values = tuple(_evaluated(value, exchange) for value in _fields(link).values())
                if values and "" not in values:
                    self._offered.setdefault((source, name, link["operationId"]), set()).add(values)

    def _keywords(self, exchange: Exchange) -> Iterator[str]:
        problems = [p for p in self._validator.request_problems(exchange) if p.kind in ("schema", "body")]
        operation = exchange.operation or ""
        for where in {f"{_INDEX.sub('[]', problem.where)} {problem.keyword}".rstrip() for problem in problems}:
            yield f"{KEYWORD}|{operation}|{where}|{VIOLATED}"
        if not problems:
            for where in _places(_body(exchange)):
                yield f"{KEYWORD}|{operation}|{where}|{MET}"


def links_of(document: Document) -> tuple[str, ...]:
    """The marks of every link in a document."""
    return tuple(f"{LINK}|{source}|{name}" for source, name in dict(_links(document)))


def _links(document: Document) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    for operation in document.operations:
        for response in document.definition(operation.id)["responses"].values():
            for name, link in document.resolved(response).get("links", {}).items():
                yield (operation.id, name), document.resolved(link)


def _fields(link: Mapping[str, Any]) -> dict[str, str]:
    """What a link sets, by where: `parameters/deployment`, `body/name`. What holds no expression is left out."""
    body = link.get("requestBody", {})
    pairs = [(f"parameters/{key}", value) for key, value in link.get("parameters", {}).items()]
    pairs += [(f"body/{key}", value) for key, value in _flat(body)]
    # A text around an expression, such as `copy-of-{…}`, is a proposal and not what makes the link.
    return {key: value for key, value in pairs if isinstance(value, str) and value.startswith(("$", "{$"))}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{prefix}{key}/")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, f"{prefix}{index}/")
    else:
        yield prefix.rstrip("/"), value


def _evaluated(expression: str, exchange: Exchange) -> str:
    """A runtime expression's value (OpenAPI 3.1, Runtime Expressions), as text; empty where there is none."""
    parts = _EXPRESSION.split(expression) if "{" in expression else ["", expression, ""]
    values = [part if index % 2 == 0 else _value(part, exchange) for index, part in enumerate(parts)]
    return "" if "" in values[1::2] else "".join(values)


def _value(expression: str, exchange: Exchange) -> str:
    message, _, pointer = expression.partition("#")
    value = exchange.question if message.startswith("$request") else exchange.answer
    return _pointed(value, pointer.strip("/").split("/"))


def _pointed(value: Any, keys: Iterable[str]) -> str:
    for key in keys:
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return "" if value is None else str(value)


def _asked(link: Mapping[str, Any], exchange: Exchange) -> tuple[str, ...]:
    values = []
    for place in _fields(link):
        where, _, rest = place.partition("/")
        source: Any = exchange.parameters if where == "parameters" else exchange.question
        values.append(_pointed(source, rest.split("/")))
    return tuple(values)


def _body(exchange: Exchange) -> Any:
    """The body as JSON; of a form its metadata, and of its file that it is there."""
    request = exchange.request
    if request.media_type != "multipart/form-data":
        return exchange.question
    parts = multipart.decode(request.headers.get("content-type", ""), request.body)
    try:
        return {name: "" if part.filename else json.loads(part.content) for name, part in parts.items()}
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class Place:
    """A place of a body that the description names: the keywords that bind it, and whether it is always there.

    `required` is a keyword of the place that it asks for.
    """

    where: str
    keywords: tuple[str, ...]
    always: bool


def described_places(document: Document, operation_id: str) -> tuple[Place, ...]:
    """The places of an operation's body, of its first media type."""
    content = document.resolved(document.definition(operation_id)["requestBody"])["content"]
    schema = next(iter(content.values())).get("schema", {})
    return tuple(_described(document, schema, "$", always=True, required=False))


_BINDING = (
    "type", "enum", "const", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    "anyOf", "oneOf", "not",
)  # fmt: skip
"""Keywords that bind the value they stand beside; those of its parts are told at the parts."""


def _described(
    document: Document, schema: Mapping[str, Any], where: str, *, always: bool, required: bool
) -> Iterator[Place]:
    schema = document.resolved(schema)
    own = tuple(keyword for keyword in _BINDING if keyword in schema)
    yield Place(where, ("required", *own) if required else own, always)
    for name, part in schema.get("properties", {}).items():
        needed = name in schema.get("required", ())
        yield from _described(document, part, f"{where}.{name}", always=always and needed, required=needed)
    if isinstance(schema.get("items"), Mapping):
        yield from _described(document, schema["items"], f"{where}[]", always=False, required=False)


def _places(value: Any, where: str = "$") -> Iterator[str]:
    yield where
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, f"{where}.{key}")
    elif isinstance(value, list):
        for item in value[:3]:
            yield from _places(item, f"{where}[]")


def reached_of(
    document: Document, reached: Mapping[tuple[str, int], int], marks: Mapping[str, int], *, running: bool
) -> dict[str, Any]:
    """What a run reached and what it fell short of, for its result.

    `statuses` and `links` say by name whether each was reached; `keywords` holds by operation each keyword of the
    body's schema that was violated, met, both or neither; `short` names what was not reached, each a phrase for people.
    Of a refusal of bad input any 4xx will do, and the 500 that is recorded for inference and uploads (2023.4).
    """
    statuses = {operation.id: _statuses(document, operation.id, reached) for operation in document.operations}
    links = {mark.partition("|")[2]: marks.get(mark, 0) for mark in links_of(document)}
    short = [
        f"{name} of {operation}" for operation, named in statuses.items() for name, count in named.items() if not count
    ]
    short += [f"the link {name.replace('|', ' to ')}" for name, count in links.items() if not count]
    short += [] if running else ["a deployment that is Running"]
    keywords = _both_ways(marks, document)
    for operation, sides in keywords.items():
        if f"{SPARED}|{operation}" in marks:
            continue  # it was slow, which the verdict says
        tried = {where.partition(" ")[0] for where in sides["both"]}
        places = [place.where for place in described_places(document, operation) if place.always and place.keywords]
        needed = [where for where in places if where.count(".") < 3]
        short += [f"{where} of {operation}, both valid and invalid" for where in needed if where not in tried]
    return {"statuses": statuses, "links": links, "keywords": keywords, "short": short}


def _statuses(document: Document, operation: str, reached: Mapping[tuple[str, int], int]) -> dict[str, int]:
    counts = {status: count for (name, status), count in reached.items() if name == operation}
    declared = {str(status) for status in document.definition(operation)["responses"]}
    found = {"a success": sum(n for status, n in counts.items() if 200 <= status < 300)}
    if "400" in declared:
        bad = sum(n for status, n in counts.items() if 400 <= status < 500 and status not in (401, 403, 404, 429))
        found["a refusal of bad input"] = bad + (counts.get(500, 0) if operation in _FAILING else 0)
    if "401" in declared:
        found["a refusal of an unauthorised caller"] = counts.get(401, 0) + counts.get(403, 0)
    if "404" in declared:
        found["a 404"] = counts.get(404, 0)
    return found


_FAILING = frozenset({"pipelines.infer", "models.upload-and-convert"})
"""Operations recorded answering 500 to bad input."""


def _both_ways(marks: Mapping[str, int], document: Document) -> dict[str, dict[str, list[str]]]:
    """By operation its keywords, each as `$.models[].sha type`, by whether bodies met it, violated it, or both."""
    return {
        operation.id: _sides(described_places(document, operation.id), f"{KEYWORD}|{operation.id}|", marks)
        for operation in sorted(document.operations, key=lambda operation: operation.id)
    }


def _sides(places: Iterable[Place], prefix: str, marks: Mapping[str, int]) -> dict[str, list[str]]:
    sides: dict[str, list[str]] = {"both": [], MET: [], VIOLATED: [], "neither": []}
    for place in places:
        met = f"{prefix}{place.where}|{MET}" in marks
        # What cannot even be read as JSON, or as a form, is not of the type.
        unreadable = f"{prefix}{place.where}|{VIOLATED}" in marks
        for keyword in place.keywords:
            violated = f"{prefix}{place.where} {keyword}|{VIOLATED}" in marks or (keyword == "type" and unreadable)
            side = {(True, True): "both", (True, False): MET, (False, True): VIOLATED}.get((met, violated), "neither")
            sides[side].append(f"{place.where} {keyword}")
    return {side: sorted(found) for side, found in sides.items()}
