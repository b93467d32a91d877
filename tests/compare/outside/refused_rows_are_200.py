"""An input that the model refuses is an empty list of records."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    return changed(response, status=200, json=[]) if response.status in (400, 500) else response
