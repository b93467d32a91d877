"""The external URL has two slashes (a base path that ends in one)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/admin/get_pipeline_external_url")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    if not isinstance(body, dict):
        return response
    return changed(response, json=body | {"url": body["url"].replace("/v1/", "//v1/")})
