"""What observed traffic says of the API beside what the description declares: exchanges folded into counts.

Nothing is claimed of what was not seen: a field that never came is `never seen`, not gone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.drift.openapi.comparison import Change
from conformance.drift.openapi.dialect import modern
from conformance.drift.openapi.kinds import KINDS
from conformance.drift.openapi.messages import BodyValidator, body_of, covers, query_of, type_of
from conformance.drift.sources.declared import Declared, Shape, declared
from conformance.ledger import is_of_absence
from conformance.model import Exchange, Request, Response
from conformance.redaction import redact_text
from conformance.spec.document import Document


@dataclass(frozen=True)
class Fact:
    """One way in which traffic differs from the description, and in how many of the exchanges that could show it.

    `kind` is never-served, undeclared-field, undeclared-status, undeclared-media-type, value-outside-enum, other-type,
    required-but-absent or not-as-described.
    """

    operation: str
    location: str
    kind: str
    message: str
    count: int
    of: int


_KINDS = {
    "never-served": "operation-removed",
    "undeclared-field": "response-property-added",
    "undeclared-media-type": "response-media-type-added",
    "value-outside-enum": "response-enum-loosened",
    "other-type": "response-type-changed",
    "required-but-absent": "response-property-became-optional",
    "not-as-described": "response-schema-loosened",
}


def change_of(fact: Fact) -> Change | None:
    """The change an instance's answers show; None for a fact of what was sent, which is its sender's."""
    if not fact.location.startswith(("response", "operation")):
        return None
    success = fact.location.startswith("response.2")
    status = "response-success-status-added" if success else "response-status-added"
    kind = KINDS[_KINDS.get(fact.kind, status)]
    message = f"{fact.message} ({fact.count} of {fact.of})"
    return Change(fact.operation, fact.location, kind.id, kind.direction, kind.breaking, bool(kind.contested), message)


_LOCATIONS = 5_000
"""Locations kept of one operation: a body keyed by ids must not grow without end."""


_SAYS_NOTHING = frozenset({"401", "403", "429"})
"""Statuses that say nothing of what an operation would have answered."""


@dataclass(frozen=True)
class FieldSeen:
    """How often a field came, was null, and was absent where what holds it came (`of`), and with which JSON types."""

    seen: int
    null: int
    absent: int
    types: tuple[str, ...]

    @property
    def of(self) -> int:
        """How often it could have come."""
        return self.seen + self.absent

    @property
    def null_share(self) -> float:
        """The part of those seen that were null, 0 to 1."""
        return self.null / self.seen if self.seen else 0.0

    @property
    def absent_share(self) -> float:
        """The part of the chances in which it was absent, 0 to 1."""
        return self.absent / self.of if self.of else 0.0


@dataclass(frozen=True)
class Observed:
    """What the traffic of one operation showed.

    `answered` counts declared statuses and media types by their location (`response.4XX`,
    `response.200.content.application/json`); `never_seen` are declared fields that never came.
    """

    operation: str
    exchanges: int
    statuses: Mapping[str, int]
    answered: Mapping[str, int]
    fields: Mapping[str, FieldSeen]
    never_seen: tuple[str, ...]
    facts: tuple[Fact, ...]


def observe(exchanges: Iterable[Exchange], document: Document) -> dict[str, Observed]:
    """The traffic of every operation of the document that was seen, by operation id; other requests are passed over."""
    shapes = declared(dict(document.raw))
    counts: dict[str, _Count] = {}
    validator = BodyValidator(modern(dict(document.raw)))
    for exchange in exchanges:
        match = document.match(exchange.request.method, exchange.request.path)
        operation = exchange.operation or (match[0].id if match else None)
        if operation in shapes:
            count = counts.setdefault(operation, _Count(shapes[operation], validator))
            count.add(exchange)
    return {operation: count.concluded() for operation, count in counts.items()}


@dataclass
class _Count:
    """The fold: how often each location of one operation was seen."""

    of: Declared
    validator: BodyValidator
    exchanges: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    null: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    types: dict[str, Counter[str]] = field(default_factory=dict)
    facts: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def add(self, exchange: Exchange) -> None:
        self.exchanges += 1
        if exchange.response is None or exchange.response.ok or exchange.status is None:
            self._request(exchange.request)
        if exchange.response is not None:
            self._response(exchange.response)

    def _request(self, request: Request) -> None:
        """Only of a request that was served: what was refused says nothing of what is taken."""
        body, content = body_of(request)
        if content:
            self._media("request", request.media_type)
            self._value("request.body", body)
        self.objects["request.query"] += 1
        for at in dict.fromkeys(f"request.query.{name}" for name in query_of(request)):
            self.seen[at] += 1
            if at not in self.of.fields:
                self._fact(at, "undeclared-field", "the parameter is not declared")

    def _response(self, response: Response) -> None:
        status = self._status(response)
        if status is None or not response.body_known:
            return
        if response.body:
            self._media(status, response.media_type)
        if response.is_json and f"response.{status}.body" in self.of.fields:
            self._value(f"response.{status}.body", response.json)
            self._valid(status, response)

    def _status(self, response: Response) -> str | None:
        """The declared response this is of; a recording that does not know its status is of the first success."""
        if response.status is None:
            return next((one for one in self.of.statuses if one.startswith("2")), None)
        self.statuses[str(response.status)] += 1
        status = self.of.status_of(response.status)
        self.answered[f"response.{status}"] += 1
        if status is None:
            self._fact(f"response.{response.status}", "undeclared-status", f"status {response.status} is not declared")
        return status

    def _media(self, side: str, media_type: str) -> None:
        known = self.of.media.get(side, ())
        at = "request.content" if side == "request" else f"response.{side}.content"
        fitting = next((one for one in sorted(known, key=lambda one: "*" in one) if covers(one, media_type)), None)
        if fitting:
            self.answered[f"{at}.{fitting}"] += 1
        elif known and media_type:
            self._fact(f"{at}.{media_type}", "undeclared-media-type", f"media type {media_type} is not declared")

    def _value(self, at: str, value: Any) -> None:
        if at not in self.seen and len(self.seen) >= _LOCATIONS:
            return
        shape = self.of.fields.get(at)
        self.seen[at] += 1
        self.null[at] += value is None
        self.types.setdefault(at, Counter())[type_of(value)] += 1
        if shape is None:
            self._fact(at, "undeclared-field", "the field is not declared")
            return
        self._held_to(at, shape, value)
        if isinstance(value, dict):
            self.objects[at] += 1
            for name, inner in value.items():
                if (place := self._inside(at, name)) is not None:
                    self._value(place, inner)
        elif isinstance(value, list) and f"{at}[]" in self.of.fields:
            for inner in value:
                self._value(f"{at}[]", inner)

    def _inside(self, at: str, name: str) -> str | None:
        """Where a property counts: by its name, under `*` in a map; None in an object of any content."""
        if f"{at}.{name}" in self.of.fields:
            return f"{at}.{name}"
        if f"{at}.*" in self.of.fields:
            return f"{at}.*"
        named = any(one.startswith(f"{at}.") for one in self.of.fields)
        return f"{at}.{name}" if named else None

    def _held_to(self, at: str, shape: Shape, value: Any) -> None:
        kind = type_of(value)
        if kind not in shape.types:
            self._fact(at, "other-type", f"{kind} where {shape} is declared")
        elif shape.enum is not None and value not in shape.enum:
            shown = redact_text(json.dumps(value, ensure_ascii=False))[:60]
            self._fact(at, "value-outside-enum", f"{shown} is none of the declared values")

    def _valid(self, status: str, response: Response) -> None:
        """Whatever else the described schema says; what is told of a field already is not told again."""
        at = f"response.{status}.body"
        schema = self.of.schemas.get((status, response.media_type))
        if schema is None:
            return
        for path, message in self.validator.errors(schema, response.json):
            place = self._located(at, path)
            told = any(location.startswith(place) for location, _ in self.facts)
            if not told and "required property" not in message:
                self._fact(place, "not-as-described", redact_text(message)[:200])

    def _located(self, at: str, path: list[str | int]) -> str:
        for step in path:
            inside = f"{at}[]" if isinstance(step, int) else self._inside(at, step)
            if inside is None:
                break
            at = inside
        return at

    def _fact(self, location: str, kind: str, message: str) -> None:
        first, count = self.facts.get((location, kind), (message, 0))
        self.facts[location, kind] = (first, count + 1)

    def concluded(self) -> Observed:
        fields = {at: self._field(at) for at in (*self.of.fields, *self.seen) if self.seen[at] or self._chances(at)}
        for at, shape in self.of.fields.items():
            if shape.required and (seen := fields.get(at)) and seen.absent:
                self.facts[at, "required-but-absent"] = ("a required field is absent", seen.absent)
        self._never_served()
        facts = (
            Fact(self.of.id, at, kind, message, count, self._of(at))
            for (at, kind), (message, count) in self.facts.items()
        )
        never = tuple(at for at in self.of.fields if not self.seen[at])
        return Observed(
            self.of.id, self.exchanges, dict(self.statuses), dict(self.answered), fields, never, tuple(facts)
        )

    def _never_served(self) -> None:
        """An operation of which every answer says that it is not there; who may not ask was told nothing of it."""
        told = {int(status): count for status, count in self.statuses.items() if status not in _SAYS_NOTHING}
        if told and all(is_of_absence(self.of.id, status) for status in told):
            shown = " or ".join(map(str, sorted(told)))
            self.facts["operation", "never-served"] = (f"it is never served, always {shown}", sum(told.values()))

    def _field(self, at: str) -> FieldSeen:
        seen = self.seen[at]
        types = tuple(sorted(self.types.get(at, ())))
        return FieldSeen(seen, self.null[at], max(0, self._chances(at) - seen), types)

    def _chances(self, at: str) -> int:
        """How often the object that would hold it came; an entry of an array or a map has no such count."""
        holder, dot, name = at.rpartition(".")
        return self.objects[holder] if dot and name != "*" and not at.endswith("[]") else 0

    def _of(self, at: str) -> int:
        return max(self._chances(at), self.seen[at]) or self.exchanges
