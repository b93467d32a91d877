"""The token endpoint says a longer life than the token has."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/token")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    return changed(response, json=body | {"expires_in": 3600}) if isinstance(body, dict) else response
