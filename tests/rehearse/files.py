"""Files that a user might have: written for these tests, in the style of the tutorial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HOST = "https://fraud-team.api.bank.example"

LOGIN = """import json, os
import requests

BASE = "https://fraud-team.api.bank.example"
LOGIN = "https://fraud-team.keycloak.bank.example/auth/realms/master/protocol/openid-connect/token"
form = {"client_id": "sdk-client", "grant_type": "password",
        "username": os.environ["WALLAROO_USER"], "password": os.environ["WALLAROO_PASSWORD"]}
token = requests.post(LOGIN, data=form, verify=True).json()["access_token"]
headers = {"Authorization": f"Bearer {token}"}

def ask(path, **body):
    return requests.post(f"{BASE}/v1/api/{path}", json=body, headers=headers)

headers"""

UPLOAD = """told = {"name": "scorer", "visibility": "private", "workspace_id": 10,
        "conversion": {"framework": "onnx", "requirements": []}}
files = {"metadata": (None, json.dumps(told), "application/json"),
         "file": ("scorer", open("models/scorer.onnx", "rb"), "application/octet-stream")}
uploaded = requests.post(f"{BASE}/v1/api/models/upload_and_convert", files=files, headers=headers).json()
scorer = uploaded["insert_models"]["returning"][0]["models"][0]["id"]
version = ask("models/list_versions", model_id="scorer", models_pk_id=scorer).json()[-1]
model = {"name": "scorer", "version": version["model_version"], "sha": version["sha"]}"""

CREATE = """made = ask("pipelines/create", pipeline_id="scoring", workspace_id=10,
           definition={"steps": [{"ModelInference": {"models": [model]}}]}).json()
json.dumps(made)"""

DEPLOY = """deployed = ask("pipelines/deploy", deploy_id="scoring", models=[model], pipeline_id=made["pipeline_pk_id"],
               pipeline_version_pk_id=made["pipeline_variant_pk_id"]).json()
deployed"""

STATUS = """ask("status/get_deployment", name=f"scoring-{deployed['id']}").json()["status"]"""

ADDRESS = """!curl -s {BASE}/v1/api/admin/get_pipeline_external_url -H "Authorization: {headers['Authorization']}" \\
    -H "Content-Type: application/json" --data '{{"workspace_id": 10, "pipeline_name": "scoring"}}'"""

SCORE = """url = ask("admin/get_pipeline_external_url", workspace_id=10, pipeline_name="scoring").json()["url"]
rows = requests.post(url, data=json.dumps([{"tensor": [0.5] * 29}]),
                     headers={**headers, "Content-Type": "application/json; format=pandas-records"}).json()
print(rows[0]["out"], rows[0]["check_failures"])"""

UNDEPLOY = """print(ask("pipelines/undeploy", pipeline_id=made["pipeline_pk_id"], deployment_id=deployed["id"]).text)"""

COPY = """copied = ask("pipelines/copy", name="scoring-copy", workspace_id=10, source_pipeline=made["pipeline_pk_id"])
copied.raise_for_status()
copied.json()"""

TUTORIAL = (
    (LOGIN, {"text/plain": "{'Authorization': 'Bearer <redacted>'}"}),
    (UPLOAD, None),
    (CREATE, {"text/plain": '\'{"pipeline_pk_id": 741, "pipeline_variant_pk_id": 902, "pipeline_variant_version": '
                            '"0b3c7f0e-5a51-4e0a-9c55-0c8a1f5be3d1"}\''}),
    (DEPLOY, {"text/plain": "{'id': 388}"}),
    (STATUS, {"text/plain": "'Running'"}),
    (ADDRESS, f'{{"url":"{HOST}/v1/api/pipelines/infer/scoring-388/scoring"}}'),
    (SCORE, "{'dense_1': [0.0007573]} []\n"),
    (UNDEPLOY, "null\n"),
    (COPY, {"text/plain": "{'pipeline_pk_id': 7,\n 'pipeline_variant_pk_id': 7,\n 'pipeline_version': None,\n"
                          " 'deployment': None}"}),
)  # fmt: skip
"""The tutorial's steps by requests: each cell with the output that a release 2023.4 gave."""


def notebook(path: Path, cells: Sequence[tuple[str, Any]]) -> Path:
    """A notebook of these cells; an output is a text that was written, data that was shown, or None."""
    made = [{"cell_type": "markdown", "metadata": {}, "source": ["How we score.\n"]}]
    for number, (source, output) in enumerate(cells, 1):
        shown = [] if output is None else [_output(output, number)]
        cell = {"cell_type": "code", "execution_count": number, "metadata": {}, "outputs": shown}
        made.append(cell | {"source": source.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def _output(output: Any, number: int) -> dict[str, Any]:
    if isinstance(output, str):
        return {"output_type": "stream", "name": "stdout", "text": output.splitlines(keepends=True)}
    return {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": output}
