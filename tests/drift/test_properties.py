"""Attacks on drift's own judgement with random schemas, each seed a schema of its own."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.drift.compare import compare
from conformance.drift.schema.description import Description
from conformance.drift.schema.inclusion import SecondOpinion
from conformance.drift.schema.reading import space_of
from conformance.drift.schema.schemas import Comparer
from conformance.drift.schema.witnesses import Validators
from tests.drift.pairs import description
from tests.drift.random_schemas import mutated, schema, value
from tests.drift.rewriting import rewritten

SETTINGS = settings(
    max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
SEEDS = st.integers(0, 10**9)
SIDES = ("request", "response")


@SETTINGS
@given(SEEDS)
def test_a_rewritten_schema_has_not_changed(seed: int) -> None:
    rng = random.Random(seed)
    node, shared = schema(rng), {}
    other = rewritten(rng, node, shared, rng.randint(1, 5))
    for side in SIDES:
        found = compare(description(node, side, {}), description(other, side, shared))
        assert found.verdict == "none", (node, other, shared, [change.as_dict() for change in found.changes])


@SETTINGS
@given(SEEDS)
def test_what_one_admits_and_the_other_does_not_is_never_overlooked(seed: int) -> None:
    rng = random.Random(seed)
    base = schema(rng)
    revision = mutated(rng, base) if rng.random() < 0.8 else schema(rng)
    both = Description({"base": base, "revision": revision})
    space, validators = space_of("request"), Validators("request")
    comparer = Comparer(space)
    terms = space.term(both, base), space.term(both, revision)
    values = [value(rng) for _ in range(40)]
    values += [v for term in terms for v in comparer.instances.several_of(term, 3, 30)]
    for one in values:
        admitted = [validators.admits(both, node, one) for node in (base, revision)]
        assert [space.member(one, term) for term in terms] == admitted, (base, revision, one)
        if admitted[0] != admitted[1]:
            assert not comparer.same(*terms), (base, revision, one)
        if admitted == [True, False]:
            assert not comparer.within(*terms), (base, revision, one)


@SETTINGS
@given(SEEDS)
def test_a_witness_is_always_one(seed: int) -> None:
    rng = random.Random(seed)
    base = schema(rng)
    revision = mutated(rng, base)
    for side, sender, receiver in (("request", base, revision), ("response", revision, base)):
        for change in compare(description(base, side, {}), description(revision, side, {})).changes:
            if change.confirmed:
                both = Description({"sender": sender, "receiver": receiver})
                assert Validators(side).admits(both, sender, change.witness)
                assert not Validators(side).admits(both, receiver, change.witness)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("base", "revision", "narrows"),
    [
        ({"type": "integer"}, {"type": "integer", "minimum": 3}, True),
        ({"type": "string", "maxLength": 5}, {"type": "string"}, False),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, False),
        ({"type": ["string", "null"]}, {"type": "string"}, True),
        ({"type": "array"}, {"type": "array", "uniqueItems": True}, True),
    ],
)
@given(SEEDS)
@settings(max_examples=15, deadline=None, database=None, derandomize=True)
def test_an_edit_breaks_in_its_direction_wherever_it_stands(
    side: str, base: object, revision: object, narrows: bool, seed: int
) -> None:
    rng = random.Random(seed)
    wrappers = [rng.choice(WRAPPERS) for _ in range(rng.randint(0, 3))]
    for wrap in wrappers:
        base, revision = wrap(base), wrap(revision)
    found = compare(description(base, side, {}), description(revision, side, {}))
    assert found.verdict == ("breaking" if narrows == (side == "request") else "non-breaking")


WRAPPERS = (
    lambda node: {"type": "object", "properties": {"a": node, "b": {"type": "string"}}, "required": ["b"]},
    lambda node: {"type": "array", "items": node},
    lambda node: {"type": "object", "additionalProperties": node},
    lambda node: {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": node}}]},
    lambda node: {"type": "array", "prefixItems": [{"type": "boolean"}, node]},
    lambda node: {"oneOf": [{"type": "boolean"}, {"type": "object", "required": ["k"], "properties": {"k": node}}]},
)


@SETTINGS
@given(SEEDS)
def test_a_second_engine_never_contradicts_ours(seed: int) -> None:
    rng = random.Random(seed)
    base = schema(rng)
    shared: dict[str, object] = {}
    revision = mutated(rng, base) if rng.random() < 0.7 else rewritten(rng, base, shared, 2)
    both = Description({"base": base, "revision": revision, "components": {"schemas": shared}})
    space = space_of("request")
    comparer, second = Comparer(space), SecondOpinion(space)
    terms = space.term(both, base), space.term(both, revision)
    for first, other in (terms, terms[::-1]):
        ours, theirs = comparer.strict.ask(first, other).included, second.includes(first, other)
        assert ours is None or theirs is None or ours is theirs, (base, revision, ours, theirs)
