"""What cannot be done is refused, changes nothing, and leaves the target answering: fields, types, ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.api.client import PipelineClient, steps_of
from conformance.api.operations import INFER, UPLOAD
from conformance.model import Headers, Mark, Purpose
from conformance.run.session import Session
from conformance.suites.deployments import Deployments
from conformance.suites.model import Model
from conformance.suites.plan import Uploads
from conformance.suites.refusals import REFUSALS, FixtureBodies, Refusal
from conformance.suites.releases import each
from conformance.suites.requests import json_request, upload
from conformance.targets.safety.guard import RefusedError

Named = Callable[[str], str]

NAMES = {
    "a-space": "a name",
    "beyond-ascii": "Prüfstück-模型-🙂",
    "a-slash": "a/b",
    "a-quote": 'it\'s "quoted"; --',
    "64-characters": "",
    "a-percent": "100%25",
    "a-newline": "a\nb",
    "a-nul": "a\x00b",
    "right-to-left": "\u202etset",
    "1000-characters": "x" * 1000,
}
"""Names that no source allows or forbids, by what is odd about them; they follow our own prefix."""

_TELLING = ("beyond-ascii", "64-characters")
"""Odd names that are tried of slow operations too."""


@pytest.fixture(scope="session")
def bodies(
    client: PipelineClient, named: Named, workspace_id: int, elsewhere: int, uploads: Uploads, model: Model
) -> FixtureBodies:
    """A workspace's pipelines that stay idle, and what else refused requests speak of."""
    name = named("refusing")
    pipeline = client.create_pipeline(name, workspace_id, steps_of(uploads.first)).value
    other = client.create_pipeline(named("refusing-other"), workspace_id, {}).value
    return FixtureBodies(workspace_id, elsewhere, pipeline, name, other, uploads, model, named)


_OF_DEPLOYMENTS = ("status.get-deployment", "admin.get-pipeline-external-url")


def _parameters(*operations: str) -> list[object]:
    """Refusals of these operations; of all that need no deployment where none is named."""
    others = (INFER, *_OF_DEPLOYMENTS)
    return each(one for one in REFUSALS if (one.operation in operations if operations else one.operation not in others))


@pytest.mark.parametrize("refusal", _parameters(), ids=str)
def test_what_cannot_be_is_refused(
    session: Session, client: PipelineClient, bodies: FixtureBodies, refusal: Refusal
) -> None:
    _read(session, client, bodies)
    after = client.meaning("", Purpose.AFTER_REFUSAL.of(refusal.operation))
    sent, withheld = 0, ""
    for request in refusal.requests(bodies):
        if sent and session.is_slow(refusal.operation):
            break
        try:
            exchange = session.send(request, intent="invalid", labels=frozenset({Purpose.REFUSES.of(refusal.slug)}))
        except RefusedError as error:  # on a live target: a careless server might read an id of others from it
            withheld = str(error)
            continue
        sent += 1
        if exchange.ok:
            continue  # it was served, which its own row tells of: what changed by it is no more than it asked for
        _read(session, client.meaning("valid", Purpose.AFTER_REFUSAL.of(refusal.operation)), bodies)
        if refusal.operation == "pipelines.deploy":
            after.external_url(bodies.workspace_id, bodies.pipeline_name)
    if not sent:
        pytest.skip(withheld)


@pytest.mark.needs("main")
@pytest.mark.parametrize("refusal", _parameters(*_OF_DEPLOYMENTS), ids=str)
def test_what_a_deployment_cannot_be_asked_by_is_refused(
    session: Session, deployments: Deployments, bodies: FixtureBodies, refusal: Refusal
) -> None:
    asked = replace(bodies, serving=deployments.running("main"))
    for request in refusal.requests(asked):
        session.send(request, intent="invalid", labels=frozenset({Purpose.REFUSES.of(refusal.slug)}))


def _read(session: Session, client: PipelineClient, bodies: FixtureBodies) -> None:
    """What a refusal must leave as it was, as far as it is soon told."""
    if not session.is_slow("workspaces.list"):
        client.list_workspaces()
    if not session.is_slow("models.list-versions"):
        client.list_model_versions(model_id=bodies.named("refused-model"))


@pytest.mark.needs("main")
def test_a_refused_undeploy_ends_nothing(
    session: Session, client: PipelineClient, deployments: Deployments, bodies: FixtureBodies, model: Model
) -> None:
    running = deployments.running("main")
    if not client.infer(running.url, model.column, [model.tutorial_row()]).ok:
        return  # of what serves nothing before, nothing is told by what it serves after
    in_part = {"deployment_id": running.deployment_id, "pipeline_id": "seven"}
    for body in ({}, {"deployment_id": "seven"}, {"deployment_id": [running.deployment_id]}, in_part):
        about = "takes-ids-as-integers-only" if body else "requires-an-id"
        request = json_request("pipelines.undeploy", body)
        answer = session.send(request, intent="invalid", labels=frozenset({Purpose.REFUSES.of(about)}))
        if answer.ok:
            deployments.lost("main", answer)
            return
        after = client.meaning("", Purpose.AFTER_REFUSAL.of("pipelines.undeploy"))
        after.deployment_status(running.name)
        served = after.infer(running.url, model.column, [model.tutorial_row()])
        if not served.ok:
            deployments.lost("main", served.exchange)
            return


@pytest.mark.needs("main")
def test_a_strangers_requests_change_nothing(
    session: Session, client: PipelineClient, deployments: Deployments, bodies: FixtureBodies
) -> None:
    running = deployments.running("main")
    creating = json_request("pipelines.create", bodies.body("pipelines.create"))
    undeploying = json_request("pipelines.undeploy", {"deployment_id": running.deployment_id})
    for word, token in (("none", ""), ("garbage", "not.a.token")):
        for request in (creating, undeploying):
            fields = Headers([*request.headers.fields, *([("Authorization", f"Bearer {token}")] if token else [])])
            _read(session, client, bodies)
            session.send(
                replace(request, headers=fields), authenticated=False, labels=frozenset({Purpose.IDENTITY.of(word)})
            )
            _read(session, client, bodies)
        found = client.meaning("", Purpose.AFTER_REFUSAL.of("pipelines.undeploy")).deployment_status(running.name)
        if not found.ok:
            deployments.lost("main", found.exchange)
            return


@pytest.mark.needs("main")
@pytest.mark.parametrize("refusal", _parameters(INFER), ids=str)
def test_rows_that_cannot_be_computed_are_refused(
    session: Session,
    client: PipelineClient,
    deployments: Deployments,
    bodies: FixtureBodies,
    model: Model,
    refusal: Refusal,
) -> None:
    running = deployments.running("main")
    if not client.infer(running.url, model.column, [model.tutorial_row()]).ok:
        return
    for request in refusal.requests(bodies):
        session.send(
            replace(request, url=running.url), intent="invalid", labels=frozenset({Purpose.REFUSES.of(refusal.slug)})
        )
        serving = client.meaning("valid", Purpose.PROMISE.of("serves-on-after-bad-input"))
        served = serving.infer(running.url, model.column, [model.tutorial_row()])
        if not served.ok:
            deployments.lost("main", served.exchange)
            return


def test_a_model_of_another_workspace_is_refused(
    session: Session, client: PipelineClient, named: Named, elsewhere: int, uploads: Uploads
) -> None:
    name = named("foreign-model")
    created = client.create_pipeline(name, elsewhere, {}).value
    body = {
        "deploy_id": name,
        "pipeline_id": created.pipeline_pk_id,
        "pipeline_version_pk_id": created.pipeline_variant_pk_id,
        "models": [uploads.first.as_json()],
    }
    labels = frozenset({Purpose.REFUSES.of("refuses-models-of-another-workspace")})
    session.send(json_request("pipelines.deploy", body), intent="invalid", labels=labels)


def test_a_model_of_another_workspace_in_a_step_is_refused(
    session: Session, client: PipelineClient, named: Named, elsewhere: int, uploads: Uploads
) -> None:
    name = named("foreign-step")
    body = {"pipeline_id": name, "workspace_id": elsewhere, "definition": steps_of(uploads.first)}
    created = session.send(json_request("pipelines.create", body))
    answer = created.answer if created.ok and isinstance(created.answer, dict) else {}
    ids = {"pipeline_id": answer.get("pipeline_pk_id"), "pipeline_version_pk_id": answer.get("pipeline_variant_pk_id")}
    if all(isinstance(one, int) for one in ids.values()):
        labels = frozenset({Purpose.REFUSES.of("refuses-models-of-another-workspace")})
        session.send(json_request("pipelines.deploy", {"deploy_id": name} | ids), intent="invalid", labels=labels)


_IMPOSSIBLE = (0, -1, 2**31, 2**63)


@pytest.mark.parametrize(("operation", "field"), [
    pytest.param(operation, field, marks=[pytest.mark.about(operation)])
    for operation, fields in (
        ("pipelines.create", ("workspace_id",)),
        ("pipelines.deploy", ("pipeline_id", "pipeline_version_pk_id")),
        ("pipelines.undeploy", ("pipeline_id", "deployment_id")),
        ("pipelines.copy", ("workspace_id", "source_pipeline")),
        ("admin.get-pipeline-external-url", ("workspace_id",)),
        ("models.list-versions", ("models_pk_id",)),
    )
    for field in fields
])  # fmt: skip
def test_an_id_that_nothing_can_have_is_answered(
    session: Session, bodies: FixtureBodies, operation: str, field: str
) -> None:
    body = {} if operation in ("pipelines.undeploy", "models.list-versions") else bodies.body(operation)
    for number in _IMPOSSIBLE[2:3] if session.is_slow(operation) else _IMPOSSIBLE:
        session.send(json_request(operation, body | {field: number}), labels=frozenset({Mark.IMPOSSIBLE_ID}))


def test_a_file_that_is_no_model(client: PipelineClient, session: Session, bodies: FixtureBodies) -> None:
    metadata = bodies.body(UPLOAD) | {"name": bodies.named("rubbish")}
    session.send(upload(metadata, b"this is no model"), labels=frozenset({Mark.RUBBISH}))
    client.meaning("", Mark.RUBBISH).list_model_versions(model_id=bodies.named("rubbish"))


@pytest.mark.parametrize("odd", sorted(NAMES))
def test_no_name_brings_an_operation_down(
    session: Session, client: PipelineClient, bodies: FixtureBodies, workspace_id: int, odd: str
) -> None:
    name = bodies.named(f"odd-{odd}-")
    name = name.ljust(64, "x") if odd == "64-characters" else name + NAMES[odd]
    requests = {
        "pipelines.create": json_request("pipelines.create", {"pipeline_id": name, "workspace_id": workspace_id}),
        "workspaces.create": json_request("workspaces.create", {"workspace_name": name}),
        UPLOAD: upload(bodies.body(UPLOAD) | {"name": name}, bodies.model.content),
    }
    if session.rules.document.has("pipelines.copy"):
        copy = {"name": f"{name[:-1]}y", "workspace_id": workspace_id, "source_pipeline": bodies.other.pipeline_pk_id}
        requests["pipelines.copy"] = json_request("pipelines.copy", copy)
    for operation, request in requests.items():
        if odd in _TELLING or not session.is_slow(operation):
            session.send(request)
