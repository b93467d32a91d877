"""An Accept that does not name JSON is 406."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/") and "infer" not in request.path


def change(request: Request, response: Response) -> Response:
    accepted = request.headers.get("accept", "*/*")
    narrow = "json" not in accepted and "*" not in accepted
    return changed(response, status=406, json={"msg": "Not acceptable", "code": 406}) if narrow else response
