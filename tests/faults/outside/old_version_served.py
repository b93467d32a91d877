"""Once a newer version is deployed, the first answers to the same rows go on (reported of tensorflow/serving)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed

_FIRST: dict[tuple[str, bytes], bytes] = {}


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    key = (request.path.rpartition("/")[2], request.body)
    if response.ok and request.headers.get("accept", "*/*") == "*/*":
        kept = _FIRST.setdefault(key, response.body)
        return changed(response, body=kept)
    return response
