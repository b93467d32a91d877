"""Answers to a token may be kept by shared caches (a default of a content network)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"cache-control": "public, max-age=60"})
