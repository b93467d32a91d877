"""Names that are not ASCII are read as Latin 1."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith(("/workspaces/list", "/list_versions"))


def change(request: Request, response: Response) -> Response:
    if not response.ok or response.body.isascii():
        return response
    return changed(response, body=response.body.decode("latin-1").encode())
