"""JSON is declared to be plain text (a lost header)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/deploy")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"content-type": "text/plain; charset=utf-8"})
