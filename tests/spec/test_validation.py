from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from conformance.model import Exchange, Headers, Request, Response
from conformance.spec.document import Document
from conformance.spec.problems import Kind, Problem
from conformance.spec.validation import FastValidator

JSON = Headers({"content-type": "application/json"})


def _asked(path: str, body: object = None, **headers: str) -> Exchange:
    fields = {"Authorization": "Bearer token", "Content-Type": "application/json", **headers}
    url = f"https://api.example.test/v1/api/{path}"
    return Exchange(Request("POST", url, Headers(fields), json.dumps(body).encode()), None)


def _answered(path: str, status: int | None, body: Any, headers: Headers = JSON) -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return replace(_asked(path), response=Response(status, headers, content))


def _infer(status: int | None, body: Any, query: str = "") -> Exchange:
    return _answered(f"pipelines/infer/p-1/p{query}", status, body)


def _kinds(problems: list[Problem]) -> list[Kind]:
    return [problem.kind for problem in problems]


@pytest.fixture
def record(document: Document) -> dict[str, Any]:
    example = document.raw["components"]["examples"]["InferenceOutput"]["value"][0]
    copy: dict[str, Any] = json.loads(json.dumps(example))
    return copy


def test_what_the_description_shows_is_as_described(fast: FastValidator, described: list[Exchange]) -> None:
    assert len(described) > 60
    for exchange in described:
        assert fast.request_problems(exchange) == []
        assert fast.response_problems(exchange) == []
        assert fast.body_problems(exchange) == []


def test_what_was_recorded_is_as_described(fast: FastValidator, recorded: list[Exchange]) -> None:
    for exchange in recorded:
        assert fast.request_problems(exchange) == [], exchange.source
        assert fast.response_problems(exchange) == [], exchange.source
        assert exchange.response is not None
        unknown = replace(exchange, response=replace(exchange.response, status=None))
        assert fast.response_problems(unknown) == [], exchange.source


def test_a_missing_field_is_told_by_its_path(fast: FastValidator) -> None:
    problems = fast.response_problems(_answered("pipelines/create", 200, {"pipeline_pk_id": 1}))
    assert {problem.where for problem in problems} == {"$.pipeline_variant_pk_id", "$.pipeline_variant_version"}
    assert {problem.actual for problem in problems} == {"no such field"}


def test_a_wrong_type_is_told_by_its_path_and_what_came(fast: FastValidator) -> None:
    expected = [Problem(Kind.SCHEMA, "$.id", "an integer", '"14"')]
    assert fast.response_problems(_answered("pipelines/deploy", 200, {"id": "14"})) == expected


def test_null_is_no_integer_and_true_is_none_either_but_one_point_zero_is(fast: FastValidator) -> None:
    for value in (None, True, "1", [1], 1.5):
        assert fast.response_problems(_answered("pipelines/deploy", 200, {"id": value})), value
    assert not fast.response_problems(_answered("pipelines/deploy", 200, b'{"id": 1.0}'))
    assert not fast.response_problems(_answered("pipelines/deploy", 200, {"id": 10**40}))


def test_a_version_that_is_no_uuid_is_found(fast: FastValidator) -> None:
    body = {"pipeline_pk_id": 1, "pipeline_variant_pk_id": 1, "pipeline_variant_version": "first"}
    problems = fast.response_problems(_answered("pipelines/create", 200, body))
    assert problems == [
        Problem(Kind.SCHEMA, "$.pipeline_variant_version", "a string of the format uuid", '"first"'),
    ]


def test_undeploying_answers_null_and_nothing_else(fast: FastValidator) -> None:
    assert fast.response_problems(_answered("pipelines/undeploy", 200, None)) == []
    assert _kinds(fast.response_problems(_answered("pipelines/undeploy", 200, {}))) == [Kind.SCHEMA]
    assert _kinds(fast.response_problems(_answered("pipelines/undeploy", 200, b""))) == [Kind.BODY]


def test_an_undeclared_status_is_told_with_the_declared_ones(fast: FastValidator) -> None:
    problems = fast.response_problems(_answered("pipelines/deploy", 201, {"id": 1}))
    assert problems == [
        Problem(Kind.STATUS, "status", "one of the declared statuses: 200, 400, 401, 4XX, 500", "201"),
    ]


def test_a_refusal_that_nobody_documents_may_have_any_form(fast: FastValidator) -> None:
    for status in (403, 404, 405, 409, 413, 415, 422, 429):
        for body, kind in ((b"no", "text/plain"), (b"", ""), (b"<p>no", "text/html"), (b'{"e":1}', "application/json")):
            headers = Headers({"content-type": kind} if kind else {})
            assert fast.response_problems(_answered("pipelines/create", status, body, headers)) == []


def test_the_gateways_401_and_the_apis_are_both_as_described(fast: FastValidator) -> None:
    plain = Headers({"content-type": "text/plain", "www-authenticate": "Bearer"})
    assert fast.response_problems(_answered("pipelines/create", 401, b"Jwt is missing", plain)) == []
    assert fast.response_problems(_answered("pipelines/create", 401, {"msg": "no", "code": 401})) == []
    assert _kinds(fast.response_problems(_answered("pipelines/create", 401, {"msg": "no"}))) == [Kind.SCHEMA]
    assert fast.response_problems(_infer(401, {"error": "Jwt is missing", "code": 401, "status": "Error"})) == []


def test_a_server_error_of_another_shape_is_found(fast: FastValidator) -> None:
    assert _kinds(fast.response_problems(_answered("pipelines/create", 500, {"msg": "oh"}))) == [Kind.SCHEMA]
    text = Headers({"content-type": "text/plain"})
    assert _kinds(fast.response_problems(_answered("pipelines/create", 500, b"oh", text))) == [Kind.MEDIA_TYPE]


def test_inference_errors_are_as_recorded(fast: FastValidator) -> None:
    assert fast.response_problems(_infer(500, [{"error": "e", "error_type": "t"}])) == []
    assert _kinds(fast.response_problems(_infer(500, {"status": "Error", "error": "e"}))) == [Kind.SCHEMA]
    for status in (404, 503):
        assert fast.response_problems(_answered("pipelines/infer/p-1/p", status, b"", Headers())) == []


def test_an_inference_record_lacks_nothing(fast: FastValidator, record: dict[str, Any]) -> None:
    assert fast.response_problems(_infer(200, [record])) == []
    for name in list(record):
        shorter = {key: value for key, value in record.items() if key != name}
        assert [problem.where for problem in fast.response_problems(_infer(200, [record, shorter]))] == [f"$[1].{name}"]


@pytest.mark.parametrize(
    ("last_model", "where"),
    [
        ("not json", "$[0].metadata.last_model"),
        ('{"model_name": "m"}', "$[0].metadata.last_model.model_sha"),
        ('{"model_name": 1, "model_sha": "s"}', "$[0].metadata.last_model.model_name"),
        ("[" * 100_000, "$[0].metadata.last_model"),
        ("null", "$[0].metadata.last_model"),
    ],
)
def test_the_json_inside_last_model_is_judged_too(
    fast: FastValidator, record: dict[str, Any], last_model: str, where: str
) -> None:
    record["metadata"]["last_model"] = last_model
    problems = fast.response_problems(_infer(200, [record]))
    assert [problem.where for problem in problems] == [where]
    assert all(len(problem.actual) < 100 for problem in problems)


def test_a_call_that_chooses_its_columns_is_not_held_to_the_shape_of_all(fast: FastValidator) -> None:
    flat = [{"in.dense_input": [1.0], "out.dense_1": [0.5]}]
    assert fast.response_problems(_infer(200, flat)) != []
    for query in ("?dataset[]=*", "?dataset%5B%5D=%2A&dataset.separator=.", "?dataset.exclude[]=metadata"):
        assert fast.response_problems(_infer(200, flat, query)) == []
        assert _kinds(fast.response_problems(_infer(201, flat, query))) == [Kind.STATUS]
    assert fast.response_problems(_infer(200, flat, "?other=1")) != []


def test_an_arrow_answer_is_as_described_whatever_its_bytes(fast: FastValidator) -> None:
    headers = Headers({"content-type": "application/vnd.apache.arrow.file"})
    assert fast.response_problems(_answered("pipelines/infer/p-1/p", 200, b"ARROW1\0\0\xff", headers)) == []
    assert _kinds(fast.response_problems(_answered("pipelines/infer/p-1/p", 200, b"", headers))) == [Kind.BODY]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        'application/json;format="pandas-records"',
        "application/json ; unheard=of",
    ],
)
def test_a_media_type_may_have_parameters(fast: FastValidator, content_type: str) -> None:
    headers = Headers({"Content-TYPE": content_type})
    assert fast.response_problems(_answered("pipelines/deploy", 200, {"id": 1}, headers)) == []
    assert fast.response_problems(_answered("pipelines/deploy", 200, {"id": None}, headers)) != []


@pytest.mark.parametrize("content_type", ["text/html", "application/jsonx", "json", "", ";", "application/json2; a"])
def test_an_undeclared_media_type_is_found_and_its_body_not_judged(fast: FastValidator, content_type: str) -> None:
    headers = Headers({"content-type": content_type} if content_type else {})
    exchange = _answered("pipelines/deploy", 200, {"id": 1}, headers)
    assert _kinds(fast.response_problems(exchange)) == [Kind.MEDIA_TYPE]
    assert fast.body_problems(exchange) == []


def test_a_body_alone_is_judged_whatever_its_status_and_media_type_are_called(fast: FastValidator) -> None:
    text = Headers({"content-type": "text/plain"})
    assert _kinds(fast.body_problems(_answered("pipelines/deploy", 200, {"id": None}, text))) == [Kind.SCHEMA]
    assert _kinds(fast.body_problems(_answered("pipelines/deploy", 200, b"hello", text))) == [Kind.BODY]
    assert _kinds(fast.body_problems(_answered("pipelines/deploy", 201, {"id": None}))) == [Kind.SCHEMA]
    assert fast.body_problems(_answered("pipelines/deploy", 201, {"id": 1})) == []
    assert fast.body_problems(_answered("pipelines/deploy", 302, {"id": None})) == []


@pytest.mark.parametrize(
    "body", [b"{", b"NaN", b'{"id": NaN}', b'{"id": 1} x', b"\xff\xfe\xfd", b"[" * 200_000, b"<html>", b" "]
)
def test_a_body_that_is_not_json_is_told_so(fast: FastValidator, body: bytes) -> None:
    assert _kinds(fast.response_problems(_answered("pipelines/deploy", 200, body))) == [Kind.BODY]


def test_deep_and_odd_values_are_judged_and_shown_without_failing(fast: FastValidator) -> None:
    for value in (b"[" * 100 + b"]" * 100, b'"\\ud800"', b"1e999", b"9" * 4000, b'{"\\ud800": 1}'):
        problems = fast.response_problems(_answered("pipelines/deploy", 200, b'{"id": ' + value + b"}"))
        if value[:1] != b"9":
            assert [problem.where for problem in problems] == ["$.id"], value[:20]
            assert all(len(problem.actual) < 100 for problem in problems)
    assert fast.response_problems(_answered("pipelines/deploy", 200, b'{"id": ' + b"9" * 5000 + b"}"))
    surrogate = b'{"msg": "\\ud800", "code": 400, "\\udfff": "x"}'
    assert fast.response_problems(_answered("pipelines/create", 400, surrogate)) == []


def test_an_array_of_ten_thousand_wrong_rows_is_told_in_few_problems(fast: FastValidator) -> None:
    assert 1 <= len(fast.response_problems(_infer(200, [{}] * 10_000))) <= 20


def test_the_one_wrong_row_of_many_is_told(fast: FastValidator, record: dict[str, Any]) -> None:
    wrong = {**record, "time": "now"}
    problems = fast.response_problems(_infer(200, [*[record] * 700, wrong, *[record] * 300]))
    assert [problem.where for problem in problems] == ["$[700].time"]


def test_of_what_is_not_known_nothing_is_claimed(fast: FastValidator) -> None:
    exchange = _answered("pipelines/deploy", 200, {"id": None})
    assert exchange.response is not None
    unread = replace(exchange, response=replace(exchange.response, body_known=False, body=b""))
    assert fast.response_problems(unread) == []
    assert fast.body_problems(unread) == []
    html = replace(
        unread, response=replace(exchange.response, body_known=False, headers=Headers({"content-type": "a/b"}))
    )
    assert _kinds(fast.response_problems(html)) == [Kind.MEDIA_TYPE]
    bare = replace(exchange, response=Response(200, Headers(), b'{"id": 1}', headers_known=False))
    assert fast.response_problems(bare) == []
    assert fast.response_problems(replace(exchange, response=None)) == []
    assert fast.response_problems(_answered("nothing/here", 200, {"id": None})) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("pipelines/deploy", {"id": 14}),
        ("pipelines/deploy", {"msg": "no", "code": 400}),
        ("pipelines/undeploy", None),
        ("pipelines/infer/p-1/p", b""),
        ("pipelines/infer/p-1/p", [{"error": "e"}]),
        ("admin/get_pipeline_external_url", {"msg": "Pipeline not found", "code": 404}),
        ("pipelines/deploy", b"plain text, as some refusals are"),
    ],
)
def test_a_body_of_unknown_status_is_held_to_every_status(fast: FastValidator, path: str, body: Any) -> None:
    exchange = _answered(path, None, body)
    assert exchange.response is not None
    bare = replace(exchange, response=replace(exchange.response, headers=Headers(), headers_known=False))
    assert fast.response_problems(bare) == []


def test_a_body_of_unknown_status_that_fits_none_is_told_against_the_success(fast: FastValidator) -> None:
    assert [one.where for one in fast.response_problems(_answered("pipelines/deploy", None, {"id": None}))] == ["$.id"]
    assert _kinds(fast.response_problems(_answered("pipelines/deploy", None, {"code": 1}))) == [Kind.SCHEMA]
    assert _kinds(fast.response_problems(_answered("pipelines/deploy", None, b"{"))) == [Kind.BODY]


def test_a_status_may_be_assumed_where_none_is_known(fast: FastValidator) -> None:
    exchange = _answered("pipelines/deploy", None, {"msg": "no", "code": 400})
    assert fast.response_problems(exchange, status=400) == []
    assert [one.where for one in fast.response_problems(exchange, status=200)] == ["$.id"]


def test_a_request_without_what_it_needs_is_told_so(fast: FastValidator) -> None:
    exchange = _asked("pipelines/deploy", {"deploy_id": "p", "pipeline_id": "1"}, Authorization="Basic secret")
    problems = fast.request_problems(exchange)
    assert _kinds(problems) == [Kind.SECURITY, Kind.SCHEMA, Kind.SCHEMA]
    assert {problem.where for problem in problems[1:]} == {"$.pipeline_version_pk_id", "$.pipeline_id"}
    assert "secret" not in repr(problems)


def test_a_request_of_no_operation_is_told_so(fast: FastValidator) -> None:
    assert _kinds(fast.request_problems(_asked("pipelines/destroy", {}))) == [Kind.OPERATION]


def test_undeploying_needs_one_of_two_ids(fast: FastValidator) -> None:
    for body in ({"pipeline_id": 1}, {"deployment_id": 1}, {"pipeline_id": None, "deployment_id": 1}):
        assert fast.request_problems(_asked("pipelines/undeploy", body)) == []
    for body in ({}, {"pipeline_id": None}, {"pipeline_id": None, "deployment_id": None}, {"deployment_id": "1"}):
        assert fast.request_problems(_asked("pipelines/undeploy", body)) != []


def test_a_request_needs_a_body_of_a_declared_media_type(fast: FastValidator) -> None:
    exchange = _asked("pipelines/create", {})
    empty = replace(exchange, request=replace(exchange.request, body=b""))
    assert _kinds(fast.request_problems(empty)) == [Kind.BODY]
    xml = {"Content-Type": "application/xml"}
    assert _kinds(fast.request_problems(_asked("pipelines/create", {}, **xml))) == [Kind.MEDIA_TYPE]


def test_inference_is_asked_in_any_of_its_forms(fast: FastValidator) -> None:
    path = "pipelines/infer/p-1/p"
    for kind in ("application/json; format=pandas-records", "application/json;format=pandas-records"):
        assert fast.request_problems(_asked(path, [{"x": [1]}], **{"Content-Type": kind})) == []
        assert fast.request_problems(_asked(path, {"x": [1]}, **{"Content-Type": kind})) != []
    assert fast.request_problems(_asked(path, {"x": [1]})) == []
    assert fast.request_problems(_asked(path, "x")) != []
    arrow = {"Content-Type": "application/vnd.apache.arrow.file"}
    assert fast.request_problems(_asked(path, "any bytes", **arrow)) == []


def test_an_uploads_parts_are_judged(fast: FastValidator, described: list[Exchange]) -> None:
    upload = next(exchange for exchange in described if exchange.operation == "models.upload-and-convert")
    for old, new, where in (
        (b'name="file"', b'name="elif"', "$.file"),
        (b'name="metadata"', b'name="atadatem"', "$.metadata"),
        (b'"onnx"', b'"oxnn"', "$.metadata.conversion.framework"),
        (b'"workspace_id": 10', b'"workspace_id":"x"', "$.metadata.workspace_id"),
        (b'{"name": "api', b'["name": "api', "$.metadata"),
    ):
        assert old in upload.request.body
        changed = replace(upload, request=replace(upload.request, body=upload.request.body.replace(old, new)))
        assert [problem.where for problem in fast.request_problems(changed)] == [where]


def test_the_operation_an_exchange_names_is_trusted_unless_the_document_lacks_it(fast: FastValidator) -> None:
    elsewhere = replace(_answered("proxied/away", 200, {"id": None}), operation="pipelines.deploy")
    assert _kinds(fast.response_problems(elsewhere)) == [Kind.SCHEMA]
    stranger = replace(_answered("pipelines/deploy", 200, {"id": None}), operation="pipelines.future")
    assert _kinds(fast.response_problems(stranger)) == [Kind.SCHEMA]


def test_copying_is_no_operation_of_2026_1() -> None:
    validator = FastValidator(Document.load("2026.1"))
    assert _kinds(validator.request_problems(_asked("pipelines/copy", {}))) == [Kind.OPERATION]
