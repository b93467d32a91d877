"""Moments end in Z and have no fraction."""

from __future__ import annotations

import re

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    return changed(response, body=re.sub(rb"(T\d\d:\d\d:\d\d)\.\d+\+00:00", rb"\1Z", response.body))
