"""What a live target's guard lets through, and what it refuses."""

from __future__ import annotations

import json

import pytest

from conformance.api import multipart
from conformance.model import Exchange, Headers, Operation, Request, Response
from conformance.spec.document import Document
from conformance.targets.address import token_may_go
from conformance.targets.safety.guard import NEVER_GIVEN, Effects, Guard, RefusedError, plain_path
from conformance.targets.safety.holdings import Holdings

OURS = "conformance-1234-"
JSON = Headers({"Content-Type": "application/json"})
UUID = "c29a277a-10b9-48f9-a738-aafb296df8c2"
THEIRS = "aaaaaaaa-10b9-48f9-a738-aafb296df8c2"


def request(path: str, body: object = None, **fields: object) -> Request:
    content = body if isinstance(body, bytes) else json.dumps(fields if body is None else body).encode()
    return Request("POST", f"https://api.example/v1/api/{path}", JSON, content)


def operation(sent: Request) -> Operation | None:
    matched = Document.load().match("POST", plain_path(sent.path))
    return matched[0] if matched else None


def holding(*calls: tuple[Request, object], status: int = 200) -> Holdings:
    holdings = Holdings(OURS)
    for sent, answer in calls:
        found = operation(sent)
        assert found is not None
        call = holdings.intend(found.id, sent)
        answered = Response(status, Headers(), json.dumps(answer).encode())
        holdings.learn(call, Exchange(sent, answered, found.id))
    return holdings


WORKSPACE = (request("workspaces/create", workspace_name=OURS + "w"), {"workspace_id": 3})
CREATED = (
    request("pipelines/create", pipeline_id=OURS + "p", workspace_id=3),
    {"pipeline_pk_id": 5, "pipeline_variant_pk_id": 50, "pipeline_variant_version": UUID},
)
DEPLOYED = (request("pipelines/deploy", deploy_id=OURS + "p", pipeline_id=5, pipeline_version_pk_id=50), {"id": 14})
ALL = (WORKSPACE, CREATED, DEPLOYED)


def refuse(sent: Request, *calls: tuple[Request, object], effects: Effects = Effects.OWN) -> None:
    Guard(holding(*(calls or ALL)), effects).refuse(operation(sent), sent)


@pytest.mark.parametrize(
    "sent",
    [
        request("pipelines/deploy", deploy_id=OURS + "p", pipeline_id=5, pipeline_version_pk_id=50),
        request(
            "pipelines/deploy", deploy_id=OURS + "p", pipeline_id=5, pipeline_version_pk_id=50, pipeline_version=UUID
        ),
        request("pipelines/undeploy", deployment_id=14),
        request("pipelines/undeploy", pipeline_id=5),
        request("pipelines/create", pipeline_id=OURS + "q", workspace_id=3),
        request("pipelines/copy", name=OURS + "c", workspace_id=3, source_pipeline=5, deploy=OURS + "c"),
        request("workspaces/create", workspace_name=OURS + "x"),
        request(f"pipelines/infer/{OURS}p-14/{OURS}p", body=[]),
        request("pipelines/infer/nonsense/p", body=[]),
        request("status/get_deployment", name="theirs-6"),
    ],
    ids=lambda sent: sent.path.removeprefix("/v1/api/"),
)
def test_what_this_run_made_may_be_touched_and_everything_read(sent: Request) -> None:
    refuse(sent)


@pytest.mark.parametrize(
    "sent",
    [
        request("pipelines/undeploy", deployment_id=NEVER_GIVEN + 5),
        request("pipelines/deploy", deploy_id=OURS + "p", pipeline_id=NEVER_GIVEN, pipeline_version_pk_id=NEVER_GIVEN),
        request("pipelines/create", pipeline_id=OURS + "p", workspace_id=NEVER_GIVEN),
        request("pipelines/create", pipeline_id=7, workspace_id="ten"),
        request("pipelines/undeploy", deployment_id=-1),
        request("pipelines/undeploy", body=b"{"),
        request("pipelines/undeploy", body=b""),
        request("pipelines/undeploy", deployment_id=None),
    ],
    ids=lambda sent: f"{sent.path.removeprefix('/v1/api/')} {sent.body[:60]!r}",
)
def test_what_can_be_nothing_may_be_asked_for(sent: Request) -> None:
    refuse(sent)


@pytest.mark.parametrize(
    "body",
    [
        {"deployment_id": 15},
        {"pipeline_id": 6},
        {"deployment_id": 14, "pipeline_id": 6},
        {"deployment_id": "15"},
        {"deployment_id": 15.0},
        {"deployment_id": True},
        {"deployment_id": [15]},
        [None, 15],
        15,
        b'{"deployment_id": 15, "deployment_id": 14}',
        b'{"deployment_id": 15',
        b'{"deployment_id": 15} trailing',
        b"deployment_id=15",
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "path",
    ["pipelines/undeploy", "pipelines/undeploy/", "pipelines//undeploy", "pipelines/%75ndeploy", "Pipelines/Undeploy"],
)
def test_nothing_foreign_is_undeployed_however_it_is_written(path: str, body: object) -> None:
    with pytest.raises(RefusedError, match="did not make it"):
        refuse(request(path, body=body))


@pytest.mark.parametrize(
    "sent",
    [
        request("pipelines/deploy", deploy_id=OURS + "p", pipeline_id=6, pipeline_version_pk_id=50),
        request("pipelines/deploy", deploy_id=OURS + "p", pipeline_version_pk_id=60),
        request("pipelines/deploy", deploy_id=OURS + "p", pipeline_id=5, pipeline_version=THEIRS),
        request("pipelines/deploy", deploy_id="theirs", pipeline_id=5, pipeline_version_pk_id=50),
        request("pipelines/create", pipeline_id="theirs", workspace_id=3),
        request("pipelines/create", pipeline_id="conformance-5678-p", workspace_id=3),
        request("pipelines/create", pipeline_id=OURS + "p", workspace_id=1),
        request("pipelines/copy", name=OURS + "c", workspace_id=3, source_pipeline=6),
        request("pipelines/copy", name="theirs", workspace_id=3, source_pipeline=5),
        request("pipelines/copy", name=OURS + "c", workspace_id=3, source_pipeline=5, deploy="theirs"),
        request("workspaces/create", workspace_name="theirs"),
        request("pipelines/infer/theirs-14/theirs", body=[]),
    ],
    ids=lambda sent: f"{sent.path.removeprefix('/v1/api/')} {sent.body[:60]!r}",
)
def test_nothing_foreign_is_deployed_named_copied_or_computed_on(sent: Request) -> None:
    with pytest.raises(RefusedError):
        refuse(sent)


def test_a_foreign_model_gains_no_version() -> None:
    metadata = json.dumps({"name": "theirs", "visibility": "public", "workspace_id": 3}).encode()
    kind, body = multipart.encode([multipart.Part("metadata", metadata, "application/json")])
    url = "https://api.example/v1/api/models/upload_and_convert"
    with pytest.raises(RefusedError, match="begin with"):
        refuse(Request("POST", url, Headers({"Content-Type": kind}), body))


def test_a_pipeline_counts_as_ours_only_by_our_name() -> None:
    theirs = (request("pipelines/create", pipeline_id="theirs"), {"pipeline_pk_id": 7})
    with pytest.raises(RefusedError):
        refuse(request("pipelines/undeploy", pipeline_id=7), theirs)


def test_a_refused_create_makes_nothing_ours() -> None:
    sent = request("pipelines/undeploy", pipeline_id=5)
    with pytest.raises(RefusedError):
        Guard(holding(CREATED, status=400)).refuse(operation(sent), sent)


def test_a_run_that_may_only_read_makes_nothing() -> None:
    refuse(request("workspaces/list"), effects=Effects.READ)
    refuse(request("status/get_deployment", name="theirs-6"), effects=Effects.READ)
    for sent, _ in ALL:
        with pytest.raises(RefusedError, match="only read"):
            refuse(sent, effects=Effects.READ)


def test_a_run_that_may_do_anything_is_not_stopped() -> None:
    refuse(request("pipelines/undeploy", deployment_id=15), effects=Effects.FULL)


def test_a_workspace_that_was_given_may_be_used() -> None:
    guard = Guard(Holdings(OURS), workspaces=[1])
    sent = request("pipelines/create", pipeline_id=OURS + "p", workspace_id=1)
    guard.refuse(operation(sent), sent)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.a.example/x", True),
        ("https://a.example/x", True),
        ("https://api.a.example:8443/x", False),
        ("http://api.a.example/x", False),
        ("https://b.example/x", False),
        ("https://api.a.example.evil.example/x", False),
        ("https://api.a.example@evil.example/x", False),
        ("https://api.a.example:x/", False),
        ("https://[::1/", False),
        ("https://apia.example/x", False),
    ],
)
def test_our_token_goes_to_the_targets_own_host_only(url: str, allowed: bool) -> None:
    assert token_may_go(url, "https://api.a.example") is allowed


def test_our_token_goes_where_it_was_allowed_to() -> None:
    assert token_may_go("https://infer.example/x", "https://api.a.example", ["infer.example"])
