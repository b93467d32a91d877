"""The code in a refusal's body is not its status."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.is_json else None
    if response.status != 400 or not isinstance(body, dict):
        return response
    return changed(response, json=body | {"code": 500})
