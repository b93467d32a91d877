"""A session judges what it sends, folds it in, and tells an outage from a broken promise."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.checks import Rules
from conformance.errors import TargetUnreachableError, TimeSpentError
from conformance.model import Exchange, Headers, Mark, Request, Response
from conformance.run.session import Session
from conformance.spec.document import Document

JSON = Headers({"Content-Type": "application/json", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"})
CREATE = Request("POST", "http://x.example/v1/api/pipelines/create", JSON, b'{"pipeline_id": "p", "workspace_id": 10}')
CREATED = {
    "pipeline_pk_id": 1,
    "pipeline_variant_pk_id": 2,
    "pipeline_variant_version": "c29a277a-10b9-48f9-a738-aafb296df8c2",
}
Answer = Callable[[Request], Response | str]


class Scripted:
    """A target that answers as told."""

    kind, url = "emulated", "http://x.example"

    def __init__(self, answer: Answer) -> None:
        self.requests = 0
        self._answer = answer

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        self.requests += 1
        request = replace(request, url="http://x.example" + request.path)
        matched = Document.load().match(request.method, request.path)
        answer = self._answer(request)
        exchange = Exchange(request, None, matched[0].id if matched else None, started=0.0, ended=0.0)
        return replace(exchange, failure=answer) if isinstance(answer, str) else replace(exchange, response=answer)


def session(answer: Answer) -> Session:
    return Session(Scripted(answer), Rules.of())


def ok(body: object, status: int = 200) -> Response:
    return Response(status, JSON, json.dumps(body).encode())


def test_what_is_sent_is_judged_and_folded() -> None:
    run = session(lambda request: ok(CREATED))
    run.send(CREATE, intent="valid")
    assert run.facts.held["pipelines.create.serves-valid-requests", "pipelines.create"] == 1
    assert run.ledger.pipelines[1].name == "p"
    assert run.facts.reached["pipelines.create", 200] == 1
    assert not run.facts.broken


def test_what_is_broken_is_kept_with_its_exchange() -> None:
    run = session(lambda request: ok(CREATED | {"pipeline_pk_id": None}))
    exchange = run.send(CREATE)
    assert [finding.requirement for finding in run.facts.broken] == ["pipelines.create.returns-the-pipeline-id"]
    assert run.facts.broken[0].evidence == (exchange,)


def test_a_drain_takes_the_sightings_and_leaves_the_ledger() -> None:
    run = session(lambda request: ok(CREATED))
    run.send(CREATE)
    assert run.drain().held
    assert not run.drain().held
    assert run.ledger.pipelines


@pytest.mark.parametrize("dead", ["no connection could be made", ok({}, 502)], ids=["no answer", "bad gateway"])
def test_a_target_that_answers_nothing_any_more_is_an_outage(dead: Response | str) -> None:
    with pytest.raises(TargetUnreachableError, match="stopped answering"):
        session(lambda request: dead).send(CREATE, intent="valid")


def test_an_operation_that_alone_gives_no_answer_is_broken() -> None:
    run = session(lambda request: "no answer came" if "create" in request.url else ok({"workspaces": []}))
    run.send(CREATE, intent="valid")
    assert [finding.requirement for finding in run.facts.broken] == ["pipelines.create.serves-valid-requests"]


def test_a_read_that_alone_gives_no_answer_is_broken_and_no_outage() -> None:
    listing = replace(CREATE, url="http://x.example/v1/api/workspaces/list", body=b"{}")
    run = session(
        lambda request: "no answer came" if "workspaces" in request.url else ok({"msg": "no", "code": 400}, 400)
    )
    run.send(listing, intent="valid")
    assert [finding.requirement for finding in run.facts.broken] == ["workspaces.list.serves-valid-requests"]


def test_labels_hold_inside_their_block_only() -> None:
    run = session(lambda request: ok(CREATED))
    with run.labelled(Mark.DESCRIBED):
        assert run.send(CREATE).labels == {Mark.DESCRIBED}
    assert run.send(CREATE).labels == frozenset()


def test_once_its_time_is_over_a_session_sends_nothing_but_what_cleans_up() -> None:
    run = session(lambda request: ok(CREATED))
    run.send(CREATE)
    run.ends_at = time.time() - 1
    with pytest.raises(TimeSpentError, match="--max-seconds"):
        run.send(CREATE)
    with run.labelled(Mark.CLEANING):
        assert run.send(CREATE).ok
