"""One in fifty inferences has the output of another."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed

_ASKED = [0]


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, list) or not body or "out" not in body[0]:
        return response
    _ASKED[0] += 1
    if _ASKED[0] % 50 == 0:
        for name in body[0]["out"]:
            body[0]["out"][name] = [0.5]
    return changed(response, json=body)
