"""What hangs on what: consequences of a difference, and the steps an answer depends on."""

from __future__ import annotations

from typing import Any

from conformance.compare.consequences import consequences, history
from conformance.compare.plan import Plan, Step
from tests.compare.made import exchange

CREATED = {"pipeline_pk_id": 7, "pipeline_variant_pk_id": 8, "pipeline_variant_version": "v"}
OTHER = {"pipeline_pk_id": 70, "pipeline_variant_pk_id": 80, "pipeline_variant_version": "w"}
DEPLOY = ("pipelines.deploy", "response.200.body.id", "value")


def plan() -> Plan:
    """One pipeline made, deployed twice and asked about; then another, deployed once and asked about."""
    asked: list[tuple[str, Any, Any]] = [
        ("pipelines.create", {"pipeline_id": "p", "workspace_id": 1, "definition": {}}, CREATED),
        ("pipelines.deploy", {"deploy_id": "p", "pipeline_id": 7, "pipeline_version_pk_id": 8}, {"id": 14}),
        ("pipelines.deploy", {"deploy_id": "p", "pipeline_id": 7, "pipeline_version_pk_id": 8}, {"id": 14}),
        ("status.get-deployment", {"name": "p-14"}, {"status": "Running"}),
        ("pipelines.create", {"pipeline_id": "q", "workspace_id": 1, "definition": {}}, OTHER),
        ("pipelines.deploy", {"deploy_id": "q", "pipeline_id": 70, "pipeline_version_pk_id": 80}, {"id": 15}),
        ("status.get-deployment", {"name": "q-15"}, {"status": "Running"}),
    ]
    steps = [Step(number, exchange(*one)) for number, one in enumerate(asked, 1)]
    return Plan("aaaaaaaa", tuple(steps))


def test_a_value_seen_only_where_a_wrong_id_leads_may_follow_from_it() -> None:
    later = ("status.get-deployment", "response.200.body.status", "value")
    assert consequences(plan(), {DEPLOY: [3], later: [4]}) == {later: DEPLOY}


def test_a_value_seen_elsewhere_too_stands_by_itself() -> None:
    later = ("status.get-deployment", "response.200.body.status", "value")
    assert consequences(plan(), {DEPLOY: [3], later: [4, 7]}) == {}


def test_a_field_that_is_gone_never_follows_from_another() -> None:
    later = ("status.get-deployment", "response.200.body.engines", "gone")
    assert consequences(plan(), {DEPLOY: [3], later: [4]}) == {}


def test_an_answer_hangs_on_every_change_of_the_same_things() -> None:
    assert [step.number for step in history(plan(), 4)] == [1, 2, 3, 4]
    assert [step.number for step in history(plan(), 7)] == [5, 6, 7]
