from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.model import Exchange, Headers, Request, Response
from tests.oracles.comparison import Aspect, compare
from tests.oracles.identities import ContradictionError, Identities, readdressed, translated


def answered(
    body: Any, status: int | None = 200, operation: str = "pipelines.deploy", kind: str = "application/json"
) -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = Headers({"Content-Type": kind})
    return Exchange(Request("POST", "http://x/"), Response(status, headers, content), operation)


def differences(one: Exchange, other: Exchange) -> list[tuple[str, str, bool]]:
    found, _ = compare(one, other, Identities())
    return [(d.aspect.value, d.location, d.breaking) for d in found]


def test_answers_that_differ_in_identity_alone_agree() -> None:
    assert differences(answered({"id": 14}), answered({"id": 99})) == []


def test_answers_that_differ_in_time_alone_agree() -> None:
    one = [{"time": 1, "out": {"y": [0.5]}, "metadata": {"elapsed": [1, 2], "last_model": '{"model_name":"m"}'}}]
    other = [
        {"time": 9, "out": {"y": [0.5 + 1e-8]}, "metadata": {"elapsed": [3, 4], "last_model": '{ "model_name": "m" }'}}
    ]
    operation = "pipelines.infer"
    assert differences(answered(one, operation=operation), answered(other, operation=operation)) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": 1}, {}, ("shape", "response.200.body.a", True)),
        ({}, {"a": 1}, ("shape", "response.200.body.a", False)),
        ({"a": 1}, {"a": "1"}, ("shape", "response.200.body.a", True)),
        ({"a": 1}, {"a": 1.5}, ("shape", "response.200.body.a", True)),
        ({"a": 1}, {"a": None}, ("shape", "response.200.body.a", True)),
        ({"a": None}, {"a": 1}, ("shape", "response.200.body.a", False)),
        ({"a": [{"b": 1}]}, {"a": [{"b": True}]}, ("shape", "response.200.body.a[].b", True)),
        ({"a": "x"}, {"a": "y"}, ("value", "response.200.body.a", False)),
        ({"a": 0.5}, {"a": 0.501}, ("value", "response.200.body.a", False)),
        ({"a": [1]}, {"a": [1, 2]}, ("value", "response.200.body.a", False)),
        ({"a": '{"b": 1}'}, {"a": '{"b": "1"}'}, ("shape", "response.200.body.a.b", True)),
        (None, {}, ("shape", "response.200.body", False)),
    ],
)
def test_a_difference_has_its_place_its_aspect_and_whether_it_breaks(one: Any, other: Any, expected: Any) -> None:
    assert differences(answered(one), answered(other)) == [expected]


@pytest.mark.parametrize(
    ("one", "other", "breaking"), [(200, 404, True), (200, 202, True), (404, 200, False), (404, 400, False)]
)
def test_another_status_breaks_where_it_was_a_success(one: int, other: int, breaking: bool) -> None:
    assert differences(answered({}, one), answered({}, other)) == [("status", f"response.{one}", breaking)]


def test_media_types_are_compared_without_charset() -> None:
    assert differences(answered({}), answered({}, kind="application/json; charset=utf-8")) == []
    found = differences(answered({}), answered({}, kind="text/plain"))
    assert found == [("media type", "response.200.content.application/json", True)]


def test_what_was_not_recorded_is_not_compared() -> None:
    unknown = Exchange(Request("POST", "/"), Response(None, body_known=False, headers_known=False), "pipelines.deploy")
    assert differences(unknown, answered({"id": 1}, 500)) == []


def test_an_answer_that_did_not_come_is_a_difference() -> None:
    assert differences(answered({}), Exchange(Request("POST", "/"), None)) == [("status", "response", True)]


def test_json_against_none_is_another_shape() -> None:
    assert differences(answered({}), answered(b"")) == [("shape", "response.200.body", True)]


def test_ids_are_learned_and_a_contradiction_is_a_difference() -> None:
    found, identities = compare(answered({"id": 14}), answered({"id": 99}), Identities())
    assert not found
    (difference,), same = compare(answered({"id": 14}), answered({"id": 98}), identities)
    assert (difference.aspect, difference.breaking) == (Aspect.IDENTITY, True)
    assert difference.message == "deployment 14 was 99 before, and is 98 now"
    (difference,), _ = compare(answered({"id": 15}), answered({"id": 99}), same)
    assert difference.message == "deployment 99 stood for 14 before, and stands for 15 now"


def test_names_and_urls_of_deployments_carry_ids() -> None:
    url = "https://h.api.x/v1/api/pipelines/infer/{}/p"
    one = answered({"url": url.format("p-14")}, operation="admin.get-pipeline-external-url")
    other = answered(
        {"url": url.format("p-7").replace("h.api.x", "127.0.0.1:1")}, operation="admin.get-pipeline-external-url"
    )
    found, identities = compare(one, other, Identities())
    assert not found
    assert identities.mapped("deployment name", "p-14") == "p-7"
    wrong = answered({"url": url.format("q-7")}, operation="admin.get-pipeline-external-url")
    (difference,), _ = compare(one, wrong, identities)
    assert difference.aspect is Aspect.IDENTITY


def test_requests_are_translated_by_what_was_learned() -> None:
    identities = Identities().learn("pipeline", 28, 3).learn("deployment", 14, 1).learn("model_version", "u", "v")
    question = {"deploy_id": "p", "pipeline_id": 28, "models": [{"name": "m", "version": "u", "sha": "s"}], "other": 28}
    assert translated("pipelines.deploy", question, identities) == {
        "deploy_id": "p", "pipeline_id": 3, "models": [{"name": "m", "version": "v", "sha": "s"}], "other": 28,
    }  # fmt: skip
    request = Request("POST", "https://real/v1/api/pipelines/infer/my-p-14/my-p?x=1")
    assert readdressed(request, "http://127.0.0.1:9", identities).url == (
        "http://127.0.0.1:9/v1/api/pipelines/infer/my-p-1/my-p?x=1"
    )


def test_identities_are_values() -> None:
    empty = Identities()
    empty.learn("pipeline", 1, 2)
    assert empty.mapped("pipeline", 1) == 1
    with pytest.raises(ContradictionError):
        empty.learn("pipeline", 1, 2).learn("pipeline", 1, 3)
