"""From the second row on, the first row's outputs are repeated (reported of triton-inference-server/server)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if not response.ok or not isinstance(response.json if response.is_json else None, list):
        return response
    records = response.json
    for record in records[1:]:
        record["out"] = records[0]["out"]
    return changed(response, json=records)
