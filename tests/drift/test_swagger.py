"""Swagger 2.0 read as the OpenAPI 3.0 that says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.drift.compare import compare
from conformance.drift.openapi.document import Loaded, read

OLD = """\
swagger: '2.0'
info: {title: T, version: '1'}
host: h.example
basePath: /v1
schemes: [https]
consumes: [application/json]
produces: [application/json]
parameters: {limit: {name: limit, in: query, type: integer, maximum: 10}}
paths:
  /a/{id}:
    parameters: [{name: id, in: path, required: true, type: string}]
    post:
      operationId: a
      parameters:
      - {$ref: '#/parameters/limit'}
      - {name: tags, in: query, type: array, items: {type: string}, collectionFormat: pipes}
      - {name: body, in: body, required: true, schema: {$ref: '#/definitions/Thing'}}
      responses:
        '200': {description: x, schema: {$ref: '#/definitions/Thing'}, headers: {X-Left: {type: integer}}}
      security: [{key: []}]
  /upload:
    post:
      operationId: b
      consumes: [multipart/form-data]
      produces: [application/octet-stream]
      parameters:
      - {name: file, in: formData, required: true, type: file}
      - {name: note, in: formData, type: string}
      responses: {'200': {description: x, schema: {type: file}}}
definitions:
  Thing:
    type: object
    required: [n]
    properties: {n: {type: integer, x-nullable: true}, t: {$ref: '#/definitions/Thing'}}
securityDefinitions: {key: {type: apiKey, in: header, name: X-Key}}
"""
NEW = """\
openapi: 3.0.3
info: {title: T, version: '1'}
servers: [{url: 'https://h.example/v1'}]
paths:
  /a/{id}:
    post:
      operationId: a
      parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
      - {name: limit, in: query, schema: {type: integer, maximum: 10}}
      - {name: tags, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: string}}}
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
      responses:
        '200':
          description: x
          headers: {X-Left: {schema: {type: integer}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
      security: [{key: []}]
  /upload:
    post:
      operationId: b
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              required: [file]
              properties: {file: {type: string, format: binary}, note: {type: string}}
      responses:
        '200': {description: x, content: {application/octet-stream: {schema: {type: string, format: binary}}}}
components:
  schemas:
    Thing:
      type: object
      required: [n]
      properties: {n: {type: integer, nullable: true}, t: {$ref: '#/components/schemas/Thing'}}
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
"""


def described(folder: Path, text: str) -> Loaded:
    file = folder / "described.yaml"
    file.write_text(text, encoding="utf-8")
    return read(file)


def test_the_conversion_says_what_the_same_in_version_3_says(tmp_path: Path) -> None:
    old, new = described(tmp_path, OLD), described(tmp_path, NEW)
    assert (old.slips, old.notes) == ((), ())
    assert [str(one) for one in compare(old.root, new.root).changes] == []


@pytest.mark.parametrize(
    ("before", "after", "location"),
    [
        ("maximum: 10", "maximum: 9", "request.query.limit"),
        ("required: [n]", "required: []", "response.200.body.n"),
        ("formData, type: string", "formData, required: true, type: string", "request.body.note"),
        ("collectionFormat: pipes", "collectionFormat: csv", "request.query.tags"),
        ("schemes: [https]", "schemes: [http]", "servers"),
    ],
)
def test_a_change_is_told_at_its_place(tmp_path: Path, before: str, after: str, location: str) -> None:
    found = compare(described(tmp_path, OLD).root, described(tmp_path, OLD.replace(before, after)).root)
    assert location in {one.location for one in found.changes if one.breaking}


def test_what_version_3_has_no_words_for_is_said(tmp_path: Path) -> None:
    (lost,) = described(tmp_path, OLD.replace("collectionFormat: pipes", "collectionFormat: tsv")).notes
    assert "tsv" in lost


def test_a_slip_is_told_at_the_place_where_it_stands_in_the_file(tmp_path: Path) -> None:
    (slip,) = described(tmp_path, OLD.replace("n: {type: integer, x", "n: {type: int, x")).slips
    assert (slip.line, slip.pointer) == (34, "/definitions/Thing/properties/n/type")
    text = OLD.replace("schema: {$ref: '#/definitions/Thing'}}\n      resp", "schema: {type: strnig}}\n      resp")
    (slip,) = described(tmp_path, text).slips
    assert slip.pointer == "/paths/~1a~1{id}/post/parameters/2/schema/type"
