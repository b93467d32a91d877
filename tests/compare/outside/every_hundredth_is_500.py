"""One in a hundred answers to writes is 500."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed

_ASKED = [0]


def match(request: Request) -> bool:
    return request.path.endswith(("/create", "/copy", "/deploy", "/undeploy"))


def change(request: Request, response: Response) -> Response:
    _ASKED[0] += 1
    return (
        changed(response, status=500, json={"msg": "Internal Server Error", "code": 500})
        if _ASKED[0] % 100 == 0
        else response
    )
