"""Each pipeline stands twice in its workspace (a join that multiplies rows)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    if not response.ok or not response.is_json:
        return response
    rows = [row | {"pipelines": row["pipelines"] * 2} for row in response.json["workspaces"]]
    return changed(response, json={"workspaces": rows})
