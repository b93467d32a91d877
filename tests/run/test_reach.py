from __future__ import annotations

import json
from dataclasses import replace

import pytest

from conformance.checks import Rules
from conformance.model import Exchange, Headers, Mark, Request, Response
from conformance.reporting.facts import Facts
from conformance.run.reach import Reach, additions_of, described_places, links_of, reached_of
from conformance.run.run import _judge_description
from conformance.spec.document import Document
from conformance.spec.validation import FastValidator
from tests.checks.built import DATE, JSON, created, post, running, status

DOCUMENT = Document.load()
WORKSPACES = "workspaces.create"


def exchange(body: object, operation: str = WORKSPACES, status: int = 200, answer: object = None) -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = Headers({"Content-Type": "application/json"})
    request = Request("POST", f"http://x{DOCUMENT.operation(operation).path}", fields, content)
    response = Response(status, fields, json.dumps(answer).encode())
    return Exchange(request, response, operation, labels=frozenset({Mark.GENERATED}))


def marks_of(*exchanges: Exchange) -> dict[str, int]:
    reach, found = Reach(DOCUMENT, FastValidator(DOCUMENT)), dict[str, int]()
    for each in exchanges:
        for mark in reach.marks(each):
            found[mark] = found.get(mark, 0) + 1
    return found


def sides_of(*exchanges: Exchange, operation: str = WORKSPACES) -> dict[str, list[str]]:
    reached = reached_of(DOCUMENT, {}, marks_of(*exchanges), running=True)
    sides: dict[str, list[str]] = reached["keywords"][operation]
    return sides


def test_a_body_as_described_meets_the_keywords_of_its_places_alone() -> None:
    sides = sides_of(exchange({"workspace_name": "w"}))
    assert sides["met"] == ["$ type", "$.workspace_name required", "$.workspace_name type"]
    assert not sides["both"] + sides["violated"] + sides["neither"]


@pytest.mark.parametrize(
    ("body", "violated"),
    [
        ({}, "$.workspace_name required"),
        ({"workspace_name": 7}, "$.workspace_name type"),
        ([], "$ type"),
        (b"{", "$ type"),
    ],
    ids=str,
)
def test_a_body_that_breaks_one_keyword_violates_that_one(body: object, violated: str) -> None:
    assert sides_of(exchange(body, status=400))["violated"] == [violated]


def test_what_was_met_and_violated_is_both() -> None:
    sides = sides_of(exchange({"workspace_name": "w"}), exchange({"workspace_name": None}, status=400))
    assert sides["both"] == ["$.workspace_name type"]


def test_requests_that_were_not_drawn_count_for_nothing() -> None:
    assert marks_of(replace(exchange({"workspace_name": "w"}), labels=frozenset())) == {}


def test_a_place_that_is_never_wrong_falls_short_by_name() -> None:
    reached = reached_of(DOCUMENT, {}, marks_of(exchange({"workspace_name": "w"})), running=False)
    assert f"$.workspace_name of {WORKSPACES}, both valid and invalid" in reached["short"]
    assert "a deployment that is Running" in reached["short"]
    assert f"a success of {WORKSPACES}" in reached["short"]


def test_a_run_that_reached_everything_falls_short_of_nothing() -> None:
    statuses = {(one.id, status): 1 for one in DOCUMENT.operations for status in (200, 400, 401, 404)}
    marks = dict.fromkeys(links_of(DOCUMENT), 1)
    for operation in DOCUMENT.operations:
        for place in described_places(DOCUMENT, operation.id):
            prefix = f"keyword|{operation.id}|{place.where}"
            marks |= {f"{prefix}|met": 1} | {f"{prefix} {keyword}|violated": 1 for keyword in place.keywords}
    assert reached_of(DOCUMENT, statuses, marks, running=True)["short"] == []


def test_a_link_is_followed_where_a_later_request_asks_for_what_an_answer_gave() -> None:
    created = exchange({"pipeline_id": "p", "workspace_id": 1, "definition": {}}, "pipelines.create", 200,
                       {"pipeline_pk_id": 5, "pipeline_variant_pk_id": 6, "pipeline_variant_version": "v"})  # fmt: skip
    deploy = {"deploy_id": "p", "pipeline_id": 5, "pipeline_version_pk_id": 6}
    followed = [
        mark for mark in marks_of(created, exchange(deploy, "pipelines.deploy", 200, {"id": 1})) if "link" in mark
    ]
    assert [mark for mark in followed if mark.startswith("link|pipelines.create|")]
    other = exchange(deploy | {"pipeline_id": 9}, "pipelines.deploy", 200, {"id": 1})
    assert not [mark for mark in marks_of(created, other) if mark.startswith("link|pipelines.create|")]


RULES = Rules.of()
DRIFT = "api.describes-itself-as-it-is-promised"


def additions(*exchanges: object) -> list[tuple[str, str]]:
    reach = Reach(RULES.document, RULES.validator)
    marks = [mark for exchange in exchanges for mark in reach.marks(exchange)]  # type: ignore[arg-type]
    return [(one["kind"], one["what"]) for one in additions_of({mark: marks.count(mark) for mark in marks})]


def test_an_answer_as_described_has_nothing_new() -> None:
    assert additions(created(), status()) == []


def test_a_field_a_header_a_status_and_a_media_type_are_new() -> None:
    odd = post("pipelines.create", {}, b"no", 418, headers={"content-type": "application/xml", "x-build": "7"})
    fields = status(running(engines__0__labels={}))
    named = additions(fields, odd)
    assert ("field", "$.engines[].labels") in named
    assert ("header", "x-build") in named


def test_what_gateways_add_is_not_new() -> None:
    assert additions(created(headers={"content-type": JSON, "date": DATE, "x-envoy-upstream-service-time": "3"})) == []


def test_each_kind_of_change_in_the_served_description_is_told_once_an_operation() -> None:
    facts = Facts()
    change = {"operation": "pipelines.create", "kind": "response-field-removed", "message": "pipeline_pk_id is gone"}
    _judge_description(facts, {"changes": [change, change]})
    assert [(one.requirement, one.held) for one in facts.broken] == [(DRIFT, False)]
    assert "1 more" in facts.broken[0].actual


def test_a_served_description_that_is_ours_keeps_the_promise() -> None:
    facts = Facts()
    _judge_description(facts, {"changes": []})
    assert facts.held[DRIFT, "api"] == 1
    untold = Facts()
    _judge_description(untold, None)
    assert not untold.held
