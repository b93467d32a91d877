"""What the tutorial's prose says otherwise than the contract: the catalogue's contradictions, as one more source."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.drift.sources.table import Contradiction
from conformance.model import Requirement

_PLACES = {
    "status.get-deployment.reads-name-rather-than-id": "request.body.name",
    "status.get-deployment.lists-details-as-texts": "response.200.body.details[]",
    "status.get-deployment.is-404-once-gone": "response.404",
    "pipelines.create.reads-the-definition-as-an-object": "request.body.definition",
    "pipelines.create.names-model-versions-by-uuid": "request.body.definition.steps[].ModelInference.models[].version",
    "pipelines.create.takes-the-workspace-it-is-given": "request.body.workspace_id",
    "pipelines.create.code-of-the-example-is-mistaken": "response.200.body.pipeline_variant_version",
    "pipelines.create.errors-have-msg-and-code": "response.400.body",
    "pipelines.deploy.reads-engine-config-as-an-object": "request.body.engine_config",
    "pipelines.deploy.calls-a-version-by-three-names": "request.body.pipeline_version_pk_id",
    "pipelines.deploy.wants-models-or-not": "request.body.models",
    "pipelines.deploy.takes-a-deploy-id-unlike-the-name": "request.body.deploy_id",
    "pipelines.copy.takes-what-stands-under-returns": "request.body",
    "pipelines.copy.its-ids-need-not-match-the-example": "response.200.body.pipeline_pk_id",
    "pipelines.undeploy.is-asked-by-either-id": "request.body",
    "pipelines.undeploy.returns-nothing-as-null": "response.200.body",
    "pipelines.infer.writes-last-model-as-a-text": "response.200.body[].metadata.last_model",
    "admin.get-pipeline-external-url.is-asked-by-the-pipelines-name": "request.body.pipeline_name",
    "admin.get-pipeline-external-url.is-404-for-the-unknown": "response.404",
    "models.upload-and-convert.takes-a-file-name-without-ending": "request.body.file",
    "models.upload-and-convert.is-accepted-not-done": "response.202",
    "models.upload-and-convert.answers-the-versions-id": ("response.202.body.insert_models.returning[].models[].id"),
    "models.upload-and-convert.takes-any-visibility": "request.body.metadata.visibility",
    "models.list-versions.joins-its-filters-by-or": "request.body",
    "models.list-versions.has-no-order": "response.200.body",
    "models.list-versions.tells-a-status-of-its-own": "response.200.body[].status",
    "models.list-versions.owners-are-not-always-uuids": "response.200.body[].owner_id",
    "workspaces.list.creators-are-not-always-uuids": "response.200.body.workspaces[].created_by",
}
"""The place each contradiction is about; those not listed are about the operation as a whole."""


def contradictions(rows: Iterable[Requirement]) -> tuple[Contradiction, ...]:
    """The rows that have readings: what the other readings say, where they stand, and the reading that holds.

    A reading that the catalogue calls fair breaks nobody who follows it.
    """
    found = []
    for row in rows:
        readings = dict(row.notes.get("readings", {}))
        held, fair = row.notes.get("held", ""), row.notes.get("fair", ())
        others = [text for name, text in readings.items() if name != held]
        if readings and others:
            misleads = any(name != held and name not in fair for name in readings)
            where = str(row.notes.get("heading") or row.source)
            place = _PLACES.get(row.id, "operation")
            says = "; ".join(others)
            found.append(Contradiction(row.operation, place, says, where, str(readings.get(held, "")), misleads))
    return tuple(found)
