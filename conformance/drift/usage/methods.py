"""Which operations the vendor's SDK calls for its methods (read in the source of SDK 2023.4.1 and 2026.1.3)."""

from __future__ import annotations

METHODS: dict[str, tuple[str, ...]] = {
    "create_workspace": ("workspaces.create",),
    "list_workspaces": ("workspaces.list",),
    "get_workspace": ("workspaces.list",),
    "build_pipeline": ("pipelines.create",),
    "create_version": ("pipelines.create",),
    "upload_model": ("models.upload-and-convert",),
    "deploy": ("pipelines.create", "pipelines.deploy", "status.get-deployment"),
    "undeploy": ("pipelines.undeploy", "status.get-deployment"),
    "status": ("status.get-deployment",),
    "wait_for_running": ("status.get-deployment",),
    "wait_for_undeployed": ("status.get-deployment",),
    "infer": ("pipelines.infer",),
    "infer_from_file": ("pipelines.infer",),
    "async_infer": ("pipelines.infer",),
    "parallel_infer": ("pipelines.infer",),
    "batch_parallel_infer": ("pipelines.infer",),
}
"""Method to operations, in the order they are called; on objects of the SDK, or any object where it is imported."""

INFERS = tuple(name for name, operations in METHODS.items() if operations == ("pipelines.infer",))

GENERATED: dict[str, str] = {
    "pipelines_create": "pipelines.create",
    "pipelines_deploy": "pipelines.deploy",
    "pipelines_undeploy": "pipelines.undeploy",
    "pipelines_copy_pipeline": "pipelines.copy",
    "status_get_deployment": "status.get-deployment",
    "admin_get_pipeline_external_url": "admin.get-pipeline-external-url",
    "models_upload_and_convert": "models.upload-and-convert",
    "upload_and_convert": "models.upload-and-convert",
    "models_list_versions": "models.list-versions",
    "workspaces_create": "workspaces.create",
    "workspaces_list": "workspaces.list",
}
"""Module of the SDK's generated client to the operation its `sync` and `asyncio` functions call."""

CALLED = ("sync", "sync_detailed", "asyncio", "asyncio_detailed")
