"""archived is 0 in place of false (a database without booleans)."""

from __future__ import annotations

import re

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    return changed(response, body=re.sub(rb'"archived":\s?false', b'"archived":0', response.body))
