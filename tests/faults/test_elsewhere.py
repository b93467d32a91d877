"""Each fault of what other suites than the lifecycle show breaks what it says, and nothing else that gates."""

from __future__ import annotations

import pytest

from conformance.emulator.faults import FOUND_BY_SUITES, Fault
from tests.measured import WRITTEN, Apart, found_by, inexact, seen_with

HERE = [fault for fault in FOUND_BY_SUITES if "lifecycle" not in found_by()[fault.id]]


@pytest.mark.parametrize("fault", HERE, ids=lambda fault: fault.id)
def test_a_fault_breaks_what_it_says_and_nothing_else_that_gates(fault: Fault, process: Apart) -> None:
    assert inexact(fault, process.with_fault(fault)) == ""


def test_an_instance_without_faults_breaks_nothing(process: Apart) -> None:
    seen = process.do(seen_with, (), WRITTEN)
    assert seen.broken == set()
    assert seen.reason.startswith("Nothing that gates is broken")
