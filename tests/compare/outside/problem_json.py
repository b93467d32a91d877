"""Refusals are problem+json."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    return (
        changed(response, headers={"content-type": "application/problem+json"}) if response.status == 400 else response
    )
