from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from conformance.drift.sources.sdk import is_sdk, read_sdk
from conformance.errors import UsageError

from .generated_clients import NEWER, OLDER, RELEASES, SDKS, real, unpack


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return unpack(tmp_path / "older", OLDER)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return unpack(tmp_path / "newer", NEWER, "2.0.0")


def schemas(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"]
    return found


def test_what_is_read_is_valid_openapi(older, newer):
    for place in (older, newer):
        document = read_sdk(place).document
        assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_an_operation_of_the_older_shape_is_read(older):
    operation = read_sdk(older).document["paths"]["/v1/api/yard/open"]["post"]
    reference = "#/components/schemas/"
    assert operation["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"{reference}OpenGateJsonBody"}}},
    }
    assert operation["responses"]["200"]["content"]["application/json"]["schema"] == {
        "anyOf": [{"$ref": f"{reference}OpenGateResponse200"}, {"type": "null"}]
    }
    assert operation["responses"]["400"]["content"]["application/json"]["schema"] == {"$ref": f"{reference}Trouble"}
    assert list(operation["responses"]) == ["200", "400"]


def test_the_attributes_of_a_model_are_read_with_their_names_on_the_wire(older):
    assert schemas(read_sdk(older).document)["OpenGateJsonBody"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "in": {"type": "integer"},
            "speed": {"type": ["number", "null"]},
            "tries": {"type": "integer", "default": 3},
            "colour": {"$ref": "#/components/schemas/OpenGateColour"},
            "latches": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Latch"}},
            "weights": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "required": ["name", "in"],
        "additionalProperties": True,
    }


def test_enumerations_and_models_that_hold_themselves_are_read(older):
    found = schemas(read_sdk(older).document)
    assert found["OpenGateColour"] == {"type": "string", "enum": ["red", "green"]}
    assert found["Latch"]["properties"] == {
        "id": {"type": "string", "format": "uuid"},
        "inner": {"$ref": "#/components/schemas/Latch"},
    }
    assert found["Latch"]["additionalProperties"] is False
    assert found["OpenGateResponse200"] == {
        "type": "object",
        "properties": {
            "since": {"type": ["string", "null"], "format": "date-time"},
            "labels": {"type": "object", "additionalProperties": True},
        },
        "required": ["since", "labels"],
        "additionalProperties": {"type": "string"},
    }


def test_a_form_with_a_file_and_an_answer_that_is_an_array_are_read(older):
    document = read_sdk(older).document
    operation = document["paths"]["/v1/api/yard/cart"]["post"]
    assert list(operation["requestBody"]["content"]) == ["multipart/form-data"]
    assert schemas(document)["CartParts"]["properties"]["file"] == {"contentMediaType": "application/octet-stream"}
    assert operation["responses"]["200"]["content"]["application/json"]["schema"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Trouble"},
    }


def test_an_operation_of_the_newer_shape_is_read(newer):
    operation = read_sdk(newer).document["paths"]["/v1/api/yard/{gate_id}/open"]["put"]
    kind = {"$ref": "#/components/schemas/GateKind"}
    assert operation["parameters"] == [
        {"name": "gate_id", "in": "path", "required": True, "schema": {"type": "integer"}},
        {"name": "kind", "in": "query", "required": False, "schema": kind},
        {"name": "X-Trace", "in": "header", "required": True, "schema": {"type": "string"}},
    ]
    assert operation["requestBody"]["required"] is False
    answers = {
        status: answer.get("content", {}).get("application/json", {}).get("schema", "none")
        for status, answer in operation["responses"].items()
    }
    assert answers == {
        "200": {"anyOf": [{"$ref": "#/components/schemas/Gate"}, {"type": "null"}]},
        "202": {"type": "string", "format": "uuid"},
        "203": {"type": "array", "items": {"type": "integer"}},
        "204": "none",
        "409": {},
        "500": {"type": "string"},
    }


def test_literals_and_unions_written_with_a_bar_are_read(newer):
    found = schemas(read_sdk(newer).document)
    assert found["GateKind"] == {"enum": ["iron", "wood"]}
    assert found["OpenGateBody"]["properties"] == {
        "wide": {"type": ["boolean", "null"]},
        "kinds": {"anyOf": [{"enum": ["a"]}, {"enum": ["b", "c"]}]},
        "gone": {},
    }


def test_a_body_of_two_types_is_read_as_two_media_types(newer):
    content = read_sdk(newer).document["paths"]["/v1/api/yard/send"]["post"]["requestBody"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Gate"}
    assert set(content) == {"application/json", "application/octet-stream"}


def test_what_was_not_understood_is_said(newer):
    assert read_sdk(newer).notes == (
        "api/odd.py is not in the generator's shape and was left out",
        "the type Nowhere is not understood and read as any value",
    )


def test_the_release_is_read_and_is_no_part_of_the_contract(older, tmp_path):
    other = unpack(tmp_path / "other", OLDER, "9.9.9")
    assert (read_sdk(older).release, read_sdk(other).release) == ("1.2.3", "9.9.9")
    assert read_sdk(older).document == read_sdk(other).document


def test_a_wheel_reads_as_its_folder_does(older, tmp_path):
    wheel = tmp_path / "wallaroo-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in sorted(older.rglob("*.py")):
            archive.write(file, file.relative_to(older))
        archive.writestr("wallaroo-1.2.3.dist-info/METADATA", "")
    assert read_sdk(wheel) == read_sdk(older)
    assert is_sdk(wheel)


def test_the_package_folder_and_the_client_folder_will_do(older):
    whole = read_sdk(older)
    assert read_sdk(older / "wallaroo") == whole
    assert read_sdk(older / "wallaroo" / "some_client").document == whole.document


def test_only_the_operations_asked_for_are_read(older):
    document = read_sdk(older, only=["/v1/api/yard/cart"]).document
    assert list(document["paths"]) == ["/v1/api/yard/cart"]
    assert set(schemas(document)) == {"CartParts", "Trouble"}


def test_nothing_of_the_sdk_is_run(tmp_path):
    trap = {"__init__.py": "raise SystemExit('imported')", "models/trap.py": "raise SystemExit('imported')"}
    body = OLDER["api/yard/add_cart.py"] + "\n        raise SystemExit('imported')\n"
    place = unpack(tmp_path / "trap", {**OLDER, **trap, "api/yard/add_cart.py": body})
    assert "/v1/api/yard/cart" in read_sdk(place).document["paths"]


@pytest.mark.parametrize("kind", ["missing", "empty folder", "no wheel", "other operations"])
def test_what_is_no_sdk_ends_in_a_sentence(kind, tmp_path, older):
    place, only = tmp_path / "x", ["/v1/api/else"] if kind == "other operations" else []
    if kind == "empty folder":
        place.mkdir()
    elif kind == "no wheel":
        place.write_bytes(b"PK no")
    elif kind == "other operations":
        place = older
    with pytest.raises(UsageError, match=r"\.$"):
        read_sdk(place, only)
    assert is_sdk(place) is (kind == "other operations")


def test_an_installed_sdk_is_found_without_importing_it(older, monkeypatch):
    (older / "wallaroo" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(older))
    assert read_sdk().release == "1.2.3"


def test_without_an_installed_sdk_the_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(UsageError, match="not installed"):
        read_sdk()


TEMPLATE = '''
HEADER = """
openapi: 3.1.1
info: {{}}
paths:
  /other:
    post: {{}}
"""
BODY = """
openapi: 3.1.1
info:
  title: {pipeline_name}
paths:
  /:
    post:
      operationId: ask
      requestBody:
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Rows'}
      responses:
        '200':
          description: Rows
          content:
            application/json:
              description: Misplaced
              schema: {$ref: '#/components/schemas/Rows'}
        '409':
          description: Conflict
          content:
            application/json:
              schema: {$ref: '#/components/responses/Trouble'}
        '500': {$ref: '#/components/responses/Trouble'}
components:
  securitySchemes:
    one: {type: http, scheme: bearer}
  schemas:
    Rows:
      type: array
      items:
        type: Object
        {input_schema}
        properties:
          time: {type: integer, example: 3}
          {flattened_schema}
    Trouble:
      type: object
      required: [error]
  responses:
    Trouble:
      description: Trouble
      content:
        application/json:
          schema: {$ref: '#/components/schemas/Trouble'}
"""
'''
INFER = "/v1/api/infer/{where}"
WHERE = [{"name": "where", "in": "path", "required": True, "schema": {"type": "string"}}]


def test_the_template_of_the_inference_url_is_one_more_operation(older):
    (older / "wallaroo" / "openapi_tmpl.py").write_text(TEMPLATE)
    contract = read_sdk(older, ["/v1/api/yard/cart"], INFER, WHERE)
    assert list(contract.document["paths"]) == ["/v1/api/infer/{where}", "/v1/api/yard/cart"]
    assert list(OpenAPIV31SpecValidator(contract.document).iter_errors()) == []
    rows = schemas(contract.document)["Inference.Rows"]
    assert rows["items"] == {
        "type": "object",
        "additionalProperties": True,
        "properties": {"time": {"type": "integer"}},
    }
    answers = contract.document["paths"][INFER]["post"]["responses"]
    assert answers["409"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Inference.Trouble"}
    assert schemas(contract.document)["Trouble"] != schemas(contract.document)["Inference.Trouble"]


def test_what_is_invalid_in_the_template_is_said(older):
    (older / "wallaroo" / "openapi_tmpl.py").write_text(TEMPLATE)
    notes = read_sdk(older, ["/v1/api/yard/cart"], INFER, WHERE).notes
    assert [note.split(": ", 1)[0] for note in notes] == ["openapi_tmpl.py"] * 3
    assert "Object is not a type" in " ".join(notes)
    assert "refers to the response Trouble" in " ".join(notes)
    assert "description" in " ".join(notes)


def test_a_template_that_cannot_be_read_is_said_and_left_out(older):
    (older / "wallaroo" / "openapi_tmpl.py").write_text('BODY = """\npaths:\n  /: [\n"""')
    contract = read_sdk(older, ["/v1/api/yard/cart"], INFER, WHERE)
    assert list(contract.document["paths"]) == ["/v1/api/yard/cart"]
    assert "openapi_tmpl.py could not be read" in contract.notes[0]


@real
@pytest.mark.parametrize("release", RELEASES)
def test_a_release_of_the_vendor_is_read_whole(release):
    contract = read_sdk(SDKS / release)
    assert contract.release == release
    assert len(contract.document["paths"]) > 45
    assert not [note for note in contract.notes if "left out" in note]
    assert list(OpenAPIV31SpecValidator(contract.document).iter_errors()) == []
