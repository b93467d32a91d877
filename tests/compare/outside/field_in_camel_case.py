"""The version that a create gives has a second name, in camel case."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/create")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, dict):
        return response
    return changed(response, json=body | {"pipelineVariantVersion": body["pipeline_variant_version"]})
