"""Whether a request whose answer was lost took effect: looked up by the name of what it would have made."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from hashlib import sha256

from conformance.api import multipart
from conformance.api.operations import fields_of
from conformance.model import Exchange, Request
from conformance.targets.safety.holdings import Holdings

Ask = Callable[[str, bytes], Exchange]
"""Posts a body to a read (`workspaces/list`), and is not judged."""


def was_done(operation: str, request: Request, ask: Ask, holdings: Holdings | None) -> bool | None:
    """Whether the request was carried out; None where that cannot be told.

    What was there before is told apart by the holdings: where they hold what bears that name, nothing is known.
    """
    fields = fields_of(operation, request)
    if operation == "workspaces.create":
        return _among(ask("workspaces/list", b"{}"), fields.get("workspace_name"), _of(holdings, "workspaces"))
    if operation == "models.upload-and-convert":
        body = json.dumps({"model_id": fields.get("name")}).encode()
        return _listed(ask("models/list_versions", body), request, _of(holdings, "models"))
    return None  # no read tells of a pipeline that is not deployed


def _of(holdings: Holdings | None, kind: str) -> dict[int, str]:
    return dict(getattr(holdings, kind)) if holdings else {}


def _among(listed: Exchange, name: object, known: dict[int, str]) -> bool | None:
    rows = listed.answer.get("workspaces") if listed.ok and isinstance(listed.answer, dict) else None
    if not isinstance(rows, list) or name in known.values():
        return None
    return any(isinstance(row, dict) and row.get("name") == name for row in rows)


def _listed(listed: Exchange, request: Request, known: Collection[int]) -> bool | None:
    part = multipart.decode(request.headers.get("content-type", ""), request.body).get("file")
    if part is None or not listed.ok or not isinstance(listed.answer, list):
        return None
    digest = sha256(part.content).hexdigest()
    return any(
        isinstance(row, dict) and row.get("sha") == digest and row.get("id") not in known for row in listed.answer
    )
