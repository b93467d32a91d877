"""A query that means nothing is refused."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/") and "?" in request.url and "infer" not in request.path


def change(request: Request, response: Response) -> Response:
    return changed(response, status=400, json={"msg": "Bad request: unknown query", "code": 400})
