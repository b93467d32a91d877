"""`bearer` in lower case is refused."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    if response.ok and request.headers.get("authorization", "").startswith(("bearer", "BEARER")):
        return changed(response, status=401, json={"msg": "Unauthorized", "code": 401})
    return response
