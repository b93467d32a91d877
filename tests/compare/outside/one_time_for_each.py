"""Each record after the first says a time one hour later (a loop that adds up)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, list):
        return response
    for index, record in enumerate(body):
        if isinstance(record.get("time"), int):
            record["time"] += 3_600_000 * index
    return changed(response, json=body)
