"""HEAD is answered by 200."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/") and request.method == "HEAD"


def change(request: Request, response: Response) -> Response:
    return changed(response, status=200)
