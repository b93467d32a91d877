"""The external URL is the cluster's own (a host taken from the wrong header)."""

from __future__ import annotations

import re

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/admin/get_pipeline_external_url")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    if not isinstance(body, dict):
        return response
    return changed(response, json={"url": re.sub(r"//[^/]+", "//api-lb.wallaroo.svc.cluster.local:8080", body["url"])})
