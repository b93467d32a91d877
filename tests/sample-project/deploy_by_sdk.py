"""The same tool by the vendor's SDK, which takes URL and user from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import wallaroo
from wallaroo.framework import Framework


def deploy(model: Path, name: str) -> Any:
    """A pipeline that runs, in a workspace of its own."""
    client = wallaroo.Client(api_endpoint=os.environ["WALLAROO_URL"], auth_type="user_password")
    client.set_current_workspace(client.create_workspace(name))
    uploaded = client.upload_model(name, str(model), framework=Framework.ONNX).configure(tensor_fields=["tensor"])
    pipeline = client.build_pipeline(name).add_model_step(uploaded)
    pipeline.deploy()
    return pipeline
