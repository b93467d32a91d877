from __future__ import annotations

import time

import pytest

from conformance.drift.compare import compare
from conformance.drift.schema import languages
from conformance.drift.schema.languages import NotRegularError, language_of
from tests.drift.pairs import description

NESTED = "^(a{1,1000}){1,1000}$"


@pytest.mark.parametrize("pattern", ["[z-a]", "a{2,1}", "^(a", "*a", "(a)\\1", "(?<=a)b"])
def test_what_is_no_regular_language_is_not_compared_as_one(pattern: str) -> None:
    with pytest.raises(NotRegularError):
        language_of(pattern)


@pytest.mark.parametrize("pattern", ["^(a{1,100}){1,100}$", NESTED])
def test_repetitions_of_repetitions_are_given_up_in_bounded_time(pattern: str) -> None:
    beyond = languages.both(language_of(pattern), languages.negate(language_of("^(a+)+$")))
    began = time.process_time()
    with pytest.raises(OverflowError):
        languages.shortest(beyond)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("pattern", [NESTED, "^(a(b", "[z-a]"])
def test_a_pattern_that_no_validator_takes_leaves_a_change_without_a_witness(pattern: str) -> None:
    base, revision = (description({"type": "string", "pattern": one}, "request", {}) for one in ("^(a+)+$", pattern))
    found = compare(base, revision)
    (kind,) = {change.kind for change in found.changes}
    assert kind.startswith("request-pattern") or (kind == "request-schema-undecided" and pattern == NESTED)
    assert found.verdict == "breaking"
    assert "^(a+)+$" in found.changes[0].message
    assert all("no witness was found" in change.message for change in found.changes if change.breaking)
