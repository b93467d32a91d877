"""Who asks while another is answered gets 503."""

from __future__ import annotations

import time
from threading import Lock

from conformance.model import Request, Response
from conformance.targets.proxy import changed

_LAST = [0.0]
_BUSY = Lock()


def match(request: Request) -> bool:
    return request.path.endswith(("/pipelines/create", "/pipelines/deploy"))


def change(request: Request, response: Response) -> Response:
    with _BUSY:
        last, _LAST[0] = _LAST[0], time.monotonic()
    return changed(response, status=503, body=b"") if time.monotonic() - last < 0.004 else response
