from __future__ import annotations

import json

import pytest

from conformance.drift.sources.served import PAGES, PLACES, served_document
from conformance.model import Headers, Response

BASE = "https://api.example"
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "T", "version": "1"},
    "paths": {"/a": {"get": {"responses": {"200": {"description": ""}}}}},
}
TEXT = json.dumps(DOCUMENT)


class Instance:
    """Answers GETs from a dictionary of paths, and remembers what it was asked."""

    def __init__(self, pages: dict[str, str | tuple[str, str]]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def __call__(self, url: str) -> Response:
        self.asked.append(url)
        page = self.pages.get(url.removeprefix(BASE))
        if page is None:
            return Response(404)
        text, kind = page if isinstance(page, tuple) else (page, "application/json")
        return Response(200, Headers({"Content-Type": kind}), text.encode())


@pytest.mark.parametrize("place", PLACES)
def test_it_is_found_at_every_usual_place(place):
    served = served_document(BASE + "/", Instance({place: TEXT}))
    assert served.document == DOCUMENT
    assert served.url == BASE + place


def test_yaml_will_do():
    text = (
        "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {responses: {'200': {description: ''}}}}}\n"
    )
    assert served_document(BASE, Instance({"/openapi.yaml": (text, "text/yaml")})).document == DOCUMENT


PAGE = "<html><script src='swagger-ui-bundle.js'></script><script>window.ui = SwaggerUIBundle({BODY})</script></html>"
HTML = "text/html; charset=utf-8"
SHOWN = {
    "url": {"": (PAGE.replace("BODY", "url: '../hidden/api.json', dom_id: '#x'"), HTML), "/v1/hidden/api.json": TEXT},
    "url in quotes": {"": (PAGE.replace("BODY", '"url": "/hidden"'), HTML), "/hidden": TEXT},
    "urls": {
        "": (PAGE.replace("BODY", 'urls: [{"url": "/gone", name: "a"}, {"url": "/here", name: "b"}]'), HTML),
        "/here": TEXT,
    },
    "spec": {"": (PAGE.replace("BODY", f"spec: {TEXT}, deepLinking: true"), HTML)},
    "configUrl": {
        "": (PAGE.replace("BODY", 'configUrl: "/config"'), HTML),
        "/config": json.dumps({"urls": [{"url": "/gone"}, {"url": "hidden"}]}),
        "/hidden": TEXT,
    },
    "initializer": {
        "": ('<script src="./swagger-initializer.js" charset="UTF-8"> </script>', HTML),
        "/v1/api/swagger-initializer.js": (
            'window.onload = function() { window.ui = SwaggerUIBundle({ url: "./api-docs.json" }) }',
            "application/javascript",
        ),
        "/v1/api/api-docs.json": TEXT,
    },
    "document inside the initializer": {
        "": ("<script src='swagger-ui-init.js'></script>", HTML),
        "/v1/api/swagger-ui-init.js": (f'let options = {{"swaggerDoc": {TEXT}, "x": 1}};', "text/javascript"),
    },
    "redoc": {"": ("<redoc spec-url='/hidden'></redoc>", HTML), "/hidden": TEXT},
    "scalar": {"": ('<script id="api-reference" data-url="/hidden"></script>', HTML), "/hidden": TEXT},
}


@pytest.mark.parametrize("way", SHOWN)
def test_it_is_found_through_the_page_that_shows_it(way):
    pages = {place or "/v1/api/docs": page for place, page in SHOWN[way].items()}
    served = served_document(BASE, Instance(pages))
    assert served.document == DOCUMENT
    assert served.url.startswith(BASE)


def test_the_place_can_be_given_and_no_other_is_asked():
    instance = Instance({"/odd": TEXT, "/openapi.json": "{}"})
    assert served_document(BASE, instance, "/odd").document == DOCUMENT
    assert instance.asked == [f"{BASE}/odd"]
    assert served_document(BASE, instance, f"{BASE}/odd").document == DOCUMENT
    assert served_document(BASE, instance, "/gone").tried == ((f"{BASE}/gone", "status 404"),)


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/api.json", "//elsewhere.example/api.json", "file:///etc/passwd"]
)
def test_another_host_is_never_asked(url):
    instance = Instance({"/v1/api/docs": (PAGE.replace("BODY", f"url: '{url}'"), HTML)})
    served = served_document(BASE, instance)
    assert served.document is None
    assert all(asked.startswith(BASE) for asked in instance.asked)
    assert any("of another host" in said for said in dict(served.tried).values())


def test_what_is_served_but_cannot_be_used_is_said_and_the_search_goes_on():
    broken = json.dumps({"openapi": "3.1.0", "info": {}, "paths": {}})
    instance = Instance(
        {
            "/v1/api/openapi.json": "{",
            "/openapi.json": json.dumps([1]),
            "/v1/api/swagger.json": json.dumps({"swagger": "2.0", "info": {}, "paths": {}}),
            "/swagger.json": broken,
            "/v3/api-docs": TEXT,
        }
    )
    served = served_document(BASE, instance)
    assert served.document == DOCUMENT
    tried = {url.removeprefix(BASE): reason for url, reason in served.tried}
    assert "not an OpenAPI description" in tried["/openapi.json"]
    for place in ("/v1/api/openapi.json", "/v1/api/swagger.json", "/swagger.json"):
        assert tried[place].startswith("no description that can be used")


def test_pages_that_name_each_other_end():
    pages = {page: (PAGE.replace("BODY", f"url: '{PAGES[0]}', specUrl: '{PAGES[2]}'"), HTML) for page in PAGES}
    instance = Instance(pages)
    assert served_document(BASE, instance).document is None
    assert len(instance.asked) == len(set(instance.asked)) == len(PLACES) + len(PAGES)


def test_a_page_that_names_no_end_of_others_is_left():
    many = ", ".join(f"{{url: '/u{number}'}}" for number in range(500))
    instance = Instance({"/v1/api/docs": (PAGE.replace("BODY", f"urls: [{many}]"), HTML)})
    assert served_document(BASE, instance).document is None
    assert len(instance.asked) <= 30
