"""A refusal of a copy tells of the database."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/copy")


def change(request: Request, response: Response) -> Response:
    if response.ok or not response.is_json:
        return response
    return changed(
        response, json={"msg": "Bad request: insert violates pipeline_workspace_fkey", "code": response.status}
    )
