"""The API's own documentation: its OpenAPI document, and Swagger UI on it from files that travel with us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from conformance.data import FIXTURES
from conformance.emulator.wire import Answer, Call, Refusal

_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}


class Documents:
    """Serves one OpenAPI document, None where the caller gave none."""

    def __init__(self, document: Mapping[str, Any] | None) -> None:
        self._document = orjson.dumps(document) if document is not None else None

    async def openapi(self, call: Call) -> Answer:
        """The document as JSON."""
        if self._document is None:
            raise Refusal(404, "This instance was started without a document to serve.")
        return Answer(200, self._document)

    async def page(self, call: Call) -> Answer:
        """Swagger UI's page."""
        return _file("index.html", "text/html; charset=utf-8")

    async def file(self, call: Call) -> Answer:
        """One of the files that the page asks for."""
        name = call.parameters.get("file", "")
        if name not in _FILES:
            raise Refusal(404, "Not found")
        return _file(name, _FILES[name])


def _file(name: str, media_type: str) -> Answer:
    return Answer(200, (FIXTURES / "swagger-ui" / name).read_bytes(), media_type)
