"""A token that has expired is 403, other false ones stay 401."""

from __future__ import annotations

import base64
import json
import time

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.startswith("/v1/api/")


def change(request: Request, response: Response) -> Response:
    if response.status != 401:
        return response
    part = request.headers.get("authorization", "").partition(" ")[2].split(".")
    if len(part) != 3:
        return response
    try:
        claims = json.loads(base64.urlsafe_b64decode(part[1] + "=" * (-len(part[1]) % 4)))
    except ValueError:
        return response
    old = isinstance(claims, dict) and isinstance(claims.get("exp"), int) and claims["exp"] < time.time()
    return changed(response, status=403) if old else response
