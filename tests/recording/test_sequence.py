from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.checks import Rules
from conformance.model import Exchange, Request, Response
from conformance.recording.judgement import in_order, judge_traffic


def exchange(
    operation: str, question: Any, answer: Any, span: tuple[float, float] | None = None, status: int = 200
) -> Exchange:
    started, ended = span or (None, None)
    request = Request("POST", "http://x/v1/api", body=json.dumps(question).encode())
    response = Response(status, body=json.dumps(answer).encode())
    return Exchange(request, response, operation, started=started, ended=ended)


def created(pk: int, variant: int, span: tuple[float, float] | None = None, name: str = "p") -> Exchange:
    answer = {"pipeline_pk_id": pk, "pipeline_variant_pk_id": variant, "pipeline_variant_version": str(variant)}
    return exchange("pipelines.create", {"pipeline_id": name, "workspace_id": 10, "definition": {}}, answer, span)


def deployed(deployment: int, span: tuple[float, float] | None = None, pipeline: int = 1) -> Exchange:
    question = {"deploy_id": "p", "pipeline_id": pipeline, "pipeline_version_pk_id": 2}
    return exchange("pipelines.deploy", question, {"id": deployment}, span)


def broken(rules: Rules, *exchanges: Exchange) -> set[str]:
    return {f.requirement for f in judge_traffic([("", exchanges)], rules).broken.values()}


SAME_ID = "pipelines.deploy.again-returns-the-same-id"
SAME_NAME = "pipelines.create.same-name-keeps-the-pipeline"


def test_without_times_the_order_given_is_the_order(rules: Rules) -> None:
    assert SAME_ID in broken(rules, created(1, 2), deployed(14), deployed(15))


def test_one_after_the_other_is_an_order(rules: Rules) -> None:
    assert SAME_ID in broken(rules, created(1, 2, (0, 1)), deployed(14, (1, 2)), deployed(15, (2, 3)))


def test_requests_that_overlap_assert_no_order(rules: Rules) -> None:
    assert SAME_ID not in broken(rules, created(1, 2, (0, 1)), deployed(14, (1, 3)), deployed(15, (2, 4)))


def test_what_overlapped_is_unknown_afterwards(rules: Rules) -> None:
    later = deployed(14, (5, 6))
    assert SAME_ID not in broken(rules, created(1, 2, (0, 1)), deployed(14, (1, 3)), deployed(15, (2, 4)), later)


def test_what_overlaps_something_else_keeps_its_order(rules: Rules) -> None:
    other = created(7, 8, (1.5, 9), name="other")
    assert SAME_ID in broken(rules, created(1, 2, (0, 1)), deployed(14, (1, 2)), other, deployed(15, (2, 3)))


def test_creating_one_name_twice_at_once_contradicts_nothing(rules: Rules) -> None:
    assert SAME_NAME not in broken(rules, created(1, 2, (0, 2)), created(3, 4, (1, 3)))
    assert SAME_NAME in broken(rules, created(1, 2, (0, 2)), created(3, 4, (2, 3)))


def test_status_while_undeploying_is_held_against_nobody(rules: Rules) -> None:
    name = {"name": "p-14"}
    body = {"status": "Running", "details": [], "engines": [], "engine_lbs": [], "sidekicks": []}
    before = [created(1, 2, (0, 1)), deployed(14, (1, 2)), exchange("status.get-deployment", name, body, (2, 3))]
    undeploy = exchange("pipelines.undeploy", {"deployment_id": 14}, None, (4, 6))
    gone = {"msg": "Deployment not found", "code": 404}
    during = exchange("status.get-deployment", name, gone, (5, 5.5), 404)
    assert "status.get-deployment.finds-what-is-deployed" not in broken(rules, *before, undeploy, during)
    early = exchange("status.get-deployment", name, gone, (3, 3.5), 404)
    assert "status.get-deployment.finds-what-is-deployed" in broken(rules, *before, early)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10), st.integers(1, 3)), max_size=15))
def test_every_exchange_comes_out_once_whatever_overlaps(spans: list[tuple[int, int, int]]) -> None:
    given_ = [deployed(deployment, (start, start + length)) for start, length, deployment in sorted(spans)]
    came = [exchange for exchange, _ in in_order(given_)]
    assert sorted(map(id, came)) == sorted(map(id, given_))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 4), max_size=12))
def test_times_that_do_not_overlap_change_nothing(ids: list[int]) -> None:
    timed = [deployed(deployment, (number, number + 1)) for number, deployment in enumerate(ids)]
    untimed = [deployed(deployment) for deployment in ids]
    assert [ledger for _, ledger in in_order(timed)] == [ledger for _, ledger in in_order(untimed)]
