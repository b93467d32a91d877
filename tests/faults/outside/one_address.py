"""Engine and balancer are told with one address (the node, in place of the pod)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/status/get_deployment")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok and response.is_json else None
    if not isinstance(body, dict):
        return response
    for pod in body["engines"] + body["engine_lbs"]:
        pod["ip"] = pod["ip"] and "10.0.0.7"
    return changed(response, json=body)
