"""Ids are texts, so that JavaScript reads them whole (reported of mastodon/mastodon)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/create")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    if not isinstance(body, dict):
        return response
    return changed(response, json=body | {"pipeline_pk_id": str(body["pipeline_pk_id"])})
