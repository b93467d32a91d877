from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.drift.sources.traffic import Observed, observe
from conformance.model import Exchange, Headers, Request, Response
from conformance.spec.document import Document

DOCUMENT = Document.from_mapping(
    {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {
            "/v1/api/door": {
                "post": {
                    "operationId": "door.open",
                    "parameters": [{"name": "quiet", "in": "query", "schema": {"type": "boolean"}}],
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {"key": {"type": "string"}, "free": {"type": "object"}},
                                }
                            }
                        }
                    },
                    "responses": {
                        "200": {
                            "description": "",
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Door"}}},
                        },
                        "4XX": {"description": "", "content": {"*/*": {}}},
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Door": {
                    "type": "object",
                    "required": ["id", "state"],
                    "properties": {
                        "id": {"type": "integer"},
                        "state": {"enum": ["open", "shut"]},
                        "note": {"type": ["string", "null"]},
                        "since": {"type": "string", "format": "uuid"},
                        "hinges": {
                            "type": "array",
                            "items": {"type": "object", "properties": {"n": {"type": "integer"}}},
                        },
                        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                        "any": {"type": "object"},
                        "inner": {"$ref": "#/components/schemas/Door"},
                    },
                }
            }
        },
    }
)
GOOD = {"id": 1, "state": "open"}


def exchange(answer: Any = None, status: int | None = 200, sent: Any = None, query: str = "", **more: Any) -> Exchange:
    kind = more.get("kind", "application/json")
    body = more.get("raw", b"" if answer is None else json.dumps(answer).encode())
    question = b"" if sent is None else json.dumps(sent).encode()
    return Exchange(
        Request("POST", f"https://h/v1/api/door{query}", Headers({"Content-Type": "application/json"}), question),
        Response(status, Headers({"Content-Type": kind} if body else {}), body),
    )


def seen(*exchanges: Exchange) -> Observed:
    return observe(exchanges, DOCUMENT)["door.open"]


def facts(*exchanges: Exchange) -> set[tuple[str, str]]:
    return {(fact.location, fact.kind) for fact in seen(*exchanges).facts}


def test_traffic_as_described_shows_no_fact():
    whole = {
        **GOOD,
        "note": None,
        "since": "bdfc8c60-b5bc-4c0e-aa87-157cd52895b6",
        "hinges": [{"n": 1}, {"n": 2}],
        "tags": {"a": "b"},
        "any": {"thing": [1, {"x": 2}]},
        "inner": {"id": 2, "state": "shut"},
    }
    assert (
        facts(exchange(whole, sent={"key": "k", "free": {"x": 1}}, query="?quiet=true"), exchange(status=404)) == set()
    )


def test_an_operation_that_is_never_served_is_gone():
    assert facts(exchange(status=404), exchange(status=404), exchange(status=401)) == {("operation", "never-served")}
    (fact,) = seen(exchange(status=404), exchange(status=404), exchange(status=401)).facts
    assert (fact.count, fact.of) == (2, 3)
    assert facts(exchange(status=404), exchange(GOOD)) == set()
    assert facts(exchange(status=401)) == set()


@pytest.mark.parametrize(
    ("answer", "location", "kind"),
    [
        ({**GOOD, "colour": "red"}, "response.200.body.colour", "undeclared-field"),
        ({**GOOD, "hinges": [{"m": 1}]}, "response.200.body.hinges[].m", "undeclared-field"),
        ({**GOOD, "state": "ajar"}, "response.200.body.state", "value-outside-enum"),
        ({**GOOD, "id": "1"}, "response.200.body.id", "other-type"),
        ({**GOOD, "id": None}, "response.200.body.id", "other-type"),
        ({**GOOD, "id": True}, "response.200.body.id", "other-type"),
        ({**GOOD, "tags": {"a": 1}}, "response.200.body.tags.*", "other-type"),
        ({"state": "open"}, "response.200.body.id", "required-but-absent"),
        ([GOOD], "response.200.body", "other-type"),
        ({**GOOD, "since": "yesterday"}, "response.200.body.since", "not-as-described"),
    ],
)
def test_an_answer_that_differs_is_told_once_at_its_field(answer, location, kind):
    assert facts(exchange(answer)) == {(location, kind)}


def test_what_is_sent_is_held_to_the_description_too():
    found = facts(exchange(GOOD, sent={"key": 1, "other": 2}, query="?loud=1"))
    assert found == {
        ("request.body.key", "other-type"),
        ("request.body.other", "undeclared-field"),
        ("request.query.loud", "undeclared-field"),
    }


def test_statuses_and_media_types_that_are_not_declared_are_told():
    found = facts(exchange(GOOD, status=201), exchange(raw=b"<p>", kind="text/html"), exchange({}, status=418))
    assert found == {
        ("response.201", "undeclared-status"),
        ("response.200.content.text/html", "undeclared-media-type"),
    }


def test_shares_of_null_and_absent_are_counted_over_their_chances():
    observed = seen(
        exchange({**GOOD, "note": None}),
        exchange({**GOOD, "note": "n"}),
        exchange(GOOD),
        exchange(GOOD),
        exchange(status=500),
    )
    note = observed.fields["response.200.body.note"]
    assert (note.seen, note.null, note.absent) == (2, 1, 2)
    assert (note.null_share, note.absent_share) == (0.5, 0.5)
    assert note.types == ("null", "string")
    assert observed.exchanges == 5
    assert observed.statuses == {"200": 4, "500": 1}


def test_a_fact_says_in_how_many_of_how_many_it_was_seen():
    (fact,) = seen(exchange(GOOD), exchange(GOOD), exchange({"id": 1, "state": "ajar"})).facts
    assert (fact.count, fact.of) == (1, 3)
    assert '"ajar"' in fact.message


def test_what_is_declared_and_never_came_is_told_apart_from_what_did():
    observed = seen(exchange({**GOOD, "note": None}))
    assert "response.200.body.hinges" in observed.never_seen
    assert "request.body.key" in observed.never_seen
    assert "response.200.body.note" not in observed.never_seen
    assert observed.fields["response.200.body.hinges"].absent == 1


def test_a_recording_without_status_counts_as_the_described_success():
    assert facts(exchange({**GOOD, "state": "ajar"}, status=None)) == {
        ("response.200.body.state", "value-outside-enum")
    }
    assert seen(exchange(GOOD, status=None)).statuses == {}


def test_traffic_without_bodies_and_of_other_paths_claims_nothing():
    unknown = Exchange(Request("POST", "https://h/v1/api/door"), Response(200, body_known=False))
    assert facts(unknown, Exchange(Request("POST", "https://h/v1/api/door"), None)) == set()
    assert observe([Exchange(Request("GET", "https://h/"), Response(200))], DOCUMENT) == {}


def test_a_body_keyed_by_ids_does_not_grow_without_end():
    observed = seen(*(exchange({**GOOD, **{f"k{start}{n}": 1 for n in range(3000)}}) for start in range(3)))
    assert len(observed.fields) < 5100


def test_a_secret_outside_an_enumeration_is_not_repeated():
    token = "eyJhbGciOiJSUzI1NiJ9." + "eyJlbWFpbCI6ImFAYi5leGFtcGxlIn0" + ".c2lnbmF0dXJl"
    (fact,) = seen(exchange({**GOOD, "state": f"Bearer {token}"})).facts
    assert token not in fact.message


def test_the_tutorials_recordings_are_as_described():
    from pathlib import Path

    from conformance.recording import folder

    place = Path(__file__).parents[2] / "fixtures" / "recordings"
    if not place.is_dir():
        pytest.skip("no recordings yet")
    document = Document.load()
    observed = observe((one.exchange for one in folder.read(place, document)), document)
    assert "status.get-deployment" in observed
    assert {name: one.facts for name, one in observed.items() if one.facts} == {}
