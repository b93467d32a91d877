"""What a run reached: links of the document that were followed, and keywords of request bodies met both ways."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance.model import Exchange
from conformance.spec.document import Document
from conformance.spec.validation import FastValidator

_EXPRESSION = re.compile(r"\{(\$[^}]+)\}")
_INDEX = re.compile(r"\[\d+\]")
LINK, KEYWORD, MET, VIOLATED = "link", "keyword", "met", "violated"
JUDGED = "generated"
"""Label of requests whose bodies count for keywords."""


class Reach:
    """Counts, exchange by exchange. A mark is a text: `link|<from>|<name>`, `keyword|<operation>|<path>|<met or not>`."""

    def __init__(self, document: Document) -> None:
        self._links = dict(_links(document))
        self._validator = FastValidator(document)
        self._offered: dict[tuple[str, str, str], set[tuple[str, ...]]] = {}

    def marks(self, exchange: Exchange) -> list[str]:
        """The marks of one exchange, given all before it."""
        found = list(self._followed(exchange)) if exchange.ok else []
        if JUDGED in exchange.labels:
            found += self._keywords(exchange)
        return found

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
        for where in {_INDEX.sub("[]", problem.where) for problem in problems}:
            yield f"{KEYWORD}|{operation}|{where}|{VIOLATED}"
        if not problems:
            for where in _places(exchange.question):
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


def _places(value: Any, where: str = "$") -> Iterator[str]:
    yield where
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, f"{where}.{key}")
    elif isinstance(value, list):
        for item in value[:3]:
            yield from _places(item, f"{where}[]")
