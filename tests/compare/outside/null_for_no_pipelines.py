"""A workspace without pipelines has null in place of an empty list."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, dict):
        return response
    for one in body["workspaces"]:
        one["pipelines"] = one["pipelines"] or None
    return changed(response, json=body)
