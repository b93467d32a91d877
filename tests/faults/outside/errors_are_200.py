"""Errors are answered by 200, the code stands in the body."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith(("/create", "/deploy", "/copy"))


def change(request: Request, response: Response) -> Response:
    return changed(response, status=200) if response.status == 400 else response
