"""A deployment that runs is told to start at every fifth question."""

from __future__ import annotations

from collections import Counter

from conformance.model import Request, Response
from conformance.targets.proxy import changed

_ASKED: Counter[bytes] = Counter()


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    if not response.ok or b'"status":"Running"' not in response.body:
        return response
    _ASKED[request.body] += 1
    if _ASKED[request.body] % 5:
        return response
    return changed(response, body=response.body.replace(b'"status":"Running"', b'"status":"Starting"', 1))
