"""Somebody's own deploy tool, by requests: uploads a model, deploys it behind a pipeline, and gives the inference URL.

python deploy.py MODEL.onnx NAME      with WALLAROO_URL, WALLAROO_USER and WALLAROO_PASSWORD in the environment
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import requests

RETRIED = (429, 503)


class Api:
    """One instance; each call has a fresh token, and is made again where the service says to come back."""

    def __init__(self, url: str, username: str, password: str, pause: float = 0.1) -> None:
        self.url = url
        self.pause = pause
        self.login = {"username": username, "password": password, "client_id": "sdk-client", "grant_type": "password"}

    def call(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        """The answer of an operation; raises `requests.HTTPError` where it is no success."""
        for _ in range(5):
            headers = {"Authorization": f"Bearer {self.token()}"}
            answer = requests.post(f"{self.url}/v1/api/{path}", json=body, headers=headers, timeout=30, **options)
            if answer.status_code not in RETRIED:
                break
            time.sleep(self.pause)
        answer.raise_for_status()
        return answer

    def token(self) -> str:
        """A bearer token."""
        url = f"{self.url}/auth/realms/master/protocol/openid-connect/token"
        answer = requests.post(url, data=self.login, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


def deploy(api: Api, model: Path, name: str, workspace: int = 10, patience: float = 30) -> str:
    """The inference URL of a new pipeline. Raises `TimeoutError` where it does not run within `patience` seconds."""
    uploaded = upload(api, model, name, workspace)
    step = {"ModelInference": {"models": [uploaded]}}
    made = api.call(
        "pipelines/create", {"pipeline_id": name, "workspace_id": workspace, "definition": {"steps": [step]}}
    )
    ids = {
        "pipeline_id": made.json()["pipeline_pk_id"],
        "pipeline_version_pk_id": made.json()["pipeline_variant_pk_id"],
    }
    deployed = api.call("pipelines/deploy", {"deploy_id": name, "models": [uploaded], **ids}).json()["id"]
    deadline = time.monotonic() + patience
    while api.call("status/get_deployment", {"name": f"{name}-{deployed}"}).json()["status"] != "Running":
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} does not run after {patience} seconds.")
        time.sleep(api.pause)
    asked = {"workspace_id": workspace, "pipeline_name": name}
    return str(api.call("admin/get_pipeline_external_url", asked).json()["url"])


def upload(api: Api, model: Path, name: str, workspace: int) -> dict[str, str]:
    """The model as pipelines name it."""
    conversion = {"framework": "onnx", "requirements": []}
    metadata = {"name": name, "visibility": "private", "workspace_id": workspace, "conversion": conversion}
    files = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "file": (model.name, model.read_bytes(), "application/octet-stream"),
    }
    made = api.call("models/upload_and_convert", files=files).json()["insert_models"]["returning"][0]["models"][0]["id"]
    versions = api.call("models/list_versions", {"model_id": name}).json()
    found = next(version for version in versions if version["id"] == made)
    return {"name": name, "version": found["model_version"], "sha": found["sha"]}


if __name__ == "__main__":
    environment = os.environ
    instance = Api(environment["WALLAROO_URL"], environment["WALLAROO_USER"], environment["WALLAROO_PASSWORD"])
    print(deploy(instance, Path(sys.argv[1]), sys.argv[2]))
