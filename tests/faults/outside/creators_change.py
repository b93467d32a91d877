"""created_by is another with each list (a default that is evaluated for each row)."""

from __future__ import annotations

import uuid

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    if not response.ok or not response.is_json:
        return response
    rows = [row | {"created_by": str(uuid.uuid4())} for row in response.json["workspaces"]]
    return changed(response, json={"workspaces": rows})
