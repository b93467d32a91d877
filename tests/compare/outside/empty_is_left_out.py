"""Empty lists are left out of a status (omitempty)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, dict):
        return response
    return changed(response, json={name: value for name, value in body.items() if value != []})
