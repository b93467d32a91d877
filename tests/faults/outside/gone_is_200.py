"""What was undeployed is found, and says that it is terminating, for ever (a finalizer that hangs)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    gone = {"status": "Starting", "details": ["Terminating"], "engines": [], "engine_lbs": [], "sidekicks": []}
    return changed(response, status=200, json=gone) if response.status == 404 else response
