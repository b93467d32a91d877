"""Recordings become plans that make what they use, and differences say who stands alone in them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from conformance.api import multipart
from conformance.compare.answers import Reader
from conformance.compare.plan import RUNNING
from conformance.compare.reissue import (
    ALL,
    EMULATED,
    RECORDING,
    SERVICE,
    Difference,
    Reissue,
    differences,
    judged,
    reissues,
)
from conformance.compare.side import Pass
from conformance.model import Exchange, Mark, Request, Response
from conformance.recording.recording import Recording
from tests.compare.made import ORIGIN, exchange

MODEL = b"a model"
SHA = "d97d3bd1aefd7d0c1e2bb8c1cd2bb0cb71ca4d6a6c8d02b0b4a9cbd9f0d5aa11"


def planned(*exchanges: Exchange) -> Reissue:
    recordings = [Recording(one, name=f"r{n}", session="s", order=n) for n, one in enumerate(exchanges)]
    (plan,) = reissues(recordings, MODEL)
    return plan


def operations(plan: Reissue) -> list[str]:
    return [step.operation for step in plan.plan.steps]


def deployed(**more: Any) -> Exchange:
    body = {"deploy_id": "p", "pipeline_id": 25, "pipeline_version_pk_id": 26} | more
    return exchange("pipelines.deploy", body, {"id": 14})


def test_what_nothing_makes_is_made_first_and_has_the_recorded_ids() -> None:
    plan = planned(deployed(models=[{"name": "m", "version": "v", "sha": SHA}]))
    made = ["workspaces.create", "models.upload-and-convert", "models.list-versions", "pipelines.create"]
    assert operations(plan) == [*made, "pipelines.deploy"]
    create = plan.plan.steps[3].exchange
    assert create.answer["pipeline_pk_id"] == 25
    assert create.answer["pipeline_variant_pk_id"] == 26
    assert plan.plan.steps[2].exchange.answer[0]["model_version"] == "v"
    assert list(plan.recordings) == [5]


def test_what_an_earlier_recording_makes_is_not_made_again() -> None:
    created = exchange(
        "pipelines.create",
        {"pipeline_id": "p", "workspace_id": 10, "definition": {}},
        {"pipeline_pk_id": 25, "pipeline_variant_pk_id": 26, "pipeline_variant_version": "v"},
    )
    made = exchange("workspaces.create", {"workspace_name": "w"}, {"workspace_id": 10})
    assert operations(planned(made, created, deployed())) == [
        "workspaces.create",
        "pipelines.create",
        "pipelines.deploy",
    ]


def test_every_name_is_the_runs_own_in_requests_answers_and_urls() -> None:
    asked = {"workspace_id": 10, "pipeline_name": "p"}
    url = exchange("admin.get-pipeline-external-url", asked, {"url": "https://h/v1/api/pipelines/infer/p-14/p"})
    step = planned(deployed(), url).plan.steps[-1].exchange
    assert step.question["pipeline_name"] == "conformance-00000000-p"
    assert step.answer["url"] == "https://h/v1/api/pipelines/infer/conformance-00000000-p-14/conformance-00000000-p"
    for one in planned(deployed(), url).plan.steps:
        assert b'"p"' not in one.exchange.request.body


def test_a_long_name_is_shortened_and_keeps_apart_from_its_like() -> None:
    plans = [planned(deployed(deploy_id=f"{'x' * 60}{end}")) for end in "ab"]
    names = [plan.plan.steps[-1].exchange.question["deploy_id"] for plan in plans]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 for name in names)


def test_an_upload_of_an_unknown_file_is_of_our_model_under_the_recorded_name() -> None:
    metadata = json.dumps({"name": "m", "workspace_id": 10}).encode()
    kind, body = multipart.encode(
        [multipart.Part("metadata", metadata, "application/json"), multipart.Part("file", b"", "", "old.onnx")]
    )
    upload = exchange("models.upload-and-convert", {}, {"insert_models": {"returning": [{"models": [{"id": 5}]}]}})
    request = replace(upload.request, headers=type(upload.request.headers)({"Content-Type": kind}), body=body)
    step = planned(replace(upload, request=request)).plan.steps[-1].exchange.request
    file = multipart.decode(step.headers["content-type"], step.body)["file"]
    assert (file.content, file.filename) == (MODEL, "old.onnx")


def test_rows_are_sent_to_what_was_seen_to_run() -> None:
    path = "/v1/api/pipelines/infer/p-14/p"
    rows = Exchange(
        Request("POST", ORIGIN + path, body=b"[]"), Response(200, body=b"[]"), "pipelines.infer",
        {"deployment": "p-14", "pipeline_name": "p"},
    )  # fmt: skip
    plan = planned(rows)
    assert operations(plan)[-3:] == ["pipelines.deploy", "status.get-deployment", "pipelines.infer"]
    assert plan.plan.steps[-2].awaits == RUNNING


def test_what_is_no_operation_or_was_not_kept_is_not_sent() -> None:
    lost = replace(deployed(), request=replace(deployed().request, body=b"", body_known=False))
    other = replace(deployed(), operation=None)
    plan = planned(lost, other)
    assert plan.plan.steps == ()
    assert [why for _, why in plan.left_out] == [
        "What was asked was not recorded.",
        "It is of no operation described here, so that nobody can say what it would touch.",
    ]


def told(
    one: Any, other: Any, status: int = 200, operation: str = "pipelines.deploy", **more: Any
) -> list[tuple[str, str]]:
    pair = [exchange(operation, {}, body, status=code) for body, code in ((one, 200), (other, status))]
    first, second = (Reader("00000000", ORIGIN).read(each, 1) for each in pair)
    return [(found.place, found.kind) for found in differences(first, second, operation, 1, **more)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"id": 14}, {"id": 99}, []),
        ({"a": 1}, {}, [("body.a", "gone")]),
        ({}, {"a": 1}, [("body.a", "new")]),
        ({"a": 1}, {"a": "1"}, [("body.a", "type")]),
        ({"a": 1}, {"a": None}, [("body.a", "null")]),
        ({"a": "x"}, {"a": "y"}, [("body.a", "value")]),
        ({"a": [0.5]}, {"a": [0.5 + 1e-8]}, []),
        ({"a": [0.5]}, {"a": [0.501]}, [("body.a", "value")]),
        ({"a": [{"b": 1}]}, {"a": [{"b": True}]}, [("body.a[].b", "type")]),
        ({"a": '{"b": 1}'}, {"a": '{"b": "1"}'}, [("body.a.(text of).b", "type")]),
        (None, {}, [("body", "null")]),
    ],
)
def test_a_difference_has_its_place_and_its_kind(one: Any, other: Any, expected: list[tuple[str, str]]) -> None:
    assert told(one, other) == expected


def test_a_status_that_was_not_recorded_tells_a_success_from_a_refusal_alone() -> None:
    assert told({"id": 1}, {"id": 1}, 202, exact=False) == []
    assert told({"id": 1}, {"id": 1}, 202) == [("status", "status")]
    assert told({"id": 1}, {"id": 1}, 404, exact=False) == [("status", "status")]


def answered(plan: Reissue, body: Any) -> Pass:
    """The plan as a side answered it, whose last answer is this body."""
    answers = {step.number: step.exchange for step in plan.plan.steps}
    last = max(answers)
    response = answers[last].response
    assert response is not None
    answers[last] = replace(answers[last], response=replace(response, status=200, body=json.dumps(body).encode()))
    return Pass("00000000", ORIGIN, answers)


@pytest.mark.parametrize(
    ("service", "emulated", "alone"),
    [
        ({}, None, SERVICE),
        ({}, {}, RECORDING),
        (None, {}, EMULATED),
        ({}, "x", ALL),
    ],
)
def test_who_stands_alone_is_told(service: Any, emulated: Any, alone: str) -> None:
    plan = planned(deployed(), exchange("pipelines.undeploy", {"deployment_id": 14}, None))
    done = judged(plan, answered(plan, service), answered(plan, emulated), "2023.4")
    assert {one.alone for one in done.told} == {alone}
    assert done.asked == 2
    assert all(isinstance(one.difference, Difference) for one in done.told)


def test_the_services_answers_come_back_as_recordings_of_its_release() -> None:
    plan = planned(replace(deployed(), labels=frozenset({Mark.STATUS_INFERRED})))
    (kept,) = judged(plan, answered(plan, {"id": 7}), answered(plan, {"id": 7}), "2026.1").answers
    assert (kept.release, kept.session, kept.exchange.answer) == ("2026.1", "s", {"id": 7})
    assert Mark.STATUS_INFERRED not in kept.labels
