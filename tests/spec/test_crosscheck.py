from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.model import Exchange, Headers, Request, Response
from conformance.spec.content import is_json
from conformance.spec.crosscheck import DocumentValidator, SecondJudge
from conformance.spec.document import Document
from conformance.spec.problems import Kind, Problem
from conformance.spec.validation import FastValidator

ODD_VALUES = (None, "x", 7, True, 0.5, [], {})
OPERATIONS = [operation.id for operation in Document.load().operations]


def _places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place within a value; of an array the first item stands for all."""
    yield place
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*place, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*place, 0))


def _mutants(value: Any, odd_values: tuple[Any, ...] = ODD_VALUES) -> Iterator[Any]:
    """Copies of a value with one place dropped, or holding something of another type."""
    for place in _places(value):
        for odd in odd_values:
            yield _changed(value, place, odd)
        if place:
            mutant = copy.deepcopy(value)
            parent = _at(mutant, place[:-1])
            del parent[place[-1]]
            yield mutant


def _changed(value: Any, place: tuple[str | int, ...], odd: Any) -> Any:
    if not place:
        return odd
    mutant = copy.deepcopy(value)
    _at(mutant, place[:-1])[place[-1]] = odd
    return mutant


def _at(value: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def _with_answer(exchange: Exchange, body: bytes, **changes: Any) -> Exchange:
    assert exchange.response is not None
    return replace(exchange, response=replace(exchange.response, body=body, **changes))


def _with_question(exchange: Exchange, body: bytes, **changes: Any) -> Exchange:
    return replace(exchange, request=replace(exchange.request, body=body, **changes))


def _told(problems: list[Problem]) -> set[tuple[Kind, str, str]]:
    return {(problem.kind, problem.where, problem.expected) for problem in problems}


class Judges:
    """Both validators, held to one verdict; `broken` counts what both found broken."""

    def __init__(self, fast: FastValidator, slow: DocumentValidator) -> None:
        self.fast, self.slow, self.judged, self.broken = fast, slow, 0, 0

    def agree_on_response(self, exchange: Exchange) -> None:
        one, other = self.fast.response_problems(exchange), self.slow.response_problems(exchange)
        assert _told(one) == _told(other), (exchange.operation, exchange.response)
        self.judged, self.broken = self.judged + 1, self.broken + bool(one)

    def agree_on_request(self, exchange: Exchange) -> None:
        one, other = self.fast.request_problems(exchange), self.slow.request_problems(exchange)
        assert bool(one) == bool(other), (exchange.operation, exchange.request, one, other)
        self.judged, self.broken = self.judged + 1, self.broken + bool(one)


@pytest.fixture
def judges(fast: FastValidator, slow: DocumentValidator) -> Judges:
    return Judges(fast, slow)


def test_both_find_nothing_in_what_the_description_shows(judges: Judges, described: list[Exchange]) -> None:
    for exchange in described:
        judges.agree_on_request(exchange)
        judges.agree_on_response(exchange)
    assert (judges.judged, judges.broken) == (2 * len(described), 0)


def test_both_find_nothing_in_what_was_recorded(judges: Judges, recorded: list[Exchange]) -> None:
    for exchange in recorded:
        judges.agree_on_request(exchange)
        judges.agree_on_response(exchange)
        judges.agree_on_response(_with_answer(exchange, exchange.response.body, status=None))  # type: ignore[union-attr]
    assert judges.broken == 0


@pytest.mark.parametrize("operation", OPERATIONS)
def test_both_tell_the_same_of_every_mutated_answer(judges: Judges, described: list[Exchange], operation: str) -> None:
    for exchange in described:
        if exchange.operation == operation and exchange.response and exchange.response.body:
            for mutant in _mutants(exchange.response.json):
                judges.agree_on_response(_with_answer(exchange, json.dumps(mutant).encode()))
    assert judges.broken > 10


@pytest.mark.parametrize("operation", OPERATIONS)
def test_both_tell_the_same_of_a_mutated_success_whose_status_is_unknown(
    judges: Judges, described: list[Exchange], operation: str
) -> None:
    exchange = next(one for one in described if one.operation == operation and one.ok)
    assert exchange.response is not None
    for mutant in _mutants(exchange.response.json, odd_values=(None, 7)):
        judges.agree_on_response(_with_answer(exchange, json.dumps(mutant).encode(), status=None))
        judges.agree_on_response(_with_answer(exchange, json.dumps(mutant).encode(), status=None, headers_known=False))
    assert judges.broken >= 2


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one != "models.upload-and-convert"])
def test_both_have_one_verdict_on_every_mutated_request(
    judges: Judges, described: list[Exchange], operation: str
) -> None:
    exchange = next(one for one in described if one.operation == operation)
    for mutant in _mutants(exchange.request.json):
        judges.agree_on_request(_with_question(exchange, json.dumps(mutant).encode()))
    assert judges.broken > 3


def test_both_have_one_verdict_on_every_mutated_upload(
    judges: Judges, document: Document, described: list[Exchange]
) -> None:
    exchange = next(one for one in described if one.operation == "models.upload-and-convert")
    metadata = document.raw["components"]["schemas"]["UploadMetadata"]["examples"][0]
    sent = json.dumps(metadata).encode()
    assert sent in exchange.request.body
    for mutant in _mutants(metadata):
        body = exchange.request.body.replace(sent, json.dumps(mutant).encode())
        judges.agree_on_request(_with_question(exchange, body))
    for old, new in ((b'"file"', b'"elif"'), (b'"metadata"', b'"datameta"'), (sent, b"{"), (sent, b"")):
        judges.agree_on_request(_with_question(exchange, exchange.request.body.replace(old, new)))
    judges.agree_on_request(_with_question(exchange, b"no form at all"))
    assert judges.broken > 30


BODIES = (b"", b"null", b"{", b"NaN", b"[1,2", b'{"id": Infinity}', b"\xff\xfe", b" ", b"<p>", b"[" * 100_000, b"true")
TYPES = (
    "",
    "application/json",
    "APPLICATION/JSON;charset=utf-8",
    "application/json; format=pandas-records",
    "application/problem+json",
    "application/json; a",
    "application/vnd.apache.arrow.file",
    "text/plain; charset=latin-1",
    "text/html",
    "a/b; c",
    "multipart/form-data; x=y=z",
    "nonsense",
    ";",
)


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 404, 500, 503, None])
def test_both_tell_the_same_of_odd_bodies_and_media_types(
    judges: Judges, described: list[Exchange], status: int
) -> None:
    for operation in ("pipelines.deploy", "pipelines.infer"):
        exchange = next(one for one in described if one.operation == operation)
        for body in BODIES:
            for content_type in TYPES:
                headers = Headers({"content-type": content_type} if content_type else {})
                for known in (True, False):
                    judges.agree_on_response(
                        replace(exchange, response=Response(status, headers, body, headers_known=known))
                    )
                unread = Response(status, headers, body_known=False)
                judges.agree_on_response(replace(exchange, response=unread))


def test_both_have_one_verdict_on_requests_of_odd_media_types_and_tokens(
    judges: Judges, described: list[Exchange]
) -> None:
    for operation in OPERATIONS:
        exchange = next(one for one in described if one.operation == operation)
        for content_type in TYPES:
            for token in ("Bearer t", "bearer t", "Basic t", "Bearer", "", None):
                fields = {"Content-Type": content_type} if content_type else {}
                headers = Headers(fields if token is None else {**fields, "authorization": token})
                judges.agree_on_request(_with_question(exchange, exchange.request.body, headers=headers))
                judges.agree_on_request(_with_question(exchange, b"", headers=headers))
    assert judges.broken > 500


def test_both_tell_the_same_of_json_inside_strings(judges: Judges, described: list[Exchange]) -> None:
    exchange = next(one for one in described if one.operation == "pipelines.infer" and one.ok)
    for last_model in ("", "x", "{}", "null", "[]", '{"model_name":"m","model_sha":null}', "[" * 100_000):
        body = copy.deepcopy(exchange.answer)
        body[0]["metadata"]["last_model"] = last_model
        judges.agree_on_response(_with_answer(exchange, json.dumps(body).encode()))
    assert judges.broken == judges.judged


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["id", "msg", "code"]), inner)
    ),
    max_leaves=8,
)


@given(
    operation=st.sampled_from(OPERATIONS),
    status=st.sampled_from([200, 202, 400, 401, 404, 500, 503, 599, 101, None]),
    body=JSON_VALUES,
)
@settings(max_examples=300, deadline=None, database=None)
def test_both_tell_the_same_of_any_json(operation: str, status: int | None, body: Any) -> None:
    judges = _drawn_judges()
    answer = Response(status, Headers({"content-type": "application/json"}), json.dumps(body).encode())
    judges.agree_on_response(Exchange(Request("POST", "https://api.example.test/x"), answer, operation))


_JUDGES: list[Judges] = []


def _drawn_judges() -> Judges:
    """The validators of drawn examples, made once: Hypothesis gives no fixtures of a test's own scope."""
    if not _JUDGES:
        document = Document.load()
        _JUDGES.append(Judges(FastValidator(document), DocumentValidator(document)))
    return _JUDGES[0]


def test_media_types_of_json_are_told_by_their_names() -> None:
    assert all(map(is_json, ("application/json", "Application/JSON; a=b", "application/problem+json")))
    assert not any(map(is_json, ("", "text/json", "application/jsonl", "application/vnd.apache.arrow.file")))


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
