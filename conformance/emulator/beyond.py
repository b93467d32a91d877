"""What the vendor's SDK can ask and this instance does not do: the answer says so, and names the operation."""

from __future__ import annotations

from conformance.emulator.wire import Answer, Call, RefusalError

API = "/v1/api"
_BY_AREA = {
    "assays": "create filter get_assay_by_id get_assay_results get_baseline list run_interactive "
    "run_interactive_baseline set_active summarize",
    "connections": "add_to_workspace create delete get get_by_id list remove_from_workspace",
    "explainability": "create_config create_request get_config get_request get_result get_status list_configs "
    "list_configs_by_pipeline list_requests",
    "features": "list",
    "models": "attach_registry_to_workspace create_registry delete_model delete_model_versions "
    "get_model_version_by_id get_registry get_upload_logs list_registries list_registry_model_version_artifacts "
    "list_registry_model_versions list_registry_models list_versions_for_model remove_registry_from_workspace "
    "upload_from_registry upload_stream",
    "orchestration": "delete_orchestrations download get_by_id list list_all upload",
    "pipelines": "add_edge_to_publish delete_pipeline delete_pipeline_versions get_logs get_publish_status "
    "get_sidekick_pod_logs get_sidekick_pods_history list_edges_by_publish_id list_pipeline_versions "
    "list_publishes_for_pipeline publish remove_edge",
    "plateau": "get_pipeline_topic_name",
    "task": "get_by_id get_logs_for_run get_run_details get_tasks_by_orch_sha kill list list_task_runs pause "
    "run_continuously run_once run_scheduled",
    "users": "activate deactivate invite",
    "workspaces": "add_user remove_user validate",
}
"""Operations by the area that their paths name; from the generated clients of SDKs 2023.4.1 to 2026.1.3."""

_ASSAYS_V2 = "get get_next_run get_results preview preview_baseline_binning schedule score set_active"

_SINCE = {
    "2024.1": "assays/get_assay_by_id task/pause",
    "2024.4": "models/delete_model models/delete_model_versions models/list_versions_for_model "
    "orchestration/delete_orchestrations orchestration/download orchestration/list_all pipelines/delete_pipeline "
    "pipelines/delete_pipeline_versions pipelines/list_pipeline_versions pipelines/list_pipelines "
    "task/run_continuously workspaces/validate",
    "2025.1": "pipelines/list_edges_by_publish_id",
    "2025.2": "models/get_upload_logs",
    "2026.1": "pipelines/get_pipeline_by_name pipelines/get_sidekick_pod_logs pipelines/get_sidekick_pods_history",
}
_UNTIL = {
    "2023.4": "pipelines/copy " + " ".join(f"explainability/{name}" for name in _BY_AREA["explainability"].split())
}
"""Which operations came with a release, and which were gone after one: from the clients that the SDKs carry.

A release between two that were read counts as the later one.
"""


def offered(path: str, release: str) -> bool:
    """Whether a release has the operation at a path."""
    name = path.removeprefix(f"{API}/")
    comes = next((since for since, names in _SINCE.items() if name in names.split()), release)
    goes = next((until for until, names in _UNTIL.items() if name in names.split()), release)
    return comes <= release <= goes


PATHS = (
    *(f"{API}/{area}/{name}" for area, names in _BY_AREA.items() for name in names.split()),
    *(f"/v2/api/assays/{name}" for name in _ASSAYS_V2.split()),
)
"""The path of every such operation; all are asked by POST."""


async def refuse(call: Call) -> Answer:
    """501, with the operation's name."""
    raise RefusalError(
        501, f"Not implemented: {call.path} is not emulated. conformance/emulator/README.md lists what is."
    )
