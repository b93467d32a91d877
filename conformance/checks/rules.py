"""What exchanges are judged by, and how a check says what it saw."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

from conformance.model import Exchange, Finding
from conformance.spec.document import Document
from conformance.spec.requirements import Catalogue
from conformance.spec.requirements import load as load_catalogue
from conformance.spec.validation import FastValidator

Findings = Iterator[Finding]
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Rules:
    """The document and the catalogue of one profile, and the validator built from the document.

    `hosts` are names that the instance may call itself by, beside the one it is asked under.
    """

    document: Document
    catalogue: Catalogue
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, profile: str = "2023.4", hosts: Iterable[str] = ()) -> Rules:
        """The rules of a profile. Raises UsageError where there is no such profile."""
        return cls(Document.load(profile), load_catalogue(profile), frozenset(hosts))

    @cached_property
    def validator(self) -> FastValidator:
        """Compiled once per document."""
        return FastValidator(self.document)

    def holds(self, requirement_id: str) -> bool:
        """Whether the profile's catalogue has that row."""
        return requirement_id in self.catalogue

    def success_statuses(self, operation_id: str) -> tuple[int, ...]:
        """The 2xx statuses the document declares for an operation."""
        return tuple(int(status) for status in self._responses(operation_id) if status.isdigit() and status[0] == "2")

    def declares(self, operation_id: str, status: int) -> bool:
        """Whether the document declares a status, by itself, by its class or by default."""
        declared = self._responses(operation_id)
        return str(status) in declared or f"{status // 100}XX" in declared or "default" in declared

    def is_integer(self, operation_id: str, field: str) -> bool:
        """Whether the document has an integer and nothing else at a field (`$.workspaces[].id`) of a success."""
        responses = self._responses(operation_id)
        for status in self.success_statuses(operation_id):
            content = self.document.resolved(responses[str(status)]).get("content", {})
            schema: Any = content.get("application/json", {}).get("schema", {})
            for name in re.findall(r"\w+|\[\]", field.removeprefix("$")):
                schema = self.document.resolved(schema)
                schema = schema.get("items", {}) if name == "[]" else schema.get("properties", {}).get(name, {})
            if self.document.resolved(schema).get("type") == "integer":
                return True
        return False

    def media_types(self, operation_id: str, status: int) -> frozenset[str]:
        """Media types, without parameters, that the document declares for a status; empty where it has no body."""
        response = self._responses(operation_id).get(str(status), {})
        return frozenset(name.split(";")[0].strip().lower() for name in response.get("content", {}))

    def _responses(self, operation_id: str) -> dict[str, Any]:
        return {str(status): body for status, body in self.document.definition(operation_id)["responses"].items()}


def seen(exchange: Exchange, slug: str, held: bool, expected: str, actual: object = "", *before: Exchange) -> Finding:
    """A finding on the requirement `slug` of the exchange's operation. `before` are the exchanges it relates to."""
    operation = exchange.operation or ""
    shown = "" if held else text_of(actual)
    return Finding(f"{operation}.{slug}", held, expected, shown, (*before, exchange), operation)


def told(exchange: Exchange, operation: str) -> bool:
    """Whether an answer of that operation says what exists: a success, or one whose status was not recorded."""
    answered = exchange.ok or (exchange.response is not None and exchange.status is None)
    return exchange.operation == operation and answered


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; empty for anything else."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """A value as a person reads it, cut to a line."""
    shown = value if isinstance(value, str) else repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…"


def came(exchange: Exchange) -> str:
    """What came back, in a few words."""
    if exchange.response is None:
        return exchange.failure or "no answer"
    body = exchange.response.body[:300].decode("utf-8", "replace").strip()
    return f"status {exchange.status}" + (f" with {text_of(body)}" if body else " with an empty body")


def is_id(value: object) -> TypeGuard[int]:
    """Whether a value is an integer as ids are; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)
