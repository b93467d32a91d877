from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from conformance.drift.compare import compare
from conformance.drift.schema.values import ABSENT
from tests.drift.pairs import VERDICTS, schema_pairs

SIDED = ("readOnly", "writeOnly", "format", "nullable")
"""Words by which a plain validator would judge otherwise than one that knows OpenAPI."""

PLAIN = [
    pair
    for pair in schema_pairs()
    if pair[1] == VERDICTS["B"] and not any(word in f"{pair[2]['paths']} {pair[3]['paths']}" for word in SIDED)
]


@pytest.mark.parametrize(("base", "revision"), [pair[2:] for pair in PLAIN], ids=[pair[0] for pair in PLAIN])
def test_a_breaking_schema_change_carries_a_witness_that_holds(base: dict[str, Any], revision: dict[str, Any]) -> None:
    for change in compare(base, revision).changes:
        beside_values = any(word in change.kind for word in ("default", "discriminator"))
        if not change.breaking or beside_values:
            continue
        assert change.witness is not ABSENT, change.as_dict()
        admits, refuses = (base, revision) if change.direction == "request" else (revision, base)
        assert _body(admits, change.direction).is_valid(change.witness)
        assert not _body(refuses, change.direction).is_valid(change.witness)


def _body(description: dict[str, Any], side: str | None) -> jsonschema_rs.Draft202012Validator:
    operation = description["paths"]["/do"]["post"]
    holder = operation["requestBody"] if side == "request" else operation["responses"]["200"]
    schema = holder["content"]["application/json"]["schema"]
    return jsonschema_rs.Draft202012Validator({"allOf": [schema], "components": description["components"]})


def test_the_corpus_has_many_breaking_pairs() -> None:
    assert len(PLAIN) > 80


def test_a_format_nobody_can_check_breaks_without_a_witness() -> None:
    (pair,) = (p for p in schema_pairs() if p[0] == "unknown format introduced (request)")
    (change,) = compare(*pair[2:]).changes
    assert change.breaking
    assert change.witness is ABSENT
    assert "no witness was found" in change.message


def test_a_witness_of_a_read_only_property_is_an_answer() -> None:
    (pair,) = (p for p in schema_pairs() if p[0] == "read-only property changes type (response)")
    (change,) = compare(*pair[2:]).changes
    assert change.location == "response.200.body.id"
    assert change.witness == {"id": 0}
