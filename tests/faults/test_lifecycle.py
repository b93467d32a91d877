"""Each fault of what the lifecycle shows breaks what it says, and nothing else that gates."""

from __future__ import annotations

import pytest

from conformance.emulator.faults import FOUND_BY_SUITES, Fault
from tests.measured import Apart, found_by, inexact

HERE = [fault for fault in FOUND_BY_SUITES if "lifecycle" in found_by()[fault.id]]


@pytest.mark.parametrize("fault", HERE, ids=lambda fault: fault.id)
def test_a_fault_breaks_what_it_says_and_nothing_else_that_gates(fault: Fault, process: Apart) -> None:
    assert inexact(fault, process.with_fault(fault)) == ""
