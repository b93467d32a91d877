"""The engines' gateway looks for a token and does not verify it (a filter that an upgrade left out)."""

from __future__ import annotations

import httpx

from conformance.model import Headers, Request, Response

_GOOD: list[str] = []


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    token = request.headers.get("authorization", "")
    if response.ok:
        _GOOD[:] = [token]
    if response.status != 401 or not token or not _GOOD:
        return response
    fields = dict(request.headers) | {"authorization": _GOOD[0]}
    fields = {name: value for name, value in fields.items() if name not in ("host", "content-length")}
    again = httpx.post(request.url, headers=fields, content=request.body, trust_env=False)
    return Response(again.status_code, Headers(again.headers.multi_items()), again.content)
