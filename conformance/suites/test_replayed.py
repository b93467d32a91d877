"""The recordings that come with the package, each judged by every check in its place: offline, and of no target.

What they show is evidence of what was recorded, so it takes no part in a target's verdict. Each is held to the release
it was recorded of; a run that is about another release leaves it out, since it says nothing of that one.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from conformance.checks import Rules, judge
from conformance.data import FIXTURES
from conformance.ledger import Ledger
from conformance.model import Exchange
from conformance.recording.judgement import in_order
from conformance.recording.traffic import read
from conformance.run.settings import Settings

_RECORDINGS = FIXTURES / "recordings"


@cache
def _rules(release: str) -> Rules:
    return Rules.of(release)


@cache
def _recorded(release: str) -> dict[str, tuple[Exchange, Ledger]]:
    """Each recording with what its session had said before it, by operation and file, as that release describes it."""
    traffic = read([_RECORDINGS], _rules(release).document)
    placed = (pair for _, exchanges in traffic for pair in in_order(exchanges))
    return {_name(Path(exchange.source)): (exchange, ledger) for exchange, ledger in placed}


def _name(file: Path) -> str:
    return file.relative_to(_RECORDINGS).with_suffix("").as_posix()


def _releases() -> list[object]:
    """Each recording's name and release."""
    files = sorted(_RECORDINGS.rglob("*.json"))
    return [pytest.param(_name(file), json.loads(file.read_bytes())["release"], id=_name(file)) for file in files]


@pytest.mark.parametrize(("name", "release"), _releases())
def test_a_recorded_exchange_keeps_every_promise_it_speaks_of(settings: Settings, name: str, release: str) -> None:
    if release != settings.profile:
        pytest.skip(f"It was recorded from release {release}, so it tells nothing about release {settings.profile}.")
    exchange, before = _recorded(release)[name]
    findings = judge(exchange, before, _rules(release))
    broken = {
        finding.requirement: f"expected {finding.expected}, got {finding.actual}"
        for finding in findings
        if not finding.held
    }
    assert findings, "no requirement was exercised"
    assert not broken
