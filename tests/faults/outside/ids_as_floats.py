"""Ids are written as floats (reported of wix-incubator/DeviantArt-API)."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/pipelines/deploy")


def change(request: Request, response: Response) -> Response:
    body = response.json if response.ok else None
    return changed(response, json={"id": float(body["id"])}) if isinstance(body, dict) else response
