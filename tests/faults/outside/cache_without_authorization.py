"""A gateway's cache answers strangers (caching answers to who has a token)."""

from __future__ import annotations

from conformance.model import Request, Response

_KEPT: dict[bytes, Response] = {}


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    if response.ok:
        _KEPT[request.body] = response
    return _KEPT.get(request.body, response)
