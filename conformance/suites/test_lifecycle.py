"""The tutorial's lifecycle, promise by promise: upload, create, deploy, status, URL, infer, undeploy, copy."""

from __future__ import annotations

from collections.abc import Callable

from conformance.client import ARROW_FILE, ModelReference, PipelineClient, PipelineVersionCreated
from conformance.session import Session
from conformance.suites.conftest import Running
from conformance.suites.model import Model

Named = Callable[[str], str]


def test_workspaces_that_are_created_are_listed(client: PipelineClient, named: Named) -> None:
    client.create_workspace(named("second"))
    client.list_workspaces()


def test_an_upload_is_listed_with_the_sha_of_its_bytes(client: PipelineClient, uploaded: ModelReference) -> None:
    client.list_model_versions(model_id=uploaded.name)


def test_the_same_bytes_again_are_another_version(
    client: PipelineClient, uploaded: ModelReference, workspace_id: int, model: Model
) -> None:
    client.upload_model(uploaded.name, workspace_id, model.content)
    client.list_model_versions(model_id=uploaded.name)


def test_an_empty_pipeline_is_created(client: PipelineClient, named: Named, workspace_id: int) -> None:
    client.create_pipeline(named("empty"), workspace_id, {})


def test_a_name_created_again_keeps_its_pipeline_and_gains_a_version(
    client: PipelineClient, named: Named, workspace_id: int
) -> None:
    client.create_pipeline(named("twice"), workspace_id, {})
    client.create_pipeline(named("twice"), workspace_id, {})


def test_a_pipeline_with_a_model_is_created(created: PipelineVersionCreated) -> None:
    assert created


def test_a_pipeline_is_deployed_and_becomes_running(running: Running) -> None:
    assert running


def test_deploying_again_is_the_same_deployment(
    client: PipelineClient, running: Running, uploaded: ModelReference
) -> None:
    client.deploy(running.pipeline_name, running.pipeline, models=[uploaded])


def test_status_names_pipeline_and_model(client: PipelineClient, running: Running) -> None:
    client.deployment_status(running.name)


def test_status_of_what_never_was(client: PipelineClient, named: Named) -> None:
    client.meaning("", "never-was").deployment_status(named("never-999999999"))


def test_url_of_what_never_was(client: PipelineClient, named: Named, workspace_id: int) -> None:
    client.meaning("", "never-was").external_url(workspace_id, named("never"))


def test_the_tutorials_row_is_computed(client: PipelineClient, running: Running, model: Model) -> None:
    client.infer(running.url, model.column, [model.tutorial_row()])


def test_several_rows_are_computed_in_order(client: PipelineClient, running: Running, model: Model) -> None:
    client.infer(running.url, model.column, model.rows(51))


def test_rows_in_an_arrow_file_are_computed(client: PipelineClient, running: Running, model: Model) -> None:
    client.infer_arrow(running.url, model.column, model.rows(51), accept=ARROW_FILE)


def test_a_pipeline_is_copied(client: PipelineClient, running: Running, named: Named, workspace_id: int) -> None:
    client.copy_pipeline(named("copy"), workspace_id, running.pipeline.pipeline_pk_id)


def test_what_is_undeployed_is_gone_and_serves_nothing(
    client: PipelineClient, undeployed: Running, model: Model
) -> None:
    asking = client.meaning("")
    asking.infer(undeployed.url, model.column, [model.tutorial_row()])
    asking.deployment_status(undeployed.name)


def test_undeploying_again_is_harmless(client: PipelineClient, undeployed: Running, session: Session) -> None:
    client.meaning("").undeploy(deployment_id=undeployed.deployment_id)
