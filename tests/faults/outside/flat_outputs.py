"""Outputs of all rows are one flat list, in the first record (reported of triton-inference-server/server)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if not response.ok or not isinstance(response.json if response.is_json else None, list):
        return response
    records = response.json
    for name in records[0]["out"] if len(records) > 1 else ():
        records[0]["out"][name] = [value for record in records for value in record["out"][name]]
    return changed(response, json=records)
