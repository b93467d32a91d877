"""The recordings that come with the package, each judged by every check in its place: offline, and of no target.

What they show is evidence of what was recorded, so it takes no part in a target's verdict.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from conformance.checks import Rules, judge
from conformance.data import FIXTURES
from conformance.ledger import Ledger
from conformance.model import Exchange
from conformance.recording.sequence import in_order
from conformance.recording.traffic import read


@cache
def _rules() -> Rules:
    return Rules.of()


@cache
def _recorded() -> dict[str, tuple[Exchange, Ledger]]:
    """Each recording with what its session had said before it, by operation and file."""
    traffic = read([FIXTURES / "recordings"], _rules().document)
    placed = (pair for _, exchanges in traffic for pair in in_order(exchanges))
    return {_name(exchange): (exchange, ledger) for exchange, ledger in placed}


def _name(exchange: Exchange) -> str:
    return Path(exchange.source).relative_to(FIXTURES / "recordings").with_suffix("").as_posix()


@pytest.mark.parametrize("name", sorted(_recorded()))
def test_a_recorded_exchange_keeps_every_promise_it_speaks_of(name: str) -> None:
    exchange, before = _recorded()[name]
    findings = judge(exchange, before, _rules())
    broken = {
        finding.requirement: f"expected {finding.expected}, got {finding.actual}"
        for finding in findings
        if not finding.held
    }
    assert findings, "no requirement was exercised"
    assert not broken
