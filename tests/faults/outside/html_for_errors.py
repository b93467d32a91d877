"""Errors are a page of HTML (reported of kubernetes/ingress-nginx)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    if response.status not in (400, 401):
        return response
    page = b"<html><head><title>Error</title></head><body><center><h1>Error</h1></center><hr>nginx</body></html>"
    return changed(response, body=page, headers={"content-type": "text/html"})
