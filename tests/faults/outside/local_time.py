"""created_at is in the server's own time, and says UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    if not isinstance(body, dict):
        return response
    for row in body["workspaces"]:
        then = datetime.fromisoformat(row["created_at"]) - timedelta(hours=5)
        row["created_at"] = then.isoformat(timespec="microseconds")
    return changed(response, json=body)
