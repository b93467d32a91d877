"""A batch comes back by the size of its outputs (reported of kserve/kserve; vllm-project/vllm)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return "/pipelines/infer/" in request.path


def change(request: Request, response: Response) -> Response:
    if not response.ok or not isinstance(response.json if response.is_json else None, list):
        return response
    records = response.json
    if len(records) > 1:
        records.sort(key=lambda record: str(record["out"]))
    return changed(response, json=records)
