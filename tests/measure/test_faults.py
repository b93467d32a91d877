"""Each fault breaks what it says and nothing else that gates, and each row that gates has a fault or a reason."""

from __future__ import annotations

import os

import pytest

from conformance.emulator.faults import FAULTS, Fault
from conformance.spec.requirements import load
from tests.measured import Seen, measured

ROWS = load().by_id
_GENERATED = {row.id for row in ROWS.values() if row.notes.get("suite") == "generated"}
DIRECTED = [fault for fault in FAULTS if not set(fault.breaks) <= _GENERATED]
"""Faults that the written-out suites must find; the others are for drawn requests, and measured apart."""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Seen | str]:
    """What each fault was seen to break, measured once for all tests of this module."""
    return measured(os.cpu_count() or 2)


@pytest.mark.parametrize("fault", DIRECTED, ids=lambda fault: fault.id)
def test_a_fault_breaks_what_it_says_and_nothing_else_that_gates(fault: Fault, outcomes: dict[str, Seen | str]) -> None:
    seen = outcomes[fault.id]
    assert isinstance(seen, Seen), seen
    assert set(fault.breaks) - _GENERATED <= seen.broken, f"not found; {seen.reason}"
    assert seen.gating <= set(fault.breaks)


def test_every_row_that_gates_has_a_fault_or_a_reason() -> None:
    broken = {requirement for fault in FAULTS for requirement in fault.breaks}
    without = [row.id for row in ROWS.values() if row.gates and row.id not in broken and "no_fault" not in row.notes]
    assert without == []


def test_no_row_has_both_a_fault_and_a_reason_for_having_none() -> None:
    broken = {requirement for fault in FAULTS for requirement in fault.breaks}
    assert [row.id for row in ROWS.values() if "no_fault" in row.notes and row.id in broken] == []
