"""A list is answered from a cache for a few requests."""

from __future__ import annotations

from conformance.model import Request, Response

_KEPT: dict[bytes, tuple[int, Response]] = {}


def match(request: Request) -> bool:
    return request.path.endswith("/models/list_versions")


def change(request: Request, response: Response) -> Response:
    if not response.ok:
        return response
    count, kept = _KEPT.get(request.body, (0, response))
    _KEPT[request.body] = (count + 1, kept) if count < 5 else (0, response)
    return kept if count else response
