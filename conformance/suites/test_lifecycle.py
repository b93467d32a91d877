"""The tutorial's lifecycle, promise by promise: upload, create, deploy, status, URL, infer, undeploy, copy."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from conformance.api.client import ARROW_FILE, JSON, PANDAS_RECORDS, PipelineClient, arrow_stream, infer_path, steps_of
from conformance.model import Mark, Purpose
from conformance.run.settings import Settings
from conformance.suites.deployments import Deployments
from conformance.suites.model import Model
from conformance.suites.plan import ENGINE_CONFIG, Running, Uploads
from conformance.suites.requests import NOT_GIVEN

Named = Callable[[str], str]
ARROW_STREAM = "application/vnd.apache.arrow.stream"


def asking(client: PipelineClient, slug: str) -> PipelineClient:
    """A client whose requests are sent to learn how the instance reads them."""
    return client.meaning("", Purpose.READING.of(slug))


def promising(client: PipelineClient, slug: str) -> PipelineClient:
    """A client whose requests must be served, under that row of their operation."""
    return client.meaning("valid", Purpose.PROMISE.of(slug))


def deploying(client: PipelineClient, slug: str, body: dict[str, object]) -> None:
    """A deploy of this body, under that row: a body that no method of the client makes."""
    promising(client, slug).post("/v1/api/pipelines/deploy", json.dumps(body).encode(), {"Content-Type": JSON})


# ---- before anything is deployed ------------------------------------------------------------------------------------


def test_workspaces_that_are_created_are_listed(client: PipelineClient, named: Named, elsewhere: int) -> None:
    client.create_workspace(named("A-Third"))
    client.list_workspaces()


def test_an_upload_is_listed_with_the_sha_of_its_bytes(client: PipelineClient, uploads: Uploads) -> None:
    client.list_model_versions(model_id=uploads.first.name)


def test_the_same_bytes_again_are_another_version(
    client: PipelineClient, uploads: Uploads, workspace_id: int, model: Model
) -> None:
    client.upload_model(uploads.first.name, workspace_id, model.content)
    client.list_model_versions(model_id=uploads.first.name)


@pytest.mark.about("models.upload-and-convert.takes-any-file-name")
def test_a_file_without_an_ending(client: PipelineClient, named: Named, workspace_id: int, model: Model) -> None:
    ending = client.meaning(
        "valid", Purpose.PROMISE.of("takes-any-file-name"), Purpose.READING.of("takes-a-file-name-without-ending")
    )
    ending.upload_model(named("unending"), workspace_id, model.content, file_name="model")


@pytest.mark.about("models.upload-and-convert.refuses-an-unknown-ending")
def test_a_file_of_no_known_ending(client: PipelineClient, named: Named, workspace_id: int, model: Model) -> None:
    refused = client.meaning("invalid", Purpose.REFUSES.of("refuses-an-unknown-ending"))
    for file_name in ("model", "model.bin"):
        refused.upload_model(named("unending"), workspace_id, model.content, file_name=file_name)


def test_any_visibility(client: PipelineClient, named: Named, workspace_id: int, model: Model) -> None:
    visibility = asking(client, "takes-any-visibility")
    visibility.upload_model(named("visible"), workspace_id, model.content, visibility="team")


def test_versions_are_listed_by_name_and_by_key(
    client: PipelineClient, uploads: Uploads, workspace_id: int, model: Model, named: Named
) -> None:
    other = named("Other-Model")
    client.upload_model(other, workspace_id, model.content)
    rows = client.list_model_versions(model_id=other).value
    key = next((row["models_pk_id"] for row in rows if isinstance(row, dict) and "models_pk_id" in row), None)
    if isinstance(key, int):
        client.list_model_versions(models_pk_id=key)
        asking(client, "joins-its-filters-by-or").list_model_versions(uploads.first.name, key)
    client.meaning("", Mark.NEVER_WAS).list_model_versions(model_id=named("never-uploaded"))


def test_pipelines_are_created_empty_with_steps_and_without_a_definition(
    client: PipelineClient, named: Named, workspace_id: int, uploads: Uploads
) -> None:
    promising(client, "takes-an-empty-definition").create_pipeline(named("empty"), workspace_id, {})
    promising(client, "takes-model-steps").create_pipeline(named("steps"), workspace_id, steps_of(uploads.first))
    promising(client, "takes-no-definition").create_pipeline(named("undefined"), workspace_id)
    body = {"pipeline_id": named("string"), "workspace_id": workspace_id, "definition": "{}"}
    reading = asking(client, "reads-the-definition-as-an-object")
    reading.post("/v1/api/pipelines/create", json.dumps(body).encode(), {"Content-Type": JSON})


def test_a_name_created_again_keeps_its_pipeline_and_gains_a_version(
    client: PipelineClient, named: Named, workspace_id: int
) -> None:
    client.create_pipeline(named("twice"), workspace_id, {})
    client.create_pipeline(named("twice"), workspace_id, {})


def test_the_same_name_in_another_workspace_is_another_pipeline(
    client: PipelineClient, named: Named, workspace_id: int, elsewhere: int
) -> None:
    client.create_pipeline(named("shared"), workspace_id, {})
    client.create_pipeline(named("shared"), elsewhere, {})
    client.create_pipeline(named("shared"), workspace_id, {})
    client.list_workspaces()


@pytest.mark.parametrize("length", [63, 64, 255, 256])
def test_names_at_their_limits(client: PipelineClient, named: Named, workspace_id: int, length: int) -> None:
    name = named(f"long-{length}-").ljust(length, "x")
    client.create_pipeline(named(f"not-{length}"), workspace_id, {}).value  # noqa: B018  what a longer one adds to
    allowed = length < 64
    sending = promising(client, "takes-names-of-63-characters") if allowed else client.meaning("")
    sending.create_pipeline(name, workspace_id, {})


@pytest.mark.about("pipelines.copy")
def test_copies_of_a_version_and_with_an_engine_config(
    client: PipelineClient, named: Named, workspace_id: int, uploads: Uploads
) -> None:
    source = client.create_pipeline(named("copied-from"), workspace_id, steps_of(uploads.first)).value
    client.create_pipeline(named("copied-from"), workspace_id, steps_of(uploads.second))
    client.copy_pipeline(named("copy-plain"), workspace_id, source.pipeline_pk_id)
    if source.version:
        versioned = promising(client, "takes-a-version-to-copy")
        versioned.copy_pipeline(
            named("copy-versioned"), workspace_id, source.pipeline_pk_id, pipeline_version=source.version
        )
    configured = promising(client, "takes-an-engine-config")
    configured.copy_pipeline(named("copy-configured"), workspace_id, source.pipeline_pk_id, engine_config=ENGINE_CONFIG)


def test_what_never_was_is_not_found(client: PipelineClient, named: Named, workspace_id: int, model: Model) -> None:
    unknown = client.meaning("", Mark.NEVER_WAS)
    unknown.deployment_status(named("never-2147000001"))
    unknown.external_url(workspace_id, named("never"))
    unknown.infer(infer_path(named("never-2147000001"), named("never")), model.column, [model.tutorial_row()])


# ---- deployed, each in its own way ----------------------------------------------------------------------------------


@pytest.mark.needs("main")
@pytest.mark.live_cost(1)
def test_a_pipeline_is_deployed_and_asked_before_it_runs(deployments: Deployments) -> None:
    deployments.running("main")


def test_deploying_again_is_the_same_deployment(client: PipelineClient, running: Running, uploads: Uploads) -> None:
    client.deploy(running.pipeline_name, running.pipeline, models=[uploads.first])
    asking(client, "wants-models-or-not").deploy(running.pipeline_name, running.pipeline)


@pytest.mark.about("pipelines.deploy.takes-a-version-without-its-pipeline")
def test_a_version_is_deployed_without_its_pipeline(client: PipelineClient, running: Running, uploads: Uploads) -> None:
    body = {
        "deploy_id": running.pipeline_name,
        "pipeline_version_pk_id": running.pipeline.pipeline_variant_pk_id,
        "models": [uploads.first.as_json()],
    }
    for named in (body, body | {"pipeline_id": None}):
        deploying(client, "takes-a-version-without-its-pipeline", named)


@pytest.mark.about("pipelines.deploy.takes-a-version-by-its-uuid")
def test_a_version_is_deployed_by_its_uuid(client: PipelineClient, running: Running, uploads: Uploads) -> None:
    body = {
        "deploy_id": running.pipeline_name,
        "pipeline_id": running.pipeline.pipeline_pk_id,
        "pipeline_version": running.pipeline.version,
        "models": [uploads.first.as_json()],
    }
    for named in (body, body | {"pipeline_version_pk_id": None}):
        deploying(client, "takes-a-version-by-its-uuid", named)


def test_status_names_pipeline_and_models(client: PipelineClient, running: Running, named: Named) -> None:
    client.deployment_status(running.name)
    unknown = client.meaning("", Mark.NEVER_WAS)
    unknown.deployment_status(f"{named('never')}-{running.deployment_id}")
    unknown.deployment_status(f"{running.name.rpartition('-')[0]}-{NOT_GIVEN}")
    body = json.dumps({"id": running.name}).encode()
    asking(client, "reads-name-rather-than-id").post("/v1/api/status/get_deployment", body, {"Content-Type": JSON})


def test_a_url_keeps_to_its_workspace(
    client: PipelineClient, running: Running, named: Named, workspace_id: int, elsewhere: int
) -> None:
    client.external_url(workspace_id, running.pipeline_name)
    client.meaning("", Mark.ELSEWHERE).external_url(elsewhere, running.pipeline_name)


@pytest.mark.needs("by-ids")
@pytest.mark.live_cost(1)
def test_deployed_by_model_ids(
    client: PipelineClient, deployments: Deployments, workspace_id: int, model: Model
) -> None:
    by_ids = deployments.running("by-ids")
    client.infer(by_ids.url, model.column, [model.tutorial_row()])
    deploy_id = by_ids.name.rpartition("-")[0]
    if deploy_id != by_ids.pipeline_name:
        asking(client, "is-asked-by-the-pipelines-name").external_url(workspace_id, deploy_id)


@pytest.mark.needs("by-configs")
def test_deployed_by_model_configs(client: PipelineClient, deployments: Deployments, model: Model) -> None:
    if not deployments.has("by-configs"):
        pytest.skip("no operation in scope returns the id of a model config")
    client.infer(deployments.running("by-configs").url, model.column, [model.tutorial_row()])


@pytest.mark.needs("empty")
@pytest.mark.live_cost(1)
def test_an_empty_pipeline_is_deployed(client: PipelineClient, deployments: Deployments) -> None:
    # Whether it comes to run is not recorded for this release.
    client.meaning("").deployment_status(deployments.started("empty").name)


@pytest.mark.about("pipelines.copy")
@pytest.mark.needs("beside")
def test_a_copy_is_deployed_and_answers_as_its_source(
    client: PipelineClient, deployments: Deployments, running: Running, model: Model
) -> None:
    copy = deployments.running("beside")
    for url in (running.url, copy.url):
        client.infer(url, model.column, [model.tutorial_row()])


@pytest.mark.about("pipelines.copy")
@pytest.mark.needs("copy-of-copy")
@pytest.mark.live_cost(1)
def test_a_copy_of_a_copy_is_deployed_by_copying(
    client: PipelineClient, deployments: Deployments, model: Model
) -> None:
    client.infer(deployments.running("copy-of-copy").url, model.column, [model.tutorial_row()])


# ---- rows -----------------------------------------------------------------------------------------------------------


def test_the_tutorials_row_is_computed(client: PipelineClient, running: Running, model: Model) -> None:
    promising(client, "takes-pandas-records").infer(running.url, model.column, [model.tutorial_row()])


@pytest.mark.parametrize("count", [1, 51, 1_000, 10_000])
def test_rows_are_computed_in_order(
    client: PipelineClient, settings: Settings, running: Running, model: Model, count: int
) -> None:
    if count > 1_000 and settings.budget == "quick":
        pytest.skip("So many rows as JSON are for the standard budget; Arrow has them here.")
    few = promising(client, "takes-pandas-records").infer(running.url, model.column, model.rows(min(count, 51)))
    if few.ok and count > 51:
        promising(client, "takes-many-rows").infer(running.url, model.column, model.rows(count))


@pytest.mark.parametrize("count", [1, 51, 10_000])
def test_rows_in_an_arrow_file_are_computed(client: PipelineClient, running: Running, model: Model, count: int) -> None:
    few = promising(client, "takes-arrow-files").infer_arrow(running.url, model.column, model.rows(min(count, 51)))
    if few.ok and count > 51:
        promising(client, "takes-many-rows").infer_arrow(running.url, model.column, model.rows(count))


def test_answers_come_in_the_form_accepted(client: PipelineClient, running: Running, model: Model) -> None:
    if client.infer(running.url, model.column, model.rows(2)).ok:
        client.infer(running.url, model.column, model.rows(2), accept=ARROW_FILE)
    if client.infer_arrow(running.url, model.column, model.rows(2)).ok:
        client.infer_arrow(running.url, model.column, model.rows(2), accept=JSON)


def test_rows_that_nothing_promises_are_answered_all_the_same(
    client: PipelineClient, running: Running, model: Model
) -> None:
    unsaid = client.meaning("")
    row = model.tutorial_row()
    unsaid.infer(running.url, model.column, [])
    unsaid.infer(running.url, "a_column_of_no_model", [row])
    unsaid.infer(running.url, model.column, [row], kind=JSON)
    columns = [{"unknown": 1.5, model.column: row}, {model.column: row, "unknown": 1.5}]
    unsaid.post(running.url, json.dumps(columns).encode(), {"Content-Type": PANDAS_RECORDS})
    unsaid.infer_arrow(running.url, model.column, [[float("nan"), *row[1:]], [float("inf"), *row[1:]]])
    unsaid.post(running.url, arrow_stream(model.column, [row]), {"Content-Type": ARROW_STREAM})
    promising(client, "takes-pandas-records").infer(running.url, model.column, [row])


# ---- and undeployed -------------------------------------------------------------------------------------------------


@pytest.mark.late
@pytest.mark.needs("empty")
def test_ids_that_are_not_of_one_another_are_refused(
    client: PipelineClient, deployments: Deployments, named: Named, workspace_id: int
) -> None:
    other = client.create_pipeline(named("of-another"), workspace_id, {}).value
    empty = deployments.started("empty")
    refused = client.meaning("invalid", Purpose.REFUSES.of("refuses-ids-that-are-not-of-one-another"))
    refused.undeploy(pipeline_id=other.pipeline_pk_id, deployment_id=empty.deployment_id)


@pytest.mark.late
@pytest.mark.needs("main", "beside")
@pytest.mark.live_cost(1)
def test_undeploying_one_leaves_its_copy_and_the_others(
    client: PipelineClient, deployments: Deployments, settings: Settings, model: Model
) -> None:
    deployments.running("main")
    beside = deployments.running("beside")
    deployments.gone("main", but="beside")
    for _ in range(2):  # one answer that does not find it may be a slip of the status'
        client.meaning("").deployment_status(beside.name)
    labels = [Mark.SOURCE_GONE] if deployments.copies else []
    client.meaning("", *labels).infer(beside.url, model.column, [model.tutorial_row()])


@pytest.mark.late
@pytest.mark.needs("main")
def test_what_is_undeployed_is_gone_and_serves_nothing(
    client: PipelineClient, deployments: Deployments, model: Model
) -> None:
    gone, unsaid = deployments.gone("main", but="beside"), client.meaning("")
    unsaid.infer(gone.url, model.column, [model.tutorial_row()])
    unsaid.deployment_status(gone.name)


@pytest.mark.late
@pytest.mark.needs("main")
def test_undeploying_again_is_harmless(client: PipelineClient, deployments: Deployments) -> None:
    gone = deployments.gone("main", but="beside")
    client.meaning("").undeploy(deployment_id=gone.deployment_id)
    client.meaning("").undeploy(pipeline_id=gone.pipeline.pipeline_pk_id, deployment_id=gone.deployment_id)


@pytest.mark.late
@pytest.mark.needs("main")
@pytest.mark.live_cost(1)
def test_what_was_undeployed_is_deployed_again_and_answers_alike(
    client: PipelineClient, deployments: Deployments, model: Model
) -> None:
    client.infer(deployments.running("main").url, model.column, [model.tutorial_row()])


@pytest.mark.late
@pytest.mark.needs("main", "beside")
def test_undeploying_a_copy_leaves_its_source(client: PipelineClient, deployments: Deployments, model: Model) -> None:
    running = deployments.running("main")
    deployments.ended("beside")
    client.meaning("").deployment_status(running.name)
    client.infer(running.url, model.column, [model.tutorial_row()])


@pytest.mark.late
@pytest.mark.needs("main")
def test_another_version_deployed_over_one_that_runs_is_what_serves(
    client: PipelineClient, deployments: Deployments, uploads: Uploads, workspace_id: int, model: Model
) -> None:
    running = deployments.running("main")
    newer = client.create_pipeline(running.pipeline_name, workspace_id, steps_of(uploads.second)).value
    if newer.pipeline_pk_id != running.pipeline.pipeline_pk_id:
        return  # its row tells of it
    swapped = deployments.swapped("main", newer, uploads.second)
    shown = client.meaning("", Mark.SWAPPED)
    shown.deployment_status(swapped.name)
    path = infer_path(swapped.name, swapped.pipeline_name)
    shown.infer(path, model.column, [model.tutorial_row(), *model.rows(2)])
