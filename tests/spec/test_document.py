from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.data import ROOT
from conformance.errors import UsageError
from conformance.model import Effect, Operation
from conformance.spec import document as module
from conformance.spec.document import Document, profiles

INFER = "/v1/api/pipelines/infer/{deployment}/{pipeline_name}"


def test_the_release_that_is_written_out_is_the_first_profile() -> None:
    assert profiles()[0] == "2023.4"
    assert Document.load() is Document.load("2023.4")
    assert Document.load().profile == "2023.4"


def test_an_unknown_profile_is_refused_by_naming_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'2019\.1'.*2023\.4"):
        Document.load("2019.1")


def test_an_overlay_beside_the_document_is_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "overlays").mkdir()
    (tmp_path / module.FILE).write_bytes((ROOT / "specs" / module.FILE).read_bytes())
    overlay = (
        'overlay: 1.0.0\ninfo: {title: t, version: "1"}\nactions:\n- {target: $.paths, update: {/new: {get: {}}}}\n'
    )
    (tmp_path / "overlays" / "9999.9.yaml").write_text(overlay)
    monkeypatch.setattr(module, "SPECS", tmp_path)

    assert profiles() == ("2023.4", "9999.9")
    loaded = Document.load("9999.9")
    assert loaded.profile == "9999.9"
    assert loaded.operation("GET /new") == Operation("GET /new", "GET", "/new", Effect.READ)
    assert not Document.load("2023.4").has("GET /new")


def test_an_operation_is_found_by_its_id(document: Document) -> None:
    expected = Operation("pipelines.undeploy", "POST", "/v1/api/pipelines/undeploy", Effect.DESTROY)
    assert document.operation("pipelines.undeploy") == expected
    assert document.definition("pipelines.undeploy")["operationId"] == "pipelines.undeploy"


def test_an_unknown_operation_is_refused_by_naming_the_known_ones(document: Document) -> None:
    assert not document.has("pipelines.destroy")
    with pytest.raises(UsageError, match=r"pipelines\.destroy.*pipelines\.create"):
        document.operation("pipelines.destroy")


def test_every_operation_matches_its_own_path(document: Document) -> None:
    for operation in document.operations:
        path = operation.path.format(deployment="p-1", pipeline_name="p")
        matched = document.match("POST", path)
        assert matched is not None
        assert matched[0] is operation


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v1/api/pipelines/infer/my-pipe-14/my-pipe", {"deployment": "my-pipe-14", "pipeline_name": "my-pipe"}),
        ("/v1/api/pipelines/infer/a%2Fb-1/a%2Fb", {"deployment": "a/b-1", "pipeline_name": "a/b"}),
        ("/v1/api/pipelines/infer/%C3%A9-1/%c3%a9", {"deployment": "é-1", "pipeline_name": "é"}),
        ("/v1/api/pipelines/infer/a%0Ab-1/+", {"deployment": "a\nb-1", "pipeline_name": "+"}),
        ("/v1/api/%70ipelines/infer/a-1/a", {"deployment": "a-1", "pipeline_name": "a"}),
    ],
)
def test_path_parameters_are_decoded(document: Document, path: str, parameters: dict[str, str]) -> None:
    matched = document.match("POST", path)
    assert matched == (document.operation("pipelines.infer"), parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/api/pipelines/create"),
        ("post", "/v1/api/pipelines/create"),
        ("POST", "/v1/api/pipelines/create/"),
        ("POST", "//v1/api/pipelines/create"),
        ("POST", "/v1/api/Pipelines/create"),
        ("POST", "/v1/api/pipelines%2Fcreate"),
        ("POST", "/v1/api/pipelines/infer/p-1"),
        ("POST", "/v1/api/pipelines/infer/p-1/"),
        ("POST", "/v1/api/pipelines/infer//p"),
        ("POST", "/v1/api/pipelines/infer/p-1/p/more"),
        ("POST", ""),
        ("POST", "/"),
    ],
)
def test_nothing_else_is_forgiven(document: Document, method: str, path: str) -> None:
    assert document.match(method, path) is None


def test_a_template_may_hold_more_than_a_parameter_in_one_segment() -> None:
    raw = {"info": {"version": "1"}, "paths": {"/a/{name}-{id}.json": {"get": {"operationId": "a"}}}}
    document = Document.from_mapping(raw)
    assert document.match("GET", "/a/x-y-7.json") == (document.operation("a"), {"name": "x-y", "id": "7"})
    assert document.match("GET", "/a/x7.json") is None
    assert document.match("GET", "/a/x-7xjson") is None


def test_a_description_that_is_parsed_already_says_its_own_profile() -> None:
    document = Document.from_mapping({"info": {"version": "7"}, "paths": {"/a": {"delete": {}}}})
    assert document.profile == "7"
    assert document.operations == (Operation("DELETE /a", "DELETE", "/a", Effect.MUTATE),)


@pytest.mark.parametrize("raw", [{}, {"paths": []}, [], None, "openapi"])
def test_what_is_no_description_is_refused(raw: object) -> None:
    with pytest.raises(UsageError, match="no `paths`"):
        Document.from_mapping(raw)  # type: ignore[arg-type]


def test_references_are_followed_to_their_end() -> None:
    parts = {"a": {"$ref": "#/parts/b~1c"}, "b/c": {"$ref": "#/parts/d%20e"}, "d e": {"end": True}}
    document = Document.from_mapping({"info": {}, "paths": {}, "parts": parts})
    assert document.resolved({"$ref": "#/parts/a"}) == {"end": True}
    assert document.resolved({"end": 1}) == {"end": 1}


@pytest.mark.parametrize("reference", ["#/parts/nowhere", "https://example.test/a.yaml", "#/parts/loop", "#/paths/x/y"])
def test_a_reference_to_nothing_is_a_sentence(reference: str) -> None:
    parts = {"loop": {"$ref": "#/parts/loop"}}
    document = Document.from_mapping({"info": {}, "paths": {}, "parts": parts})
    with pytest.raises(UsageError, match="points to nothing"):
        document.resolved({"$ref": reference})


def test_lines_are_those_of_the_file(document: Document) -> None:
    lines = (ROOT / document.path).read_text().splitlines()
    for operation in document.operations:
        assert re.fullmatch(r"    post:", lines[document.line_of(operation.id) - 1])
        assert f"operationId: {operation.id}" in lines[document.line_of(operation.id)]
    schema = document.line_at("components", "schemas", "DeployResponse", "properties", "id", "type")
    assert lines[schema - 1].strip() == "type: integer"
    assert lines[document.line_at("tags", 2, "name") - 1].strip() == "- name: admin"


def test_a_place_that_is_not_in_the_file_has_the_line_of_what_is_around_it(document: Document) -> None:
    whole = document.line_at("components", "schemas")
    assert document.line_at("components", "schemas", "NoSuchSchema", "properties") == whole
    assert document.line_at("nowhere") == 1
    assert document.line_at("tags", 99) == document.line_at("tags")


def test_the_inference_path_is_one_segment_for_the_deployment(document: Document) -> None:
    assert document.operation("pipelines.infer").path == INFER
