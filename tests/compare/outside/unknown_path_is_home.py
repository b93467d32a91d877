"""A path that nobody serves is 200 with a page (a single-page application behind the API)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    unknown = (
        response.status == 404
        and request.path.count("/") > 1
        and not request.path.endswith(
            ("/create", "/copy", "/deploy", "/undeploy", "/get_deployment", "/get_pipeline_external_url")
        )
    )
    if not unknown or "/infer" in request.path:
        return response
    return changed(
        response, status=200, body=b"<!doctype html><div id=app></div>", headers={"content-type": "text/html"}
    )
