from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from conformance.drift.changes import Comparison, advice_for
from conformance.drift.report.forms import render
from conformance.drift.report.sections import table_section
from conformance.drift.sources.collection import Source, Table, table_for
from conformance.drift.sources.served import Served
from conformance.drift.sources.table import (
    _PLACES,
    AGREES,
    DIFFERS,
    SILENT,
    UNEXERCISED,
    Contradiction,
    Row,
    contradictions,
)
from conformance.model import Exchange, Headers, Request, Response
from conformance.spec.document import Document
from conformance.spec.requirements import load

SPEC = Document.load("2023.4")
CREATED = {
    "pipeline_pk_id": 1,
    "pipeline_variant_pk_id": 2,
    "pipeline_variant_version": "c29a277a-10b9-48f9-a738-aafb296df8c2",
}
CREATE = {"pipeline_id": "p", "workspace_id": 1}
PK = "response.200.body.pipeline_pk_id"


def created(body: Any = CREATED, status: int = 200) -> Exchange:
    kind = Headers({"Content-Type": "application/json"})
    request = Request("POST", "https://h.example/v1/api/pipelines/create", kind, json.dumps(CREATE).encode())
    return Exchange(request, Response(status, kind, json.dumps(body).encode()))


def served(change: Any = None) -> Served:
    document = copy.deepcopy(dict(SPEC.raw))
    if change is not None:
        document["components"]["schemas"]["CreateResponse"]["properties"]["pipeline_pk_id"] = change
    return Served(document, "https://h.example/v1/api/openapi.json", ())


def row(table: Table, location: str, operation: str = "pipelines.create") -> Row:
    return next(one for one in table.rows if (one.operation, one.location) == (operation, location))


def states(one: Row) -> dict[str, str]:
    return {name: cell.state for name, cell in one.cells.items()}


def test_an_instance_that_is_as_we_describe_differs_nowhere():
    table, changes = table_for(SPEC, served(), exchanges=[created()])
    assert table.columns == ("served", "traffic")
    assert table.differing == ()
    assert changes == ()
    assert states(row(table, PK)) == {"served": AGREES, "traffic": AGREES}
    assert row(table, PK).spec == "integer, required"
    assert states(row(table, "response.400.body.msg")) == {"served": AGREES, "traffic": UNEXERCISED}


def test_a_served_document_with_one_changed_field_is_attributed_to_the_served_document():
    table, changes = table_for(SPEC, served({"type": "string"}), exchanges=[created()])
    (one,) = table.differing
    assert (one.operation, one.location, one.breaks) == ("pipelines.create", PK, "readers")
    assert states(one) == {"served": DIFFERS, "traffic": AGREES}
    assert one.cause == "The served document says otherwise than ours but the instance behaves as ours says."
    (change,) = changes
    assert change.breaking
    assert change.message.startswith("The served document: ")


def test_an_instance_that_behaves_otherwise_than_its_document_says_is_attributed_to_its_behaviour():
    table, changes = table_for(SPEC, served(), exchanges=[created(), created(CREATED | {"pipeline_pk_id": "1"})])
    (one,) = table.differing
    assert (one.location, one.breaks) == (PK, "readers")
    assert states(one) == {"served": AGREES, "traffic": DIFFERS}
    assert "(1 of 2)" in one.cells["traffic"].text
    assert one.cause == "The instance behaves otherwise than we describe while the document it serves does not say so."
    (change,) = changes
    assert (change.breaking, change.kind) == (True, "response-type-changed")
    assert change.message.startswith("Traffic: ")


def test_an_instance_that_changed_with_its_document_is_told_apart():
    table, _ = table_for(SPEC, served({"type": "string"}), exchanges=[created(CREATED | {"pipeline_pk_id": "1"})])
    (one,) = table.differing
    assert states(one) == {"served": DIFFERS, "traffic": DIFFERS}
    assert "and so does the document it serves" in one.cause


@pytest.mark.parametrize(
    ("exchange", "location", "breaks"),
    [
        (created(CREATED | {"more": 1}), "response.200.body.more", "nobody"),
        (created({}), "response.200.body.pipeline_pk_id", "readers"),
        (created(CREATED, 201), "response.201", "readers"),
        (created(CREATED, 302), "response.302", "nobody"),
    ],
)
def test_what_traffic_shows_beside_the_description_is_a_row_that_says_who_breaks(exchange, location, breaks):
    table, _ = table_for(SPEC, served(), exchanges=[exchange])
    assert row(table, location).breaks == breaks


def test_what_was_sent_otherwise_than_described_is_not_the_instances_drift():
    odd = created()
    asked = Request(odd.request.method, odd.request.url, odd.request.headers, json.dumps(CREATE | {"odd": 1}).encode())
    table, changes = table_for(SPEC, served(), exchanges=[Exchange(asked, odd.response)])
    (one,) = table.differing
    assert (one.location, one.breaks) == ("request.body.odd", "nobody")
    assert one.cause == "What was sent is not what we describe."
    assert changes == ()


def test_every_status_and_media_type_is_a_row():
    table, _ = table_for(SPEC, served(), exchanges=[created(), created({"msg": "no", "code": 409}, 409)])
    assert states(row(table, "response.4XX")) == {"served": AGREES, "traffic": AGREES}
    assert states(row(table, "response.500")) == {"served": AGREES, "traffic": UNEXERCISED}
    assert states(row(table, "request.content.application/json")) == {"served": AGREES, "traffic": AGREES}


def test_a_source_that_does_not_describe_an_operation_says_nothing_of_it():
    document = {"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}, "components": {"schemas": {}}}
    path = "/v1/api/workspaces/create"
    document["paths"] = {path: copy.deepcopy(SPEC.raw["paths"][path])}
    document["components"] = copy.deepcopy(dict(SPEC.raw["components"]))
    table, changes = table_for(SPEC, sdk=Source("SDK 1", document, generated=True))
    assert states(row(table, "request.body.workspace_name", "workspaces.create")) == {"sdk": AGREES}
    assert states(row(table, "operation", "pipelines.copy")) == {"sdk": DIFFERS}
    assert states(row(table, PK)) == {"sdk": SILENT}
    assert row(table, "operation", "pipelines.copy").breaks == "callers"
    assert {one.kind for one in changes} == {"operation-removed"}


def test_an_operation_only_the_instance_has_is_a_row():
    there = served()
    assert there.document is not None
    there.document["paths"]["/v1/api/new"] = {"post": {"responses": {"200": {"description": ""}}}}
    table, _ = table_for(SPEC, there)
    assert row(table, "operation", "POST /v1/api/new").breaks == "nobody"


def test_what_the_tutorial_says_otherwise_is_a_column_and_no_change():
    told = Contradiction(
        "status.get-deployment", "request.body.name", "the field is called id", "Parameters", "it is name"
    )
    table, changes = table_for(SPEC, prose=[told])
    (one,) = table.differing
    assert one.cells["prose"].text == "the field is called id (Parameters); held: it is name"
    assert (one.breaks, changes) == ("callers", ())
    assert one.cause == "The tutorial's prose says otherwise than the contract."


def test_every_contradiction_of_the_catalogue_is_about_a_place_we_describe():
    found = contradictions(load("2023.4").rows)
    assert len(found) > 20
    table, _ = table_for(SPEC, prose=found)
    for one in found:
        if one.operation != "api":
            assert row(table, one.location, one.operation).spec
    for id_ in _PLACES:
        assert id_ in load("2023.4").by_id


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_the_table_is_shown_in_every_form(form):
    table, changes = table_for(SPEC, served({"type": "string"}), exchanges=[created()])
    shown = render(Comparison(changes), form, [table_section(table)])
    assert PK in shown.replace("\\", "")
    assert "behaves as ours says" in shown
    if form == "json":
        whole = json.loads(shown)
        assert whole["verdict"] == "breaking"
        assert whole["table"]["columns"] == ["spec", "served", "traffic"]
        assert len(whole["table"]["rows"]) == len(table.rows) > 200
    if form == "html":
        assert shown.rstrip().endswith("</html>")
        assert shown.count("<script") == 1, "its own"


def test_advice_falls_back_on_what_the_kind_of_change_says():
    _, (change,) = table_for(SPEC, served({"type": "string"}))
    assert advice_for(change, {}) == f"Be ready for what {PK} may answer now."
    assert advice_for(change, {("pipelines.create", "response.body.pipeline_pk_id"): "Read it."}) == "Read it."
    assert advice_for(change, {("pipelines.create", "response.body"): "Read all."}) == "Read all."
