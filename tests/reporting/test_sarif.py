"""SARIF that code scanning accepts: files of the repository, stable fingerprints, every finding."""

from __future__ import annotations

import copy
import json
from pathlib import PurePosixPath
from typing import Any

import pydantic
import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog

from conformance import data
from conformance.reporting import sarif
from conformance.run.baseline import compare
from tests.reporting import sample


def log(result: dict[str, Any]) -> Any:
    return json.loads(sarif.render(result))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("result", [sample.result(), sample.conformant()], ids=["not-conformant", "conformant"])
def test_it_is_as_the_models_of_the_schema_say(result: dict[str, Any]) -> None:
    SarifLog.model_validate(log(result))


def test_the_models_refuse_what_is_no_sarif() -> None:
    broken = log(sample.result())
    broken["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(pydantic.ValidationError):
        SarifLog.model_validate(broken)


def test_each_broken_and_each_waived_finding_is_a_result() -> None:
    (run,) = log(sample.result())["runs"]
    assert {entry["ruleId"] for entry in run["results"]} == {sample.SAME_ID.id, sample.ALLOW.id, sample.SILENT.id}
    for entry in run["results"]:
        assert run["tool"]["driver"]["rules"][entry["ruleIndex"]]["id"] == entry["ruleId"]
    levels = {entry["ruleId"]: entry["level"] for entry in run["results"] if "suppressions" not in entry}
    assert levels == {sample.SAME_ID.id: "error", sample.ALLOW.id: "warning"}
    assert run["properties"]["counts"] == sample.result()["counts"]


def test_a_waived_finding_is_suppressed_with_its_reason() -> None:
    (entry,) = [e for e in log(sample.result())["runs"][0]["results"] if e["ruleId"] == sample.SILENT.id]
    assert "The gateway is being replaced." in entry["suppressions"][0]["justification"]


def test_every_location_is_a_line_of_the_document_where_the_operation_begins() -> None:
    for entry in log(sample.result())["runs"][0]["results"]:
        (location,) = entry["locations"]
        path = location["physicalLocation"]["artifactLocation"]["uri"]
        assert not PurePosixPath(path).is_absolute()
        text = (data.ROOT / path).read_text(encoding="utf-8").splitlines()
        line = location["physicalLocation"]["region"]["startLine"]
        operation = location["logicalLocations"][0]["fullyQualifiedName"]
        assert any(f"operationId: {operation}" in near for near in text[line - 1 : line + 12])


def test_the_targets_address_is_no_location() -> None:
    for entry in log(sample.result())["runs"][0]["results"]:
        assert not [text for text in strings(entry["locations"]) if "127.0.0.1" in text or "http" in text]


def test_an_operation_the_document_does_not_hold_stands_at_its_first_line() -> None:
    result = sample.result()
    row = next(row for row in result["requirements"] if row["outcome"] == "broken")
    row["findings"][0]["operation"] = "no.such"
    lines = [e["locations"][0]["physicalLocation"]["region"]["startLine"] for e in log(result)["runs"][0]["results"]]
    assert 1 in lines


def test_fingerprints_stay_when_ids_and_times_change() -> None:
    later = copy.deepcopy(sample.result())
    for row in later["requirements"]:
        for finding in row["findings"]:
            finding["actual"] = "another"
    one, two = (
        [e["partialFingerprints"] for e in log(result)["runs"][0]["results"]] for result in (sample.result(), later)
    )
    assert one == two
    assert len({json.dumps(entry) for entry in one}) == len(one)


def test_brackets_of_the_target_make_no_link() -> None:
    result = sample.result()
    row = next(row for row in result["requirements"] if row["outcome"] == "broken")
    row["findings"][0]["actual"] = "[click](https://evil.example)"
    assert "\\[click\\](" in json.dumps(json.loads(sarif.render(result)), ensure_ascii=False).replace("\\\\", "\\")


def test_a_run_without_a_verdict_is_no_success() -> None:
    result = {**sample.conformant(), "verdict": "none", "exit_code": 3, "reason": "No connection."}
    (invocation,) = log(result)["runs"][0]["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "No connection."


def test_a_comparison_says_what_is_new() -> None:
    result = sample.result()
    result["baseline"] = compare(sample.conformant(), result).as_json()
    assert {entry["baselineState"] for entry in log(result)["runs"][0]["results"]} == {"new"}
