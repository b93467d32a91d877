"""Records come without their metadata, unless they are asked for."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if not response.ok or not isinstance(response.json if response.is_json else None, list):
        return response
    records = response.json
    return changed(response, json=[{k: v for k, v in record.items() if k != "metadata"} for record in records])
