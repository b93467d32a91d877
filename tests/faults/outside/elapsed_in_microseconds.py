"""elapsed is in microseconds (a change of clock library)."""

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
        if "metadata" in record:
            record["metadata"]["elapsed"] = [part // 1000 for part in record["metadata"]["elapsed"]]
    return changed(response, json=records)
