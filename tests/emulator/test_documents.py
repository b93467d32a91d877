from __future__ import annotations

import re
from typing import Any

DOCUMENT = {"openapi": "3.1.0", "info": {"title": "An API", "version": "1"}, "paths": {}}


def test_the_document_given_is_served_without_a_token(start: Any) -> None:
    instance = start(document=DOCUMENT)
    response = instance.http.get("/v1/api/openapi.json")
    assert (response.status_code, response.json()) == (200, DOCUMENT)
    assert response.headers["content-type"] == "application/json"


def test_an_instance_without_a_document_says_so(instance: Any) -> None:
    response = instance.http.get("/v1/api/openapi.json")
    assert (response.status_code, response.json()["code"]) == (404, 404)


def test_swagger_ui_comes_whole_from_this_server(instance: Any) -> None:
    page = instance.http.get("/v1/api/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 3
    for link in links:
        assert link.startswith("/v1/api/docs/")
        file = instance.http.get(link)
        assert file.status_code == 200
        assert file.content
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_swagger_ui_is_pointed_at_the_served_document_and_at_no_validator(instance: Any) -> None:
    script = instance.http.get("/v1/api/docs/start.js").text
    assert '"/v1/api/openapi.json"' in script
    assert "validatorUrl: null" in script


def test_no_other_file_is_served(instance: Any) -> None:
    for name in ("LICENSE", "README.md", "..%2Fmodels%2Ffraud.onnx", "%2e%2e%2fREADME.md", "x"):
        assert instance.http.get(f"/v1/api/docs/{name}").status_code == 404


def test_head_says_what_get_would_without_the_body(instance: Any) -> None:
    response = instance.http.head("/v1/api/docs")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == instance.http.get("/v1/api/docs").headers["content-length"]
