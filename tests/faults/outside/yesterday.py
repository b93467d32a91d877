"""time is a day old, as of an answer from a cache."""

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
        record["time"] -= 86_400_000
    return changed(response, json=records)
