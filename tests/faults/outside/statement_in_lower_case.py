"""A refusal shows the statement that failed."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/create")


def change(request: Request, response: Response) -> Response:
    told = {"msg": "Bad request: insert into pipeline (pipeline_id, workspace_id) values ($1, $2) failed", "code": 400}
    return changed(response, json=told) if response.status == 400 else response
