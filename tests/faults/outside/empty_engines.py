"""A running deployment lists no engines (a label selector that no longer matches)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    return changed(response, json=body | {"engines": []}) if isinstance(body, dict) else response
