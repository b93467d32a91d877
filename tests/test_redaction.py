from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.api import multipart
from conformance.model import Exchange, Headers, Request, Response
from conformance.redaction import Redaction
from tests.secrets_planted import planted

CASES = [(kind, secret, text) for kind, rows in planted(7).items() for secret, text in rows]
JSON = Headers({"Content-Type": "application/json"})


def spelled(exchange: Exchange) -> str:
    """Everything an exchange holds, as one text."""
    request, response = exchange.request, exchange.response
    assert response is not None
    parts = [request.url, exchange.failure, str(exchange.parameters)]
    for message in (request, response):
        parts += [f"{name}: {value}" for name, value in message.headers.fields]
        parts.append(message.body.decode("utf-8", "replace"))
    return "\n".join(parts)


@pytest.mark.parametrize(("kind", "secret", "text"), CASES)
def test_each_planted_secret_is_gone_from_a_text(kind: str, secret: str, text: str) -> None:
    assert secret not in Redaction({}).text(text)


@pytest.mark.parametrize(("kind", "secret", "text"), CASES)
def test_each_planted_secret_is_gone_from_every_part_of_an_exchange(kind: str, secret: str, text: str) -> None:
    name, _, value = text.partition(": ")
    headers = [("X-Odd", text.replace("\n", " "))]
    if name in ("Authorization", "Cookie", "Set-Cookie"):
        headers.append((name, value))
    body = text.encode() if text.startswith("{") else json.dumps({"msg": text, "code": 500}).encode()
    exchange = Exchange(
        Request("POST", "https://api.acme.dev/v1/api/x", Headers(headers), body),
        Response(500, Headers([*headers, ("Content-Type", "application/json")]), body),
        failure=text,
    )
    assert secret not in spelled(Redaction({}).exchange(exchange))


def test_equal_secrets_get_equal_placeholders_and_others_get_others() -> None:
    redaction, (one, other, _) = Redaction({}), [secret for secret, _ in planted()["JSON Web Token"]]
    assert redaction.text(f"{one} {other} {one}") == "<jwt-1> <jwt-2> <jwt-1>"


@pytest.mark.parametrize(("kind", "secret", "text"), CASES)
def test_redacting_twice_changes_nothing_more(kind: str, secret: str, text: str) -> None:
    redaction = Redaction({})
    once = redaction.text(text)
    assert redaction.text(once) == once
    assert Redaction({}).text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        '{"model_version":"bdfc8c60-b5bc-4c0e-aa87-157cd52895b6","models_pk_id":1218,"file_name":"ccfraud.onnx"}',
        "bc85ce596945f876256f41515c7501c399fd97ebcb9ab3dd41bf03f8937b4507",
        "https://doc-test.api.wallarooexample.ai/v1/api/pipelines/infer/api-pipeline-14/api-pipeline?dataset%5B%5D=%2A",
        'The pipeline\'s token_type is Bearer; code 401: {"msg":"Jwt is missing","code":401}',
        "curl -H 'Authorization: Bearer $TOKEN' -d '{\"pipeline_id\": 25}'",
        'Bearer realm="master", error="invalid_token", error_description="The token expired"',
        "expected status 404, got engine-797d8958d9-fsszh Running on 10.244.3.145",
    ],
)
def test_evidence_stays(text: str) -> None:
    assert Redaction({}).text(text) == text


def test_headers_are_kept_by_allow_list() -> None:
    headers = Headers([("Content-Type", "application/json"), ("X-New", "value"), ("Authorization", "Bearer opaque")])
    kept = dict(Redaction({}).headers(headers).fields)
    assert kept == {"Content-Type": "application/json", "X-New": "<header-1>", "Authorization": "Bearer <token-1>"}


def test_json_stays_json_of_the_same_structure() -> None:
    token = planted()["JSON Web Token"][0][0]
    body = {
        "id": 1,
        "inner": [{"password": 'pa"ss', "n": 1.5}, None, True],
        "text": token,
        "last": json.dumps({"t": token}),
    }
    exchange = Exchange(Request("POST", "/x"), Response(200, JSON, json.dumps(body).encode()))
    redacted = Redaction({}).exchange(exchange).answer
    assert redacted == {
        "id": 1,
        "inner": [{"password": "<password-1>", "n": 1.5}, None, True],
        "text": "<jwt-1>",
        "last": '{"t":"<jwt-1>"}',
    }


def test_escapes_hide_nothing_in_json() -> None:
    mail = "".join(f"\\u{ord(c):04x}" for c in planted()["e-mail"][0][0])
    exchange = Exchange(Request("POST", "/x"), Response(200, JSON, f'{{"created_by": "{mail}"}}'.encode()))
    assert Redaction({}).exchange(exchange).answer == {"created_by": "<email-1>"}


def test_a_body_without_secrets_stays_byte_for_byte() -> None:
    body = b'{ "a" : 1.0,\n "b": "\\u00e9" }'
    exchange = Exchange(Request("POST", "/x", JSON, body), Response(200, JSON, body))
    redacted = Redaction({}).exchange(exchange)
    assert (redacted.request.body, redacted.response and redacted.response.body) == (body, body)


def test_a_form_loses_its_secrets_and_keeps_its_file() -> None:
    model = bytes(range(256)) * 40
    kind, body = multipart.encode([
        multipart.Part("metadata", b'{"name": "m", "password": "hunter2x"}', "application/json"),
        multipart.Part("file", model, "application/octet-stream", "model.onnx"),
    ])  # fmt: skip
    exchange = Exchange(Request("POST", "/x", Headers({"Content-Type": kind}), body), Response(202, JSON, b"{}"))
    parts = multipart.decode(kind, Redaction({}).exchange(exchange).request.body)
    assert json.loads(parts["metadata"].content) == {"name": "m", "password": "<password-1>"}
    assert parts["file"].content == model


def test_a_binary_body_that_holds_a_secret_goes_and_is_called_unknown() -> None:
    token = planted()["JSON Web Token"][0][0].encode()
    exchange = Exchange(Request("POST", "/x"), Response(200, Headers(), b"\xff\xfe" + token + b"\x00\xff"))
    response = Redaction({}).exchange(exchange).response
    assert response == Response(200, Headers(), b"", body_known=False) or (response and not response.body_known)
    assert response is not None
    assert response.body == b""


def test_content_length_says_what_is_kept() -> None:
    body = b'{"password": "a-very-long-password-indeed"}'
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
    redacted = Redaction({}).exchange(Exchange(Request("POST", "/x", headers, body), None)).request
    assert redacted.headers["content-length"] == str(len(redacted.body)) != str(len(body))


def test_remembered_secrets_go_in_every_spelling() -> None:
    redaction = Redaction({})
    redaction.remember("p@ss w&rd", "password")
    assert redaction.text("p@ss w&rd p%40ss%20w%26rd cEBzcyB3JnJk") == "<password-1> <password-2> <password-3>"


def test_the_environments_credentials_are_remembered_and_the_documented_ones_are_not() -> None:
    redaction = Redaction({"CONFORMANCE_PASSWORD": "correcthorse", "CONFORMANCE_CLIENT_SECRET": "conformance"})
    assert redaction.text("correcthorse conformance") == "<password-1> conformance"


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_any_json_survives_redaction_as_json(value: object) -> None:
    body = json.dumps(value).encode()
    redacted = Redaction({}).body(body, "application/json")
    assert redacted is not None
    json.loads(redacted)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=300))
def test_any_text_can_be_redacted_twice(text: str) -> None:
    redaction = Redaction({})
    once = redaction.text(text)
    assert redaction.text(once) == once
