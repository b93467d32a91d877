"""Versions of models are declared to be Latin 1."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/models/list_versions")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"content-type": "application/json; charset=iso-8859-1"})
