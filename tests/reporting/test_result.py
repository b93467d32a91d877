"""The result keeps to its schema, tells the truth about counts, and holds nothing it should not."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import jsonschema_rs
import pytest

from conformance import data
from conformance.model import Finding, Headers, Response
from conformance.reporting.facts import Facts
from conformance.reporting.files import render
from conformance.reporting.result import Circumstances, digests_of, result_of, said
from conformance.run.verdict import conclude
from tests.reporting import sample

SCHEMA = json.loads((data.SPECS / "result.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("result", [sample.result(), sample.conformant()], ids=["not-conformant", "conformant"])
def test_a_result_is_as_its_schema_says(result: dict[str, object]) -> None:
    jsonschema_rs.validator_for({**SCHEMA, "additionalProperties": False}, validate_formats=True).validate(result)
    assert json.loads(render("json", result)) == result


def test_the_schema_is_one() -> None:
    jsonschema_rs.meta.validate(SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"exit_code": 0},
        {"verdict": "green"},
        {"requirements": [{**sample.result()["requirements"][0], "outcome": "untested"}]},
        {"requirements": [{**sample.result()["requirements"][0], "outcome": "broken"}]},
    ],
    ids=str,
)
def test_the_schema_refuses_what_contradicts_itself(change: dict[str, object]) -> None:
    assert not jsonschema_rs.validator_for(SCHEMA).is_valid({**sample.result(), **change})


def test_counts_are_the_requirements_by_outcome() -> None:
    assert sample.result()["counts"] == {"held": 2, "broken": 1, "warnings": 1, "waived": 1, "untested": 1}


def test_a_finding_of_several_exchanges_brings_its_scripts() -> None:
    rows = {row["id"]: row for row in sample.result()["requirements"]}
    (finding,) = rows[sample.SAME_ID.id]["findings"]
    assert [request["operation"] for request in finding["requests"]] == [
        "pipelines.create",
        "pipelines.deploy",
        "pipelines.deploy",
    ]
    assert "take pipeline_pk_id" in finding["script"]
    assert "def test_pipelines_deploy_again_returns_the_same_id" in finding["pytest"]


def test_no_token_and_no_folder_of_this_machine_is_in_it() -> None:
    leak = f"read {Path.cwd()}/model.onnx and {tempfile.gettempdir()}/x, Authorization: Bearer {sample.TOKEN}"
    finding = Finding(sample.INTEGER.id, False, leak, leak, (sample.CREATE,), "pipelines.create")
    run = Circumstances(
        "live", f"https://user:{sample.TOKEN}@host/base?token={sample.TOKEN}", scope=leak, extra={"x": [leak]}
    )
    facts = Facts()
    text = json.dumps(result_of(conclude(sample.ROWS[:1], [finding], (), sample.TODAY, incident=leak), run, facts))
    assert sample.TOKEN not in text
    assert str(Path.cwd()) not in text
    assert f"{tempfile.gettempdir()}/" not in text


def test_a_very_long_answer_is_cut_and_says_so() -> None:
    assert said("x" * 5_000).endswith("… (5000 characters in all)")


def test_the_failing_answer_is_there_and_the_one_before_that_was_asked_alike() -> None:
    rows = {row["id"]: row for row in sample.result()["requirements"]}
    (finding,) = rows[sample.SAME_ID.id]["findings"]
    answers = [request.get("answer", {}).get("body") for request in finding["requests"]]
    assert answers == [None, '{"id": 14}', '{"id": 15}']
    assert finding["requests"][-1]["answer"]["headers"] == [["Content-Type", "application/json"]]
    assert finding["requests"][-1]["answer"]["size"] == 10


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (f'{{"token": "{sample.TOKEN}"}}'.encode(), ""),
        (b"\xff\x00ARROW", "binary"),
        (b"x" * 100_000, "characters in all"),
    ],
    ids=["secret", "binary", "long"],
)
def test_an_answer_is_redacted_bounded_and_told_where_it_is_no_text(body: bytes, shown: str) -> None:
    answer = Response(200, Headers({"Content-Type": "application/json", "Set-Cookie": "s=verysecret"}), body)
    finding = Finding(
        sample.SAME_ID.id, False, "a", "b", (replace(sample.DEPLOY, response=answer),), "pipelines.deploy"
    )
    text = json.dumps(result_of(conclude(sample.ROWS, [finding], (), sample.TODAY), sample.RUN, sample.FACTS))
    assert sample.TOKEN not in text
    assert "verysecret" not in text
    assert shown in text
    assert len(text) < 60_000


def test_it_carries_the_digests_of_what_it_was_reached_by() -> None:
    one, two = digests_of("2023.4"), digests_of("2026.1")
    assert sample.result()["digests"] == one
    assert one["suite"] == two["suite"]
    assert one["spec"] != two["spec"]
    assert one["catalogue"] != two["catalogue"]
