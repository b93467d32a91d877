"""A failed inference shows Python's traceback (reported of ray-project/ray; jina-ai/serve)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if response.status != 500:
        return response
    told = 'Traceback (most recent call last):\n  File "/home/serve/worker/__init__.py", line 165, in process_data'
    return changed(response, json=[{"error": told, "error_type": "RayTaskError"}])
