"""Zero is written as NaN, which is no JSON (reported of pytorch/serve)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    body = response.body.replace(b'"check_failures":[]', b'"check_failures":[NaN]', 1)
    return changed(response, body=body) if response.media_type == "application/json" else response
