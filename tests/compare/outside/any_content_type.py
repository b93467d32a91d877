"""Bodies of any content type are read as JSON."""

from __future__ import annotations

import httpx

from conformance.model import Request, Response


def match(request: Request) -> bool:
    return request.path.endswith(("/create", "/list", "/list_versions"))


def change(request: Request, response: Response) -> Response:
    if response.status != 415:
        return response
    fields = {name: value for name, value in request.headers.fields if name.lower() not in ("content-type", "host")}
    fields |= {"content-type": "application/json"}
    answer = httpx.request(request.method, request.url, headers=fields, content=request.body, trust_env=False)
    return Response(answer.status_code, response.headers, answer.content)
