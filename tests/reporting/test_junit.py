"""JUnit XML that CI servers read: valid, with the promise beside each case, failures counting what gates."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import xmlschema

from conformance.reporting import junit
from tests.reporting import sample

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def cases(result: dict[str, Any]) -> dict[str, ET.Element]:
    text = junit.render(result)
    SCHEMA.validate(text)
    return {case.get("name", ""): case for case in ET.fromstring(text).iter("testcase")}


def failed(case: ET.Element) -> bool:
    return case.find("failure") is not None


def test_each_requirement_is_a_case_with_its_promise_as_properties() -> None:
    case = cases(sample.result())[sample.SAME_ID.id]
    said = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert (said["id"], said["text"], said["source"]) == (sample.SAME_ID.id, sample.SAME_ID.text, sample.SAME_ID.source)
    assert case.get("classname") == "pipelines.deploy"


def test_failures_are_what_gates_and_nothing_else() -> None:
    found = cases(sample.result())
    assert [name for name, case in found.items() if failed(case)] == [sample.SAME_ID.id]
    skipped = {
        name: case.find("skipped").get("message") for name, case in found.items() if case.find("skipped") is not None
    }  # type: ignore[union-attr]
    assert skipped.keys() == {sample.ALLOW.id, sample.SILENT.id, sample.SECOND.id}
    assert str(skipped[sample.ALLOW.id]).startswith("warning")
    assert str(skipped[sample.SILENT.id]).startswith("waived")
    assert str(skipped[sample.SECOND.id]).startswith("untested")


def test_totals_are_the_sums_of_the_suites() -> None:
    root = ET.fromstring(junit.render(sample.result()))
    totals = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert totals == {"tests": "6", "failures": "1", "errors": "0", "skipped": "3"}
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))


def test_a_failure_shows_how_to_see_it() -> None:
    failure = cases(sample.result())[sample.SAME_ID.id].find("failure")
    assert failure is not None
    assert failure.get("message") == "expected the id of the first deployment, actual 15, not 14"
    assert "curl -sS" in (failure.text or "")


def test_no_verdict_is_an_error_so_that_no_reader_takes_it_for_success() -> None:
    case = cases({**sample.conformant(), "verdict": "none", "exit_code": 3, "reason": "No connection."})["verdict"]
    error = case.find("error")
    assert error is not None
    assert error.get("message") == "No connection."


def test_a_run_that_fails_for_a_waiver_alone_shows_a_failure() -> None:
    result = {**sample.conformant(), "verdict": "not-conformant", "exit_code": 1, "reason": "The waiver is stale."}
    assert [name for name, case in cases(result).items() if failed(case)] == ["verdict"]


@pytest.mark.parametrize("text", ["\x00\x08\x1b[2J\ud800\ufffe", "]]>", "<!-- & -->", "\u2028\U0001f600"], ids=ascii)
def test_text_that_xml_cannot_hold_leaves_the_file_readable(text: str) -> None:
    result = sample.result()
    for row in result["requirements"]:
        row["text"] += text
        for finding in row["findings"]:
            finding |= {"actual": text, "expected": text}
    assert len(cases(result)) == 6
