"""The last steps of a plan: what the suites send no live instance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.api.operations import fields_of
from conformance.compare.plan import GONE, RUNNING, plan_of, run_of
from conformance.compare.variations import ANY_CASE, variations
from conformance.model import Exchange, Headers, Purpose
from tests.compare.made import exchange

RUN = "aaaaaaaa"
NAME = f"conformance-{RUN}-p"
CREATED = {"pipeline_pk_id": 7, "pipeline_variant_pk_id": 8, "pipeline_variant_version": "v"}


def sent() -> list[Exchange]:
    """A run that makes one deployment, asks it, and is tried by one stranger."""
    model = {"name": f"conformance-{RUN}-m", "version": "v", "sha": "ab"}
    deploying = {"deploy_id": NAME, "pipeline_id": 7, "pipeline_version_pk_id": 8, "models": [model]}
    rows: list[Any] = [{"x": [1.5]}]
    records = exchange("pipelines.infer", rows, [{"out": {"y": [0.5]}}])
    fields = Headers({"Content-Type": "application/json; format=pandas-records"})
    records = replace(records, request=replace(records.request, headers=fields))
    garbage = frozenset({Purpose.IDENTITY.of("garbage")})
    return [
        exchange("workspaces.list", {}, {"workspaces": []}),
        exchange("pipelines.create", {"pipeline_id": NAME, "workspace_id": 10, "definition": {}}, CREATED),
        exchange("pipelines.deploy", deploying, {"id": 1}),
        replace(records, parameters={"deployment": f"{NAME}-1", "pipeline_name": NAME}),
        exchange("pipelines.infer", rows, {}, status=401, labels=garbage),
        exchange("workspaces.list", {}, {}, status=401, labels=garbage),
    ]


def test_the_tokens_that_no_run_has_are_tried_last_at_each_operation() -> None:
    made = variations(sent(), RUN)
    tried = [(one.operation, *one.labels) for one in made if one.labels and ANY_CASE not in one.labels]
    late = [Purpose.IDENTITY.of(word) for word in ("early", "expired")]
    wanted = {(operation, label) for label in late for operation in ("pipelines.infer", "workspaces.list")}
    assert set(tried) == wanted | {("pipelines.infer", Purpose.GRANT.of("client-credentials"))}
    assert not any(one.labels for one in made[: -len(tried)] if ANY_CASE not in one.labels)


def test_a_probe_that_the_run_has_sent_is_not_sent_again() -> None:
    expired = Purpose.IDENTITY.of("expired")
    run = [*sent(), exchange("workspaces.list", {}, {}, status=401, labels=frozenset({expired}))]
    assert not any(expired in one.labels for one in variations(run, RUN))


def test_a_deployment_beyond_ascii_is_made_asked_and_ended_once_there_is_room() -> None:
    plan = plan_of([*sent(), *variations(sent(), run_of(sent()))])
    steps = [(step.operation, step.awaits) for step in plan.steps if not step.exchange.labels]
    begin = steps.index(("pipelines.undeploy", ""))
    assert steps[begin : begin + 2] == [("pipelines.undeploy", ""), ("status.get-deployment", GONE)]
    assert ("status.get-deployment", RUNNING) in steps[begin:]
    assert steps[-2:] == [("pipelines.undeploy", ""), ("status.get-deployment", GONE)]
    names = [fields_of(step.operation, step.exchange.request).get("deploy_id") for step in plan.steps]
    (beyond,) = [name for name in names if name and not str(name).isascii()]
    assert str(beyond).startswith(f"conformance-{RUN}-")


def test_a_read_is_asked_otherwise_and_changes_nothing_else() -> None:
    reads = [one for one in variations(sent(), RUN) if one.operation == "workspaces.list" and not one.labels]
    assert len({(one.request.url, one.request.headers.fields, one.request.body) for one in reads}) == len(reads) > 8
    assert all(one.request.method == "POST" and "/workspaces/list" in one.request.url for one in reads)
