"""A workspace that is made sets a cookie."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/create")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"set-cookie": "workspace=1; Path=/"}) if response.ok else response
