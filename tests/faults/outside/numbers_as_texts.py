"""Outputs are texts, as a serializer without float32 writes them (reported of SeldonIO/MLServer)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if not response.ok or not isinstance(response.json if response.is_json else None, list):
        return response
    records = response.json
    for record in records:
        record["out"] = {name: [str(value) for value in row] for name, row in record["out"].items()}
    return changed(response, json=records)
