"""A 401 asks for Basic credentials."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"www-authenticate": "Basic"}) if response.status == 401 else response
