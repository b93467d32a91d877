"""Outputs are three parts in a million too large (another kernel)."""

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
        for name, values in record["out"].items() if isinstance(record.get("out"), dict) else ():
            record["out"][name] = [value * (1 + 3e-6) if isinstance(value, float) else value for value in values]
    return changed(response, json=body)
