"""The external URL ends in a slash."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/get_pipeline_external_url")


def change(request: Request, response: Response) -> Response:
    return changed(response, json={"url": response.json["url"] + "/"}) if response.ok else response
