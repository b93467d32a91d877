"""Lists are compressed, accepted or not."""

from __future__ import annotations

import gzip

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/workspaces/list")


def change(request: Request, response: Response) -> Response:
    return changed(response, body=gzip.compress(response.body), headers={"content-encoding": "gzip"})
