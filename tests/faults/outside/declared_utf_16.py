"""JSON in UTF-8 is declared to be UTF-16 (a framework's default)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"content-type": "application/json; charset=utf-16"})
