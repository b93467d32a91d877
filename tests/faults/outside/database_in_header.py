"""A header shows the database with its password."""

from __future__ import annotations

from conformance.model import Request, Response
from conformance.targets.proxy import changed


def match(request: Request) -> bool:
    return request.path.endswith("/models/list_versions")


def change(request: Request, response: Response) -> Response:
    return changed(response, headers={"x-backend": "postgresql://hasura:s3cret@db.internal:5432/wallaroo"})
