"""Results side by side: every verdict, every group, and what a reader must know before comparing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from conformance.reporting.matrix import Cell, badge, markdown, matrix_of, page


def result(profile: str, verdict: str = "conformant", suite: str = "s", **outcomes: str) -> dict[str, Any]:
    rows = [
        {"id": name.replace("__", ".").replace("_", "-"), "outcome": outcome, "gates": outcome == "broken"}
        for name, outcome in outcomes.items()
    ]
    target = {"kind": "live", "url": f"https://{profile}.example.com"}
    return {
        "profile": profile,
        "verdict": verdict,
        "target": target,
        "scope": "everything",
        "requirements": rows,
        "digests": {"suite": suite},
    }


OLD = result("2023.4", pipelines__create__gives_an_id="held", pipelines__copy__copies="held")
NEW = result(
    "2026.1", "not-conformant", pipelines__create__gives_an_id="broken", pipelines__create__gives_a_name="held"
)


def test_a_group_is_counted_in_each_result() -> None:
    found = dict(matrix_of([OLD, NEW]).rows)
    assert found["pipelines.create"] == (Cell(held=1), Cell(held=1, broken=1, gates=True))
    assert found["pipelines.copy"] == (Cell(held=1), Cell())


def test_the_table_says_each_verdict_and_what_a_release_lacks() -> None:
    text = markdown(matrix_of([OLD, NEW]))
    assert "| **verdict** | **conformant** | **not conformant** |" in text
    assert "| `pipelines.copy` | ✓ 1 held | – |" in text
    assert "✗ 1 broken, 1 held" in text


def test_results_of_two_versions_of_the_suite_are_said_to_be_so() -> None:
    assert matrix_of([OLD, NEW]).notes == ()
    (note,) = matrix_of([OLD, NEW | {"digests": {"suite": "other"}}]).notes
    assert "different versions of the suite" in note


def test_the_page_escapes_what_results_say_and_counts_the_conformant() -> None:
    hostile = OLD | {"target": {"kind": "live", "url": "https://<script>.example.com"}}
    text = page(matrix_of([hostile, NEW]))
    assert "1 of 2 conformant" in text
    assert "<script>.example.com" not in text


def test_a_badge_is_an_image_that_says_its_verdict_in_words() -> None:
    root = ET.fromstring(badge(NEW))
    assert root.attrib["aria-label"] == "conformance 2026.1: not conformant"
