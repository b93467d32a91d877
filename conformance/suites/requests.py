"""A plain request of each operation, that changes nothing where it should not be let in: for who may ask, and how."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from conformance.api import multipart
from conformance.api.client import JSON, PANDAS_RECORDS, infer_path
from conformance.api.operations import IDS, INFER, UPLOAD, Known, row_of
from conformance.model import Headers, Request

NOT_GIVEN = 2_147_000_001
"""An id that no instance has given yet."""

API = "/v1/api/"
OPERATIONS = IDS
WITH_FIELDS = tuple(operation for operation in IDS if operation != INFER)
"""Operations whose requests have fields: as JSON, or in a form."""


def plain_body(operation: str, named: Callable[[str], str], workspace_id: int) -> dict[str, Any]:
    """A body of the right shape, that names what is not there wherever it could do harm."""
    name = named("stranger")
    unknown = Known(
        name,
        workspace_id,
        pipeline=NOT_GIVEN,
        variant=NOT_GIVEN,
        deployment=NOT_GIVEN,
        deployment_name=f"{name}-{NOT_GIVEN}",
    )
    return row_of(operation).valid(unknown)


def plain_request(operation: str, named: Callable[[str], str], workspace_id: int) -> Request:
    """A whole request of an operation, without credentials."""
    if operation == INFER:
        path = infer_path(f"{named('stranger')}-{NOT_GIVEN}", named("stranger"))
        return Request("POST", path, Headers({"Content-Type": PANDAS_RECORDS}), b"[]")
    body = plain_body(operation, named, workspace_id)
    return upload(body, b"none") if operation == UPLOAD else json_request(operation, body)


def json_request(operation: str, body: Any, kind: str = JSON) -> Request:
    """A request of a JSON operation; `body` is any JSON, or bytes to send as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", row_of(operation).path, Headers({"Content-Type": kind}), content)


def upload(metadata: Any, content: bytes | None, file_name: str = "model.onnx") -> Request:
    """An upload; a part that is None is left out."""
    parts = [] if metadata is None else [multipart.Part("metadata", json.dumps(metadata).encode(), JSON)]
    if content is not None:
        parts.append(multipart.Part("file", content, "application/octet-stream", file_name))
    kind, body = multipart.encode(parts)
    return Request("POST", row_of(UPLOAD).path, Headers({"Content-Type": kind}), body)
