from __future__ import annotations

from typing import Any

import pytest

from conformance.drift.compare import compare
from tests.drift.pairs import schema_pairs

PAIRS = list(schema_pairs())


@pytest.mark.parametrize(("verdict", "base", "revision"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_a_pair_of_schemas_has_its_verdict(verdict: str, base: dict[str, Any], revision: dict[str, Any]) -> None:
    found = compare(base, revision)
    assert found.verdict == verdict, [change.as_dict() for change in found.changes]
