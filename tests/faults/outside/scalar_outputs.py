"""An output of one number is a bare number (reported of triton-inference-server/pytorch_backend)."""

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
        record["out"] = {name: row[0] if len(row) == 1 else row for name, row in record["out"].items()}
    return changed(response, json=records)
