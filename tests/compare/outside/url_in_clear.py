"""The external URL has another scheme."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/get_pipeline_external_url")


def change(request: Request, response: Response) -> Response:
    return changed(response, body=response.body.replace(b"http://", b"https://", 1)) if response.ok else response
