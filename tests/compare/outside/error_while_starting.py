"""A deployment that starts says Error until it runs."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    return changed(response, body=response.body.replace(b'"Starting"', b'"Error"', 1))
