"""At most three versions are listed (a page nobody asked for)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/models/list_versions")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    return changed(response, json=body[:3]) if isinstance(body, list) else response
