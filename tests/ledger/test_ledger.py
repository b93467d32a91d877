"""The ledger folds what the target has said into what exists; what it has not said changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.ledger import Ledger, Stage
from conformance.model import Exchange, Headers
from tests.checks.built import (
    CONTENT,
    ENDED,
    MADE,
    OTHER_CONTENT,
    OTHER_SHA,
    SERVING,
    SHA,
    UUIDS,
    after,
    copied,
    created,
    deployed,
    gone,
    infer,
    listed,
    listed_workspaces,
    post,
    status,
    steps,
    undeployed,
    uploaded,
    version,
    workspace,
)

DEFINED = (*MADE[:2], uploaded(6, OTHER_CONTENT), listed(version(), version(6, OTHER_SHA)), created())


def test_the_ledger_before_is_left_as_it_was() -> None:
    before = Ledger()
    before.after(workspace())
    assert before == Ledger()


def test_an_upload_is_known_by_its_version_with_the_sha_of_what_was_sent() -> None:
    ledger = after(uploaded(), listed(version()))
    assert ledger.models[5].sha == SHA
    assert ledger.contents[SHA] == CONTENT
    assert ledger.model_of("m", UUIDS[5]) == ledger.models[5]
    assert ledger.models[5].pk == 3
    assert ledger.model_of("m", "another") is None


def test_a_name_has_one_pipeline_a_workspace_and_each_create_adds_a_version() -> None:
    ledger = after(created(), created(25, 27, UUIDS[2]), created(26, 28, UUIDS[3], workspace_id=11))
    pipeline = ledger.pipeline_named(10, "p")
    assert pipeline is not None
    assert [one.pk for one in pipeline.versions] == [26, 27]
    assert ledger.pipeline_named(11, "p") == ledger.pipelines[26]
    assert ledger.pipeline_of_variant(27) == pipeline
    assert ledger.uuids[UUIDS[2]] == 25
    assert ledger.pipeline_named(12, "p") is None
    assert pipeline.version(99) is None


def test_listed_workspaces_are_known_with_what_is_in_them() -> None:
    ledger = after(listed_workspaces({"id": 10, "name": "ours", "models": [1], "pipelines": [25, 28]}))
    assert ledger.knows_workspace(10)
    assert not ledger.knows_workspace(11)
    assert ledger.listings[10].pipelines == {25, 28}


def test_a_deployment_goes_from_deployed_through_stopping_to_gone() -> None:
    stages = []
    ledger = Ledger()
    for exchange in ENDED:
        ledger = ledger.after(exchange)
        if 14 in ledger.deployments:
            stages.append(ledger.deployments[14].stage)
    assert stages == [Stage.DEPLOYED, Stage.DEPLOYED, Stage.STOPPING, Stage.GONE]
    assert list(ledger.live()) == []


def test_a_deployment_should_serve_the_models_of_the_version_that_was_named() -> None:
    newer = created(25, 27, UUIDS[2], definition=steps(OTHER_SHA, 6))
    ledger = after(*DEFINED, newer, deployed(variant=26))
    assert ledger.deployments[14].shas == (SHA,)
    assert ledger.deployments[14].versions == (UUIDS[5],)


def test_without_steps_a_deployment_should_serve_the_models_it_was_given() -> None:
    question = {"deploy_id": "p", "pipeline_version_pk_id": 26, "pipeline_id": 25}
    empty = (*MADE[:3], created(definition={}))
    named = [{"name": "m", "version": UUIDS[5], "sha": SHA}]
    by_models = after(*empty, post("pipelines.deploy", question | {"models": named}, {"id": 14}))
    by_ids = after(*empty, post("pipelines.deploy", question | {"model_ids": [5]}, {"id": 14}))
    assert by_models.deployments[14].shas == by_ids.deployments[14].shas == (SHA,)


def test_what_a_model_of_an_unknown_file_serves_is_not_known() -> None:
    question = {"deploy_id": "p", "pipeline_version_pk_id": 26, "pipeline_id": 25, "model_ids": [5]}
    made = (MADE[0], uploaded(5, b""), created(definition={}))
    assert after(*made, post("pipelines.deploy", question, {"id": 14})).deployments[14].shas == ()


def test_another_version_deployed_over_a_deployment_leaves_unsure_what_it_serves() -> None:
    ledger = after(*SERVING, created(25, 27, UUIDS[2]), deployed(variant=27))
    assert ledger.deployments[14].shas == ()
    assert ledger.deployments[14].variant_pk is None


@pytest.mark.parametrize(
    "asked",
    [
        {"pipeline_version_pk_id": 26},
        {"pipeline_version_pk_id": 26, "pipeline_id": None},
        {"pipeline_version": UUIDS[1]},
        {"pipeline_version": UUIDS[1], "pipeline_id": 25, "pipeline_version_pk_id": None},
    ],
)
def test_a_version_that_a_deploy_names_otherwise_is_the_same_version(asked: dict[str, object]) -> None:
    question = {"deploy_id": "p"} | asked
    made = after(uploaded(), created(), post("pipelines.deploy", question, {"id": 14}))
    assert (made.deployments[14].pipeline_pk, made.deployments[14].variant_pk) == (25, 26)
    before = after(*SERVING)
    assert before.after(post("pipelines.deploy", question, {"id": 14})).deployments[14] == before.deployments[14]


def test_a_deploy_that_names_no_version_leaves_unsure_what_is_served() -> None:
    again = after(*SERVING, post("pipelines.deploy", {"deploy_id": "p", "pipeline_id": 25}, {"id": 14}))
    assert again.deployments[14].shas == ()


def test_a_deployment_that_was_gone_may_come_back_under_its_old_id() -> None:
    ledger = after(*ENDED, deployed())
    assert ledger.deployments[14].stage is Stage.DEPLOYED
    assert not ledger.deployments[14].confirmed


def test_a_status_tells_of_engines_and_of_the_models_they_serve() -> None:
    deployment = after(*SERVING).deployments[14]
    assert (deployment.engines, deployment.shown, deployment.running) == (frozenset({"engine-1"}), (SHA,), True)


def test_a_404_of_what_was_not_undeployed_ends_nothing() -> None:
    assert after(*SERVING, gone()).deployments[14].stage is Stage.DEPLOYED


def test_undeploys_are_counted_so_that_a_lost_deployment_can_be_laid_to_them() -> None:
    ledger = after(*SERVING, deployed(15, pk=26, name="q"), undeployed(15))
    assert ledger.undeploys == 1
    assert ledger.deployments[14].undeploys == 0
    assert ledger.after(status()).deployments[14].undeploys == 1


def test_an_undeploy_by_the_pipeline_ends_its_newest_deployment() -> None:
    ledger = after(*SERVING, post("pipelines.undeploy", {"pipeline_id": 25}, None))
    assert ledger.deployments[14].stage is Stage.STOPPING


@pytest.mark.parametrize(
    ("asked", "shas"),
    [({}, ()), ({"pipeline_version": UUIDS[1]}, (SHA,)), ({"pipeline_version": UUIDS[2]}, (OTHER_SHA,))],
    ids=["none-asked", "older", "newer"],
)
def test_a_copy_has_the_definition_of_the_version_asked_for_and_of_none_where_that_is_open(
    asked: dict[str, str], shas: tuple[str, ...]
) -> None:
    ledger = after(*DEFINED, created(25, 27, UUIDS[2], definition=steps(OTHER_SHA, 6)), copied(asked=asked))
    assert ledger.pipelines[32].versions[0].shas == shas
    assert ledger.pipelines[32].source == 25


def test_a_copy_that_was_deployed_is_a_deployment_that_copying_made() -> None:
    ledger = after(*MADE, copied(asked={"deploy": "c"}, answered={"deployment": {"id": 15}}))
    assert ledger.deployment_named("c-15") == ledger.deployment_of(32)
    assert ledger.deployments[15].copied
    assert ledger.deployments[15].shas == (SHA,)


def test_an_inference_is_traced_to_its_deployment_by_its_url() -> None:
    ledger = after(*SERVING)
    assert ledger.deployment_served_by(infer()) == ledger.deployments[14]
    assert ledger.deployment_served_by(infer(path="/v1/api/pipelines/infer/q-14/p")) is None
    assert ledger.deployment_served_by(infer(path="/elsewhere")) is None


@pytest.mark.parametrize("name", ["p", "p-", "p-x", "-14", "p-" + "9" * 30, 7, None])
def test_what_is_no_deployments_name_names_none(name: object) -> None:
    assert after(*SERVING).deployment_named(name) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "exchange",
    [
        created("25"),  # type: ignore[arg-type]
        created(True),
        created(status=400),
        post("pipelines.create", b"not JSON", {"pipeline_pk_id": 1}),
        post("models.list-versions", {}, {"an": "object"}),
        post("workspaces.list", {}, []),
        post("status.get-deployment", {"name": 7}, {}),
        uploaded(answer={"insert_models": {"returning": []}}),
        replace(created(), response=None),
        post(None, {}, {}),
    ],
    ids=lambda exchange: exchange.operation,
)
def test_what_an_answer_does_not_say_changes_nothing(exchange: Exchange) -> None:
    before = after()
    known = before.after(exchange)
    assert (known.pipelines, known.models, known.deployments, known.listings) == (
        before.pipelines, before.models, before.deployments, before.listings,
    )  # fmt: skip


def test_a_recording_without_a_status_is_believed_where_it_has_an_answer() -> None:
    assert 25 in after(created(status=None)).pipelines
    assert Headers({"A": "b"})["a"] == "b"
