"""HTTP as every operation must speak it: methods, paths, media types and lengths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from conformance.api.client import JSON, PANDAS_RECORDS, PipelineClient, PipelineVersionCreated, steps_of
from conformance.api.operations import COPY, DEPLOY, INFER, UNDEPLOY, UPLOAD, Known, row_of
from conformance.checks.auth import PROBES, REPEATED
from conformance.model import Aim, Headers, Label, Mark, Purpose, Request
from conformance.run.session import Session
from conformance.run.settings import EMULATED, Settings
from conformance.suites.deployments import Deployments
from conformance.suites.model import Model
from conformance.suites.plan import Uploads
from conformance.suites.releases import each
from conformance.suites.requests import (
    API,
    OPERATIONS,
    WITH_FIELDS,
    json_request,
    plain_request,
    upload,
)
from conformance.targets.strangers import falsely

Named = Callable[[str], str]
ODD_JSON = "Application/JSON; charset=UTF-8"
ODD_RECORDS = "APPLICATION/JSON;format=pandas-records"
OTHER_METHODS = ("GET", "PUT", "DELETE", "PATCH")


@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_another_method_is_refused(session: Session, named: Named, workspace_id: int, operation: str) -> None:
    plain = plain_request(operation, named, workspace_id)
    for method in OTHER_METHODS:
        request = Request(method, plain.url) if method == "GET" else replace(plain, method=method)
        session.send(request, labels=frozenset({Mark.METHOD, Purpose.ABOUT.of(operation)}))


@pytest.mark.needs("main")
def test_another_method_computes_nothing(session: Session, served: Callable[[str], Request]) -> None:
    request = served(INFER)
    for method in OTHER_METHODS:
        session.send(replace(request, method=method), labels=frozenset({Mark.METHOD, Purpose.ABOUT.of(INFER)}))


@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_head_and_options_are_answered(session: Session, named: Named, workspace_id: int, operation: str) -> None:
    plain = plain_request(operation, named, workspace_id)
    for method in ("HEAD", "OPTIONS"):
        session.send(Request(method, plain.url), labels=frozenset({Mark.HEAD_OR_OPTIONS, Purpose.ABOUT.of(operation)}))


@pytest.mark.parametrize("longer", each(sorted(WITH_FIELDS)))
def test_a_longer_path_is_not_found(session: Session, named: Named, workspace_id: int, longer: str) -> None:
    plain = plain_request(longer, named, workspace_id)
    labels: frozenset[Label] = frozenset({Mark.BEYOND, Purpose.ABOUT.of(longer)})
    session.send(replace(plain, url=f"{plain.url}/and-on"), labels=labels)
    session.send(replace(plain, url=f"{plain.url}s"), labels=labels)


def test_an_unknown_path_is_not_found(session: Session) -> None:
    for path in ("no/such_operation", "pipelines"):
        request = Request("POST", API + path, Headers({"Content-Type": JSON}), b"{}")
        session.send(request, labels=frozenset({Mark.NOWHERE, Purpose.ABOUT.of("api")}))


def test_the_documentation_is_served(session: Session) -> None:
    request = Request("GET", f"{API}docs", Headers({"Accept": "text/html"}))
    session.send(request, authenticated=False, labels=frozenset({Mark.DOCUMENTATION, Purpose.ABOUT.of("api")}))


@pytest.fixture(scope="session")
def idle(client: PipelineClient, named: Named, workspace_id: int, uploads: Uploads) -> PipelineVersionCreated:
    return client.create_pipeline(named("idle"), workspace_id, steps_of(uploads.first)).value


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Numbers for names, so that no two items give the same."""
    return count(1)


@pytest.fixture
def served(
    named: Named,
    numbers: Iterator[int],
    workspace_id: int,
    idle: PipelineVersionCreated,
    deployments: Deployments,
    uploads: Uploads,
    model: Model,
) -> Callable[[str], Request]:
    """For an operation, a request that is served: it names what is there."""
    running, fresh = deployments.running("main"), named(f"odd-media-{next(numbers)}")
    known = Known(
        fresh,
        workspace_id,
        pipeline=idle.pipeline_pk_id,
        deployment_name=running.name,
        pipeline_name=running.pipeline_name,
        model_name=uploads.first.name,
        models=(uploads.first.as_json(),),
    )
    names = {COPY: f"{fresh}-copy", UPLOAD: f"{fresh}-model"}
    ids = running.pipeline
    again = replace(
        known,
        pipeline=ids.pipeline_pk_id,
        variant=ids.pipeline_variant_pk_id,
        pipeline_name=running.name.rpartition("-")[0],
    )

    def request(operation: str) -> Request:
        if operation == INFER:
            body = f'[{{"{model.column}": {model.tutorial_row()}}}]'.encode()
            return Request("POST", running.url, Headers({"Content-Type": PANDAS_RECORDS}), body)
        about = again if operation == DEPLOY else replace(known, name=names.get(operation, known.name))
        fields = row_of(operation).valid(about)
        if operation == UPLOAD:
            return upload(fields, model.content)
        return json_request(operation, fields)

    return request


@pytest.mark.needs("main")
@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_an_answered_request_is_refused_when_a_stranger_repeats_it(
    session: Session, operation: str, served: Callable[[str], Request]
) -> None:
    request = served(operation)
    if session.send(request).ok:
        session.send(request, authenticated=False, labels=frozenset({REPEATED}))


@pytest.mark.needs("main")
@pytest.mark.about(INFER)
@pytest.mark.parametrize("probe", [probe for probe in sorted(PROBES) if probe.word not in ("none", "expired")])
def test_rows_that_are_computed_are_refused_to_false_tokens(
    session: Session, settings: Settings, served: Callable[[str], Request], probe: Aim
) -> None:
    """Where nothing is deployed, an engine that asks nobody for a token has nothing to show."""
    request = served(INFER)
    false = falsely(probe, request, getattr(session.target, "credentials", None), settings.signing_key)
    if false is None:
        pytest.skip("this run has nothing to make such a token from")
    if session.send(request).ok:
        session.send(false, authenticated=False, labels=frozenset({probe}))


@pytest.mark.needs("main")
@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_another_media_type_is_refused(session: Session, operation: str, served: Callable[[str], Request]) -> None:
    request = replace(served(operation), headers=Headers({"Content-Type": "application/x-conformance"}))
    session.send(request, intent="invalid", labels=frozenset({Purpose.REFUSES.of("refuses-another-media-type")}))


@pytest.mark.needs("main")
@pytest.mark.parametrize("reading", each(sorted({*OPERATIONS} - {UPLOAD, UNDEPLOY})))
def test_a_media_type_is_read_in_any_case_and_with_parameters(
    session: Session, served: Callable[[str], Request], reading: str
) -> None:
    odd = ODD_RECORDS if reading == INFER else ODD_JSON
    request = replace(served(reading), headers=Headers({"Content-Type": odd}))
    session.send(request, intent="valid", labels=frozenset({Purpose.PROMISE.of("takes-parameters-of-media-types")}))


@pytest.mark.needs("main")
@pytest.mark.parametrize("operation", each(OPERATIONS))
def test_what_is_described_is_no_server_error(
    session: Session,
    settings: Settings,
    client: PipelineClient,
    named: Named,
    workspace_id: int,
    idle: PipelineVersionCreated,
    served: Callable[[str], Request],
    operation: str,
) -> None:
    name = named("beschrieben-é")
    changes: dict[str, dict[str, object]] = {
        "pipelines.create": {"pipeline_id": named("described"), "definition": {"steps": [], "remark": "none"}},
        "pipelines.deploy": {"engine_config": None, "model_configs": None, "model_ids": []},
        "pipelines.undeploy": {"deployment_id": None},
        "pipelines.copy": {"name": named("described-copy"), "engine_config": {}, "pipeline_version": idle.version},
        "status.get-deployment": {"name": name},
        "admin.get-pipeline-external-url": {"pipeline_name": name},
        "models.list-versions": {"models_pk_id": None},
        "workspaces.create": {"workspace_name": name},
        "workspaces.list": {"user_id": None},
    }
    request = served(operation)
    if operation == INFER:
        request = replace(request, body=b"[]")
    elif operation == UPLOAD:
        fields = row_of(UPLOAD).valid(Known(name, workspace_id))
        request = upload(fields | {"image_path": None}, b"no model")
    else:
        request = replace(request, body=json.dumps(request.json | changes[operation]).encode())
    session.send(request, labels=frozenset({Mark.DESCRIBED}))
    if operation == "pipelines.deploy" and settings.kind == EMULATED:  # on a live target a deployment costs
        fresh = client.create_pipeline(named("described-deployed"), workspace_id, {}).value
        session.send(json_request(operation, {
            "deploy_id": name,
            "pipeline_id": fresh.pipeline_pk_id,
            "pipeline_version_pk_id": fresh.pipeline_variant_pk_id,
        }), labels=frozenset({Mark.DESCRIBED}))  # fmt: skip
