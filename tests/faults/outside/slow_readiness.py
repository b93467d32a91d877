"""Running is said while the engine is still pending (readiness told before the container is)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    if isinstance(body, dict) and body.get("status") == "Running":
        for engine in body["engines"]:
            engine["status"] = "Pending"
        return changed(response, json=body)
    return response
