"""Each row has a fault that breaks it, or says why none can; each fault is one that the suites are held to."""

from __future__ import annotations

from conformance.emulator.faults import FAULTS
from conformance.spec.requirements import load
from tests.measured import found_by

ROWS = load().by_id
BROKEN = {requirement for fault in FAULTS for requirement in fault.breaks}


def _reason(row_id: str) -> str:
    notes = ROWS[row_id].notes
    return str(notes.get("no_fault") or notes.get("unresolved") or "")


def test_every_row_has_a_fault_or_a_reason() -> None:
    assert [row for row in ROWS if row not in BROKEN and len(_reason(row)) < 20] == []


def test_no_row_has_both_a_fault_and_a_reason_for_having_none() -> None:
    assert [row for row in ROWS if row in BROKEN and _reason(row)] == []


def test_every_fault_is_found_by_suites_that_are_written_out() -> None:
    assert [fault for fault, suites in found_by().items() if not suites] == []
