"""Ids of deployments from ten on are written 1e1 (a float formatted shortest)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/deploy")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    number = body.get("id") if isinstance(body, dict) else None
    if not isinstance(number, int):
        return response
    return changed(response, body=f'{{"id":{number:e}}}'.encode())
