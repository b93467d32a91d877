"""The flow of the vendor's quick start, by the vendor's SDK alone; run in an environment that has it.

`python flow.py URL MODEL` prints what it saw as one JSON object. Credentials come from the environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pandas as pd
import pyarrow as pa
import wallaroo
from wallaroo.framework import Framework
from wallaroo.object import EntityNotFoundError

ROWS = [[0.5] * 29, [-1.25] * 29, [2.0] * 29]


def main(url: str, model_file: str) -> dict[str, Any]:
    """Every step of the flow; what each gave, by name."""
    saw: dict[str, Any] = {"version": wallaroo.__version__}
    client = _client(url, "user_password")
    saw["default workspace"] = client.get_current_workspace().name()
    saw["default workspace again"] = _client(url, "sso").get_current_workspace().id() == (
        client.get_current_workspace().id()
    )

    workspace = client.create_workspace("sdk-flow")
    client.set_current_workspace(workspace)
    saw["workspace"] = workspace.name()
    saw["workspaces"] = sorted(each.name() for each in client.list_workspaces())
    saw["members"] = [user.id() for user in workspace.users()] == [client.auth.user_id()]

    model = client.upload_model("sdk-model", model_file, framework=Framework.ONNX)
    saw["model"] = [model.name(), model.sha(), model.status(), model.file_name()]
    model = model.configure(tensor_fields=["tensor"])
    saw["config"] = [model.config().runtime(), model.config().tensor_fields()]
    saw["models"] = [each.name() for each in client.list_models()]
    saw["versions"] = [version.version() == model.version() for version in client.list_models()[0].versions()]
    saw["found models"] = [each.version() == model.version() for each in client.search_models("sdk-model")]
    saw["found nothing"] = list(client.search_models("no such model"))

    pipeline = client.build_pipeline("sdk-pipeline").add_model_step(model)
    pipeline.deploy()
    saw["status"] = pipeline.status()["status"]
    saw["pipelines"] = [each.name() for each in client.list_pipelines()]
    saw["found pipelines"] = sorted({each.pipeline().name() for each in client.search_pipelines("sdk-pipeline")})
    saw["found deployed"] = bool(client.search_pipelines("sdk-pipeline", deployed=True))
    saw["pipeline by name"] = [each.name() for each in client.pipelines_by_name("sdk-pipeline")]
    saw["definition"] = pipeline.versions()[0].definition()["steps"][0]["ModelInference"]["models"][0]["name"]
    saw["url"] = pipeline.url().removeprefix(url).replace("-" + str(pipeline._deployment.id()), "-ID")

    frame = pipeline.infer(pd.DataFrame({"tensor": ROWS}))
    saw["columns"] = list(frame.columns)
    saw["outputs"] = [value[0] for value in frame["out.dense_1"]]
    with_metadata = pipeline.infer(pd.DataFrame({"tensor": ROWS[:1]}), dataset=["*", "metadata"])
    saw["metadata"] = sorted(name for name in with_metadata.columns if name.startswith("metadata."))
    table = pipeline.infer(pa.table({"tensor": pa.array(ROWS, pa.list_(pa.float32()))}))
    saw["arrow columns"] = table.column_names
    saw["arrow outputs"] = [value[0] for value in table["out.dense_1"].to_pylist()]
    by_dict = pipeline.infer({"tensor": ROWS[:1]})  # of several records the SDKs before 2024.2 fail to take the time
    saw["dict outputs"] = [record["out"]["dense_1"][0] for record in by_dict]
    try:
        pipeline.infer(pd.DataFrame({"tensor": [[1.0, 2.0]]}))
    except Exception as error:
        saw["inference error"] = type(error).__name__

    logged = pipeline.logs(limit=100)
    saw["logged"] = len(logged)
    saw["logged columns"] = sorted(name for name in logged.columns if not name.startswith("metadata"))
    saw["logged outputs"] = sorted(value[0] for value in logged["out.dense_1"])

    tag = client.create_tag("sdk-tag")
    tag.add_to_pipeline(pipeline.id())
    tag.add_to_model(model.id())
    saw["tagged"] = sorted({each.pipeline().name() for each in client.search_pipelines("sdk-tag")})
    saw["tagged models"] = [each.name() for each in client.search_models("sdk-tag")]
    saw["shown"] = [len(text) > 100 for text in (client.list_pipelines()._repr_html_(), workspace.name() * 20)]

    pipeline.undeploy()
    try:
        pipeline.status()
        saw["gone"] = False
    except Exception as error:
        saw["gone"] = type(error).__name__
    pipeline.deploy()
    saw["deployed again"] = pipeline.status()["status"]
    pipeline.undeploy()
    try:
        client.model_by_name("no such model", "no such version")
    except EntityNotFoundError as error:
        saw["not found"] = type(error).__name__
    try:
        client.list_tasks()
    except Exception as error:
        saw["beyond"] = f"{type(error).__name__}: {error}"
    return saw


def _client(url: str, auth_type: str) -> Any:
    arguments = {"api_endpoint": url, "auth_type": auth_type, "request_timeout": 45}
    if wallaroo.__version__.startswith(("2023.", "2024.1", "2024.2")):
        arguments["auth_endpoint"] = url
    return wallaroo.Client(**arguments)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2]), default=float))  # numbers of numpy
