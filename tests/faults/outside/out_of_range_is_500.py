"""An id beyond 32 bits is a server error (integer out of range in the database)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/") and b"2147483648" in request.body


def change(request: Request, response: Response) -> Response:
    return changed(response, status=500, json={"msg": "Internal Server Error", "code": 500})
