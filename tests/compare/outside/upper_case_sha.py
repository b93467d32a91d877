"""The sha of versions is in upper case."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/models/list_versions")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, list):
        return response
    return changed(response, json=[one | {"sha": str(one["sha"]).upper()} for one in body])
