"""Content-Type stands twice, joined (reported of envoyproxy/envoy)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/create")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"content-type": "application/json,application/json"})
