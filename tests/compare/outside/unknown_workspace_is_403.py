"""What names an unknown workspace is forbidden."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.status in (400, 404) and response.is_json else None
    if isinstance(body, dict) and "orkspace" in str(body.get("msg")):
        return changed(response, status=403, json=body | {"code": 403})
    return response
