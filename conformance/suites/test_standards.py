"""HTTP as every operation must speak it: methods, paths, media types and lengths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.checks.standards import ABOUT, ASKING, BEYOND, DOCUMENTATION, METHOD, NOWHERE
from conformance.checks.status import PROMISE, REFUSES
from conformance.client import JSON, PipelineClient, PipelineVersionCreated, steps_of
from conformance.model import Headers, Request
from conformance.session import Session
from conformance.suites.deployments import Deployments, Uploads
from conformance.suites.model import Model
from conformance.suites.releases import each
from conformance.suites.requests import API, INFER, OPERATIONS, PATHS, UPLOAD, json_request, plain_request

Named = Callable[[str], str]
ODD_JSON = "Application/JSON; charset=UTF-8"
ODD_RECORDS = "APPLICATION/JSON;format=pandas-records"


@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_another_method_is_refused(session: Session, named: Named, workspace_id: int, operation: str) -> None:
    plain = plain_request(operation, named, workspace_id)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        request = Request(method, plain.url) if method == "GET" else replace(plain, method=method)
        session.send(request, labels=frozenset({METHOD, ABOUT + operation}))


@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_head_and_options_are_answered(session: Session, named: Named, workspace_id: int, operation: str) -> None:
    plain = plain_request(operation, named, workspace_id)
    for method in ("HEAD", "OPTIONS"):
        session.send(Request(method, plain.url), labels=frozenset({ASKING, ABOUT + operation}))


@pytest.mark.parametrize("longer", each(sorted(PATHS)))
def test_a_longer_path_is_not_found(session: Session, named: Named, workspace_id: int, longer: str) -> None:
    plain = plain_request(longer, named, workspace_id)
    labels = frozenset({BEYOND, ABOUT + longer})
    session.send(replace(plain, url=f"{plain.url}/and-on"), labels=labels)
    session.send(replace(plain, url=f"{plain.url}s"), labels=labels)


def test_an_unknown_path_is_not_found(session: Session) -> None:
    for path in ("no/such_operation", "pipelines"):
        request = Request("POST", API + path, Headers({"Content-Type": JSON}), b"{}")
        session.send(request, labels=frozenset({NOWHERE, f"{ABOUT}api"}))


def test_the_documentation_is_served(session: Session) -> None:
    request = Request("GET", f"{API}docs", Headers({"Accept": "text/html"}))
    session.send(request, authenticated=False, labels=frozenset({DOCUMENTATION, f"{ABOUT}api"}))


@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_another_media_type_is_refused(session: Session, named: Named, workspace_id: int, operation: str) -> None:
    plain = plain_request(operation, named, workspace_id)
    request = replace(plain, headers=Headers({"Content-Type": "application/x-conformance"}))
    session.send(request, intent="invalid", labels=frozenset({f"{REFUSES}refuses-another-media-type"}))


@pytest.fixture(scope="session")
def idle(client: PipelineClient, named: Named, workspace_id: int, uploads: Uploads) -> PipelineVersionCreated:
    return client.create_pipeline(named("idle"), workspace_id, steps_of(uploads.first)).value


@pytest.mark.needs("main")
@pytest.mark.parametrize("reading", each(sorted({*PATHS, INFER} - {UPLOAD, "pipelines.undeploy"})))
def test_a_media_type_is_read_in_any_case_and_with_parameters(
    session: Session,
    named: Named,
    workspace_id: int,
    idle: PipelineVersionCreated,
    deployments: Deployments,
    uploads: Uploads,
    model: Model,
    reading: str,
) -> None:
    running = deployments.running("main")
    labels = frozenset({f"{PROMISE}takes-parameters-of-media-types"})
    if reading == INFER:
        body = f'[{{"{model.column}": {model.tutorial_row()}}}]'.encode()
        request = Request("POST", running.url, Headers({"Content-Type": ODD_RECORDS}), body)
    else:
        body_of = {
            "pipelines.create": {"pipeline_id": named("odd-media"), "workspace_id": workspace_id},
            "pipelines.deploy": {
                "deploy_id": running.name.rpartition("-")[0],
                "pipeline_id": running.pipeline.pipeline_pk_id,
                "pipeline_version_pk_id": running.pipeline.pipeline_variant_pk_id,
                "models": [uploads.first.as_json()],
            },
            "pipelines.copy": {
                "name": named("odd-media-copy"),
                "workspace_id": workspace_id,
                "source_pipeline": idle.pipeline_pk_id,
            },
            "status.get-deployment": {"name": running.name},
            "admin.get-pipeline-external-url": {
                "workspace_id": workspace_id,
                "pipeline_name": running.pipeline_name,
            },
            "models.list-versions": {"model_id": uploads.first.name},
            "workspaces.create": {"workspace_name": named("odd-media")},
            "workspaces.list": {},
        }[reading]
        request = json_request(reading, body_of, ODD_JSON)
    session.send(request, intent="valid", labels=labels)
