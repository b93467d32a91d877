"""Whose an answer is: the API's own, or that of what stands before it."""

from __future__ import annotations

import pytest

from conformance.api.gateway import is_gateways, is_throttled, writer_of
from conformance.model import Exchange, Headers, Request, Response

NGINX = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>"
HAPROXY = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>"


def answer(status: int, body: str = "", kind: str = "text/html") -> Response:
    return Response(status, Headers({"Content-Type": kind} if kind else {}), body.encode())


@pytest.mark.parametrize(
    ("response", "writer"),
    [
        (answer(502, NGINX), "nginx"),
        (answer(403, NGINX), "nginx"),
        (answer(404, NGINX), "nginx"),
        (answer(301, NGINX), "nginx"),
        (answer(503, HAPROXY), "haproxy"),
        (answer(413, "<html>too large</html>"), "a gateway"),
        (answer(403, "<!DOCTYPE html><p>Blocked</p>"), "a gateway"),
        (answer(504, ""), "a gateway"),
        (answer(502, '{"message": "An invalid response was received"}', "application/json"), "a gateway"),
        (answer(503, "upstream connect error or disconnect/reset before headers", "text/plain"), "Envoy"),
        (answer(503, "no healthy upstream", "text/plain"), "Envoy"),
        (answer(404, "404 page not found\n", "text/plain"), "an ingress without a route"),
        (answer(404, "default backend - 404", "text/plain"), "an ingress without a backend"),
        (answer(429, '{"msg": "slow down", "code": 429}', "application/json"), "a rate limiter"),
    ],
)
def test_what_stands_before_the_api_is_known_by_its_answers(response: Response, writer: str) -> None:
    assert writer_of(response, "pipelines.create") == writer


@pytest.mark.parametrize(
    ("response", "operation"),
    [
        (answer(200, "<html>a page</html>"), "api.docs"),
        (answer(404, '{"msg": "Pipeline not found", "code": 404}', "application/json"), "pipelines.create"),
        (answer(503, '{"msg": "down", "code": 503}', "application/json"), "pipelines.create"),
        (answer(502, '{"msg": "down", "code": 502}', "application/json"), "pipelines.create"),
        (answer(503, "", ""), "pipelines.infer"),
        (answer(404, "", ""), "pipelines.infer"),
        (answer(500, '[{"error": "bad rows", "error_type": "X"}]', "application/json"), "pipelines.infer"),
        (answer(400, '{"status": "Error", "error": "bad rows"}', "application/json"), "pipelines.infer"),
        (answer(401, "Jwt is missing", "text/plain"), "pipelines.create"),
        (answer(401, "<html><body><h1>401 Authorization Required</h1></body></html>"), "pipelines.create"),
        (answer(422, "Failed to deserialize the JSON body", "text/plain"), "pipelines.create"),
        (answer(415, "Expected request with `Content-Type: application/json`", "text/plain"), "pipelines.create"),
        (answer(413, "length limit exceeded", "text/plain"), "pipelines.create"),
        (answer(500, "<html><h1>Traceback</h1></html>"), "pipelines.create"),
        (answer(404, "<html>no such page</html>"), "pipelines.create"),
        (answer(303, "", ""), "pipelines.create"),
        (answer(405, "", ""), "pipelines.create"),
    ],
)
def test_what_the_api_is_recorded_to_answer_is_its_own(response: Response, operation: str) -> None:
    assert writer_of(response, operation) == ""


def test_only_what_was_refused_for_haste_is_sent_again_whatever_it_does() -> None:
    assert is_throttled(answer(429, "", ""))
    assert is_throttled(answer(503, NGINX))
    assert not is_throttled(answer(503, "", "")), "an inference that is not routed yet"
    assert not is_throttled(answer(503, '{"msg": "down", "code": 503}', "application/json"))
    assert not is_throttled(answer(502, NGINX))


def test_no_answer_is_nobodys() -> None:
    assert not is_gateways(Exchange(Request("GET", "http://a.example/"), None, failure="lost"))
