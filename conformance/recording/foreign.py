"""What recordings taken from notebooks leave out, read as far as it can be known and no further.

Such files know no response headers, rarely a status, sometimes neither path nor host, and only what a cell displayed of
a body. Nothing is claimed of what they do not hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from conformance.api import multipart
from conformance.model import Request, Response
from conformance.spec.document import Document

API = "/v1/api/"

OPERATIONS = {
    "createPipeline": "pipelines.create",
    "deployPipeline": "pipelines.deploy",
    "undeployPipeline": "pipelines.undeploy",
    "copyPipeline": "pipelines.copy",
    "infer": "pipelines.infer",
    "getDeployment": "status.get-deployment",
    "getPipelineExternalUrl": "admin.get-pipeline-external-url",
    "uploadAndConvertModel": "models.upload-and-convert",
    "listModelVersions": "models.list-versions",
    "createWorkspace": "workspaces.create",
    "listWorkspaces": "workspaces.list",
}
"""How collected tutorials call an operation, and its id here; for recordings whose URL does not say which it is."""

_ROWS = {
    "models.list-versions": {"sha", "model_version", "models_pk_id"},
    "workspaces.list": {"created_at", "created_by", "archived"},
}
"""Fields of one row of an answer that is a list: some notebooks display a single row, which is no answer."""


def url_of(url: object, path: object) -> str:
    """The request's URL; without host, from `/v1/api/` on, where the recording knows no host."""
    text = url if isinstance(url, str) else ""
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.netloc and "{" not in parts.netloc:
        return text
    if isinstance(path, str) and path:
        return path
    return text[text.index(API) :] if API in text else ""


def operation_of(document: Document, request: Request, named: object) -> tuple[str | None, dict[str, str]]:
    """The operation of a request by its path, else by the name the recording gives it; None where neither tells."""
    path = request.path
    matched = document.match(request.method, path)
    if matched is None and API in path:
        matched = document.match(request.method, path[path.index(API) :])
    if matched is not None:
        return matched[0].id, matched[1]
    known = OPERATIONS.get(named, named) if isinstance(named, str) and not path else None
    return (known if known in {operation.id for operation in document.operations} else None), {}


def addressed(document: Document, request: Request, operation: str | None) -> Request:
    """The request with its operation's path where the recording has none and the path has no parameters."""
    if request.url or operation is None:
        return request
    path = document.operation(operation).path
    return request if "{" in path else replace(request, url=path)


def status_of(document: Document, operation: str | None, response: Response, told: str) -> tuple[int | None, bool]:
    """The status and whether it is inferred. An error's body tells its status; a success's is the documented one."""
    if response.status is not None:
        return response.status, "infer" in told.lower() or "assum" in told.lower()
    if not response.body_known or operation is None:
        return None, False
    body = response.json if response.is_json else None
    if isinstance(body, dict) and {"msg", "code"} <= body.keys() and type(body["code"]) is int:
        return body["code"], True
    if operation == "pipelines.infer" and _refusal(body):
        return 500, True
    if not response.is_json:
        return None, False
    return next(int(key) for key in document.definition(operation)["responses"] if key.startswith("2")), True


def _refusal(body: Any) -> bool:
    rows = body if isinstance(body, list) else [body]
    return bool(rows) and all(isinstance(row, dict) and "error" in row and "out" not in row for row in rows)


def whole(body: Any, status: int | None, operation: str | None) -> bool:
    """Whether a displayed body is the answer's: not one row of a list, nor the nothing that stands for an error's."""
    if body is None and status is not None and status >= 400:
        return False
    row = _ROWS.get(operation or "")
    return not (row and isinstance(body, dict) and row <= body.keys())


def form(body: object) -> tuple[str, bytes]:
    """Content type and bytes of a form of which the JSON parts were kept, and of a file its name, as `[name, null]`.

    A file's bytes are unknown: its part is empty.
    """
    values: Mapping[str, Any] = body if isinstance(body, dict) else {}
    parts = [part for name, value in values.items() for part in _parts(str(name), value)]
    return multipart.encode(parts) if parts else ("multipart/form-data", b"")


def _parts(name: str, value: Any) -> Iterator[multipart.Part]:
    filename, content = (value[0], value[1]) if isinstance(value, list) and len(value) > 1 else (None, value)
    if isinstance(content, dict) or (isinstance(content, str) and content.lstrip().startswith("{")):
        text = content if isinstance(content, str) else json.dumps(content)
        yield multipart.Part(name, text.encode(), "application/json")
    elif isinstance(filename, str):
        yield multipart.Part(name, b"", "application/octet-stream", filename)
