"""`conformance report`: every report again from one result, which all of them agree with."""

from __future__ import annotations

import json
import re
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import xmlschema
from markdown_it import MarkdownIt
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog

from conformance import data
from conformance.cli import main
from conformance.recording.leaks import scan
from tests.reporting import sample

KINDS = {"json": "r.json", "junit": "r.xml", "html": "r.html", "markdown": "r.md", "sarif": "r.sarif"}


def code(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    (tmp_path / "result.json").write_text(json.dumps(sample.result()), encoding="utf-8")
    return tmp_path / "result.json"


@pytest.fixture
def reports(result: Path, tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "reports"
    folder.mkdir()
    asked = [argument for kind, name in KINDS.items() for argument in ("--report", f"{kind}={folder / name}")]
    assert code("report", result, *asked) == 0
    return {kind: folder / name for kind, name in KINDS.items()}


def test_each_report_is_as_its_formats_own_schema_says(reports: dict[str, Path]) -> None:
    schema = json.loads((data.SPECS / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema_rs.validator_for(schema).validate(json.loads(reports["json"].read_bytes()))
    xmlschema.XMLSchema(Path(__file__).parent.parent / "reporting/junit.xsd").validate(str(reports["junit"]))
    SarifLog.model_validate_json(reports["sarif"].read_bytes())


def counts_of(kind: str, text: str) -> dict[str, int]:
    """What a report says of broken, warnings, waived, untested and held; SARIF and JUnit of what they count."""
    if kind == "json":
        return dict(json.loads(text)["counts"])
    if kind == "sarif":
        return dict(json.loads(text)["runs"][0]["properties"]["counts"])
    if kind == "html":
        found = re.findall(r'<li class="(\w+)(?: none)?"><b>(\d+)</b>', text)
        return {name: int(number) for name, number in found}
    if kind == "markdown":
        table = MarkdownIt("commonmark").enable("table").render(text)
        names, numbers = re.findall(r"<th[^>]*>(.*?)</th>", table)[:5], re.findall(r"<td[^>]*>(.*?)</td>", table)[:5]
        return dict(zip(names, map(int, numbers), strict=True))
    outcomes = [
        str(item.get("value")) for item in ET.fromstring(text).iter("property") if item.get("name") == "outcome"
    ]
    failed = len(list(ET.fromstring(text).iter("failure")))
    counts = {name: outcomes.count(name) for name in ("held", "waived", "untested")}
    return {**counts, "broken": failed, "warnings": outcomes.count("broken") - failed}


@pytest.mark.parametrize("kind", KINDS)
def test_all_reports_tell_the_same_counts(kind: str, reports: dict[str, Path]) -> None:
    assert counts_of(kind, reports[kind].read_text(encoding="utf-8")) == sample.result()["counts"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_report_holds_a_token_a_password_or_a_folder_of_this_machine(kind: str, reports: dict[str, Path]) -> None:
    text = reports[kind].read_text(encoding="utf-8")
    assert list(scan([reports[kind]])) == []
    for secret in (sample.TOKEN, str(Path.home()) + "/", tempfile.gettempdir() + "/", str(data.ROOT)):
        assert secret not in text


def test_the_verdict_is_printed_again_and_the_exit_code_is_of_the_rendering(result: Path, capsys: Any) -> None:
    assert code("report", result) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("NOT CONFORMANT  1 broken, 1 warning")


def test_a_result_is_compared_with_an_earlier_one(result: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "earlier.json").write_text(json.dumps(sample.conformant()), encoding="utf-8")
    assert code("report", result, "--baseline", tmp_path / "earlier.json") == 0
    assert f"newly broken: {sample.ALLOW.id}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.json"], "cannot be read"),
        (["RESULT", "--report", "htm=x.html"], "the nearest is 'html'"),
        (["RESULT", "--report", "html=no/folder/x.html"], "there is no folder"),
        (["RESULT", "--baseline", "nowhere.json"], "cannot be read"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_2(arguments: list[str], said: str, result: Path, capsys: Any) -> None:
    assert code("report", *(result if argument == "RESULT" else argument for argument in arguments)) == 2
    assert said in capsys.readouterr().err
