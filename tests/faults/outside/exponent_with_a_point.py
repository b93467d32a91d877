"""Small numbers are written as 6e-07.0 (reported of tensorflow/serving)."""

from __future__ import annotations

import re

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    body = re.sub(rb"(\de-\d+)\b", rb"\1.0", response.body)
    json_answer = response.media_type == "application/json" and response.ok
    return changed(response, body=body) if json_answer else response
