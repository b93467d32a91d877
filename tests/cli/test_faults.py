"""`conformance faults`: what it lists, and what it measures."""

from __future__ import annotations

import json

from conformance.cli.measurement import Measured, markdown
from conformance.emulator.faults import FAULTS
from tests.cli.conftest import Run


def test_every_fault_is_listed_with_what_it_breaks(conformance: Run) -> None:
    outcome = conformance("faults", "--json")
    assert outcome.returncode == 0, outcome.stderr
    listed = {row["id"]: row for row in json.loads(outcome.stdout)}
    assert list(listed) == [fault.id for fault in FAULTS]
    assert all(row["breaks"] and row["class"] and row["sentence"].endswith(".") for row in listed.values())


def test_a_measured_fault_is_found_in_a_quick_run(conformance: Run) -> None:
    outcome = conformance("faults", "--measure", "--only", "deploy-again-gives-a-new-id", "--budget", "quick")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "| all | 1 | 1 (100 %) | 1 |" in outcome.stdout
    assert "Missed: none." in outcome.stdout


def test_an_unknown_fault_is_wrong_usage(conformance: Run) -> None:
    outcome = conformance("faults", "--measure", "--only", "deploy-again-gives-a-new-idd")
    assert outcome.returncode == 2
    assert "the nearest is 'deploy-again-gives-a-new-id'" in outcome.stderr


def test_the_table_counts_what_each_budget_found_and_names_what_none_did() -> None:
    first, second, third = FAULTS[:3]
    table = markdown(
        [
            Measured(first, "quick", (), True, 1.0),
            Measured(second, "standard", ("api.some-other",), True, 3.0),
            Measured(third, "", (), False, None),
        ],
        "standard",
    )
    assert table.splitlines()[0] == (
        "| class | faults | found in quick | found in standard | exit 1 | first finding (median s) "
        "| requirements seen (least) |"
    )
    assert "| all | 3 | 1 (33 %) | 2 (66 %) | 2 | 2.0 |" in table
    assert f"Missed: {third.id}." in table
    assert f"Besides its own, `{second.id}` broke api.some-other." in table
