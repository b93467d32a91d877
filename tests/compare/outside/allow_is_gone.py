"""A 405 does not say which methods are allowed."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"allow": None}) if response.status == 405 else response
