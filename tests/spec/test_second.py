"""openapi-core judges the first message of each kind too; where it contradicts us that is our incident."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from conformance.model import Exchange, Headers, Request, Response
from conformance.spec.document import Document
from conformance.spec.second import SecondJudge
from conformance.spec.validation import FastValidator

DOCUMENT = Document.load()
JSON = Headers({"Content-Type": "application/json", "Authorization": "Bearer x"})


def exchange(body: bytes = b'{"id": 14}', status: int = 200) -> Exchange:
    question = b'{"deploy_id": "p", "pipeline_id": 25, "pipeline_version_pk_id": 26}'
    request = Request("POST", "http://x/v1/api/pipelines/deploy", JSON, question)
    return Exchange(request, Response(status, JSON, body), "pipelines.deploy")


@pytest.fixture
def judge() -> SecondJudge:
    return SecondJudge(DOCUMENT, FastValidator(DOCUMENT))


@pytest.mark.parametrize("body", [b'{"id": 14}', b'{"id": "14"}', b"no JSON"])
def test_where_both_answer_alike_nothing_is_said(judge: SecondJudge, body: bytes) -> None:
    assert list(judge.contradictions(exchange(body))) == []


def test_where_they_disagree_both_answers_are_told_once_for_each_kind(judge: SecondJudge) -> None:
    judge._first = SimpleNamespace(request_problems=lambda e: [], response_problems=lambda e: [])  # type: ignore[assignment]
    (said,) = judge.contradictions(exchange(b'{"id": "14"}'))
    assert "disagree on a response of pipelines.deploy with status 200" in said
    assert "ours says it is as described" in said
    assert "openapi-core says not as described (schema at $.id)" in said
    assert list(judge.contradictions(exchange(b'{"id": "15"}'))) == []
    assert list(judge.contradictions(exchange(b'{"id": 16}', 400)))  # another status is another kind


def test_a_fault_of_the_library_is_told_as_one(judge: SecondJudge) -> None:
    def fails(exchange: Exchange) -> Any:
        raise KeyError("inside")

    judge._second = SimpleNamespace(request_problems=fails, response_problems=lambda e: [])  # type: ignore[assignment]
    (said,) = judge.contradictions(exchange())
    assert said.startswith("openapi-core could not judge a request of pipelines.deploy (KeyError)")


def test_what_is_of_no_operation_or_was_not_answered_is_passed_over(judge: SecondJudge) -> None:
    assert list(judge.contradictions(replace(exchange(), operation=None))) == []
    assert list(judge.contradictions(replace(exchange(), response=None))) == []
