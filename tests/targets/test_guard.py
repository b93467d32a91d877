"""What a live target's guard lets through, and what it refuses."""

from __future__ import annotations

import json

import pytest

from conformance.ledger import Deployment
from conformance.model import Exchange, Headers, Request, Response
from conformance.targets.guard import Guard, RefusedError, token_may_go

OURS = "conformance-1234-"


def request(path: str, **body: object) -> Request:
    headers = Headers({"Content-Type": "application/json"})
    return Request("POST", f"https://api.example/v1/api/pipelines/{path}", headers, json.dumps(body).encode())


def answered(operation: str, sent: Request, body: object, status: int = 200) -> Exchange:
    return Exchange(sent, Response(status, Headers(), json.dumps(body).encode()), operation)


def knowing(*exchanges: Exchange) -> Guard:
    guard = Guard(OURS)
    for exchange in exchanges:
        guard.learn(exchange)
    return guard


CREATED = answered("pipelines.create", request("create", pipeline_id=OURS + "p"), {"pipeline_pk_id": 5})
DEPLOYED = answered("pipelines.deploy", request("deploy", deploy_id=OURS + "p", pipeline_id=5), {"id": 14})


def test_what_this_run_made_may_be_deployed() -> None:
    knowing(CREATED).refuse("pipelines.deploy", request("deploy", deploy_id=OURS + "p", pipeline_id=5))


def test_what_this_run_did_not_make_is_not_deployed() -> None:
    with pytest.raises(RefusedError, match="pipeline 6 was refused"):
        knowing(CREATED).refuse("pipelines.deploy", request("deploy", deploy_id=OURS + "p", pipeline_id=6))


def test_a_deployment_must_carry_our_name() -> None:
    with pytest.raises(RefusedError, match="must begin with"):
        knowing(CREATED).refuse("pipelines.deploy", request("deploy", deploy_id="theirs", pipeline_id=5))


def test_a_pipeline_counts_as_ours_only_by_our_name() -> None:
    theirs = answered("pipelines.create", request("create", pipeline_id="theirs"), {"pipeline_pk_id": 7})
    with pytest.raises(RefusedError):
        knowing(theirs).refuse("pipelines.deploy", request("deploy", deploy_id=OURS + "p", pipeline_id=7))


def test_a_refused_create_makes_nothing_ours() -> None:
    refused = answered("pipelines.create", request("create", pipeline_id=OURS + "p"), {"pipeline_pk_id": 5}, 500)
    with pytest.raises(RefusedError):
        knowing(refused).refuse("pipelines.deploy", request("deploy", deploy_id=OURS + "p", pipeline_id=5))


def test_what_this_run_deployed_may_be_undeployed_by_either_id() -> None:
    guard = knowing(CREATED, DEPLOYED)
    guard.refuse("pipelines.undeploy", request("undeploy", deployment_id=14))
    guard.refuse("pipelines.undeploy", request("undeploy", pipeline_id=5))


@pytest.mark.parametrize("body", [{"deployment_id": 15}, {"pipeline_id": 6}, {"deployment_id": 14, "pipeline_id": 6}])
def test_what_this_run_did_not_make_is_not_undeployed(body: dict[str, int]) -> None:
    with pytest.raises(RefusedError, match="did not make it"):
        knowing(CREATED, DEPLOYED).refuse("pipelines.undeploy", request("undeploy", **body))


def test_a_foreign_pipeline_is_not_copied_into_a_deployment() -> None:
    with pytest.raises(RefusedError, match="deploy a copy"):
        knowing(CREATED).refuse("pipelines.copy", request("copy", source_pipeline=6, deploy=OURS + "c"))


def test_what_an_earlier_run_made_may_be_adopted() -> None:
    guard = Guard(OURS)
    guard.adopt([Deployment(20, OURS + "p", 8, None)])
    guard.refuse("pipelines.undeploy", request("undeploy", deployment_id=20, pipeline_id=8))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.a.example/x", True),
        ("https://a.example/x", True),
        ("https://api.a.example:8443/x", False),
        ("http://api.a.example/x", False),
        ("https://b.example/x", False),
        ("https://api.a.example.evil.example/x", False),
        ("https://apia.example/x", False),
    ],
)
def test_our_token_goes_to_the_targets_own_host_only(url: str, allowed: bool) -> None:
    assert token_may_go(url, "https://api.a.example") is allowed


def test_our_token_goes_where_it_was_allowed_to() -> None:
    assert token_may_go("https://infer.example/x", "https://api.a.example", ["infer.example"])
