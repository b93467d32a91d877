"""Another method than POST is 404, as where a router knows paths by method."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    return changed(response, status=404) if response.status == 405 else response
