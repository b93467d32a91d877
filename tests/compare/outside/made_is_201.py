"""A workspace that is made is answered by 201."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/create")


def change(request: Request, response: Response) -> Response:
    return changed(response, status=201) if response.ok else response
