"""Statuses of deployments may be cached for a minute (a default of a content network)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"cache-control": "public, max-age=60"})
