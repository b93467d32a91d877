"""The echoed input has twelve digits after the point at most four of which are right."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, list):
        return response
    for record in body:
        for name, values in record["in"].items() if isinstance(record.get("in"), dict) else ():
            if isinstance(values, list):
                record["in"][name] = [round(value, 4) if isinstance(value, float) else value for value in values]
    return changed(response, json=body)
