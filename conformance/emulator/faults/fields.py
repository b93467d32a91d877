"""Faults of response bodies: a field is missing, null, or of another type."""

from __future__ import annotations

from typing import Any

from conformance.emulator.faults.fault import Fault, fault, succeeding

_GONE = object()
_STATUS, _INFER, _VERSIONS = "status.get-deployment", "pipelines.infer", "models.list-versions"
_WORKSPACES, _CREATE, _COPY = "workspaces.list", "pipelines.create", "pipelines.copy"
_DESCRIBED = "answers-with-the-described-body"


def _listed(body: Any) -> Any:
    return [body]


_SPOILT: tuple[tuple[str, str, str, Any, str], ...] = (
    ("create-null-pipeline-id", _CREATE, "pipeline_pk_id", None, "returns-the-pipeline-id"),
    ("create-null-version-id", _CREATE, "pipeline_variant_pk_id", None, "returns-the-version-id"),
    ("create-null-version-uuid", _CREATE, "pipeline_variant_version", None, "returns-the-version-uuid"),
    ("deploy-id-as-text", "pipelines.deploy", "id", str, "returns-the-deployment-id"),
    ("undeploy-answers-an-object", "pipelines.undeploy", "", {}, "returns-nothing"),
    ("copy-null-pipeline-id", _COPY, "pipeline_pk_id", None, "returns-the-pipeline-id"),
    ("copy-null-version-id", _COPY, "pipeline_variant_pk_id", None, "returns-the-version-id"),
    ("status-in-capitals", _STATUS, "status", str.upper, "returns-the-status"),
    ("status-null-details", _STATUS, "details", None, "lists-the-details"),
    ("status-null-engines", _STATUS, "engines", None, "lists-the-engines"),
    ("status-without-balancers", _STATUS, "engine_lbs", _GONE, "lists-the-load-balancers"),
    ("status-without-sidekicks", _STATUS, "sidekicks", _GONE, "lists-the-sidekicks"),
    ("engine-without-ip", _STATUS, "engines.*.ip", _GONE, "tells-each-engines-address"),
    ("engine-null-name", _STATUS, "engines.*.name", None, "tells-each-engines-name"),
    ("engine-without-status", _STATUS, "engines.*.status", _GONE, "tells-each-engines-status"),
    ("engine-without-reason", _STATUS, "engines.*.reason", _GONE, "tells-each-engines-reason"),
    ("engine-null-details", _STATUS, "engines.*.details", None, "tells-each-engines-details"),
    ("balancer-without-ip", _STATUS, "engine_lbs.*.ip", _GONE, "tells-each-load-balancers-address"),
    ("balancer-null-name", _STATUS, "engine_lbs.*.name", None, "tells-each-load-balancers-name"),
    ("balancer-without-status", _STATUS, "engine_lbs.*.status", _GONE, "tells-each-load-balancers-status"),
    ("balancer-without-reason", _STATUS, "engine_lbs.*.reason", _GONE, "tells-each-load-balancers-reason"),
    ("balancer-null-details", _STATUS, "engine_lbs.*.details", None, "tells-each-load-balancers-details"),
    ("engine-without-pipelines", _STATUS, "engines.*.pipeline_statuses", _GONE, "tells-each-engines-pipelines"),
    ("engine-without-models", _STATUS, "engines.*.model_statuses", _GONE, "tells-each-engines-models"),
    ("url-null", "admin.get-pipeline-external-url", "url", None, "returns-the-url"),
    (
        "upload-id-as-text",
        "models.upload-and-convert",
        "insert_models.returning.*.models.*.id",
        str,
        "returns-the-version-id",
    ),
    ("versions-id-as-text", _VERSIONS, "*.id", str, "tells-each-id"),
    ("versions-null-model-key", _VERSIONS, "*.models_pk_id", None, "tells-each-model-key"),
    ("versions-without-name", _VERSIONS, "*.model_id", _GONE, "tells-each-name"),
    ("versions-without-version", _VERSIONS, "*.model_version", _GONE, "tells-each-version"),
    ("versions-null-sha", _VERSIONS, "*.sha", None, "tells-each-sha"),
    ("versions-null-owner", _VERSIONS, "*.owner_id", None, "tells-each-owner"),
    ("workspace-id-as-text", "workspaces.create", "workspace_id", str, "returns-the-workspace-id"),
    ("workspaces-id-as-text", _WORKSPACES, "workspaces.*.id", str, "tells-each-id"),
    ("workspaces-null-name", _WORKSPACES, "workspaces.*.name", None, "tells-each-name"),
    ("workspaces-time-as-number", _WORKSPACES, "workspaces.*.created_at", 1701368424, "tells-each-creation-time"),
    ("workspaces-without-creator", _WORKSPACES, "workspaces.*.created_by", _GONE, "tells-each-creator"),
    ("workspaces-archived-as-number", _WORKSPACES, "workspaces.*.archived", 0, "tells-each-archived-flag"),
    ("workspaces-null-models", _WORKSPACES, "workspaces.*.models", None, "tells-each-models"),
    ("workspaces-without-pipelines", _WORKSPACES, "workspaces.*.pipelines", _GONE, "tells-each-pipelines"),
    ("infer-time-as-text", _INFER, "*.time", str, "tells-each-records-time"),
    ("infer-without-input", _INFER, "*.in", _GONE, "tells-each-records-input"),
    ("infer-null-output", _INFER, "*.out", None, "tells-each-records-output"),
    ("infer-checks-as-number", _INFER, "*.check_failures", 0, "tells-each-records-check-failures"),
    ("infer-last-model-as-object", _INFER, "*.metadata.last_model", {}, "tells-each-records-last-model"),
    ("infer-null-pipeline-version", _INFER, "*.metadata.pipeline_version", None, "tells-each-records-pipeline-version"),
    ("infer-one-elapsed-time", _INFER, "*.metadata.elapsed", [1000], "tells-each-records-elapsed-time"),
    ("infer-null-dropped", _INFER, "*.metadata.dropped", None, "tells-each-records-dropped"),
    ("infer-without-partition", _INFER, "*.metadata.partition", _GONE, "tells-each-records-partition"),
    ("create-answers-a-list", _CREATE, "", _listed, _DESCRIBED),
    ("deploy-answers-a-list", "pipelines.deploy", "", _listed, _DESCRIBED),
    ("copy-answers-a-list", _COPY, "", _listed, _DESCRIBED),
    ("infer-without-metadata", _INFER, "*.metadata", _GONE, _DESCRIBED),
    ("status-helm-as-number", _STATUS, "helm", 7, _DESCRIBED),
    ("url-answers-a-list", "admin.get-pipeline-external-url", "", _listed, _DESCRIBED),
    ("upload-answers-a-list", "models.upload-and-convert", "", _listed, _DESCRIBED),
    ("versions-file-name-as-number", _VERSIONS, "*.file_name", 7, _DESCRIBED),
    ("workspace-answers-a-list", "workspaces.create", "", _listed, _DESCRIBED),
    ("workspaces-answer-a-list", _WORKSPACES, "", lambda body: body["workspaces"], _DESCRIBED),
)
"""Fault id, operation, the field by its path, what becomes of it, and the requirement that breaks."""


def _spoil(body: Any, path: list[str], value: Any) -> Any:
    """The body with the field at `path` changed; `*` is each item of a list, and the empty path the body itself."""
    if not path:
        return value(body) if callable(value) else value
    if path[0] == "*":
        return [_spoil(item, path[1:], value) for item in body] if isinstance(body, list) else body
    if not isinstance(body, dict) or (path[0] not in body and path != ["helm"]):
        return body
    if len(path) == 1 and value is _GONE:
        return {name: item for name, item in body.items() if name != path[0]}
    return body | {path[0]: _spoil(body.get(path[0]), path[1:], value)}


def _field_fault(fault_id: str, operation: str, path: str, value: Any, slug: str) -> Fault:
    steps = path.split(".") if path else []
    shown = "null" if value is None else "gone" if value is _GONE else "of another type or form"
    sentence = f"In the answer of {operation}, {path or 'the body'} is {shown}."

    def alter(body: Any) -> Any:
        return _spoil(body, steps, value)

    return fault(
        fault_id, "response schema", sentence, succeeding(alter), f"{operation}.{slug}", *_BESIDES.get(fault_id, ())
    )


_BESIDES = {
    "undeploy-answers-an-object": ("pipelines.undeploy.returns-nothing-as-null",),
    "infer-last-model-as-object": ("pipelines.infer.writes-last-model-as-a-text",),
}
"""What breaks with a field because it says the same of it: the readings of a contradiction."""

FAULTS = tuple(_field_fault(*row) for row in _SPOILT)
