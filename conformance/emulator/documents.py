"""The API's own documentation: its OpenAPI document, and Swagger UI on it from files that travel with us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import orjson

from conformance.data import FIXTURES
from conformance.emulator.wire import Answer, Call, RefusalError

_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}

_HEADERS = {
    # Nothing outside this server is ever fetched; Swagger UI writes styles into the page and draws its icons from data.
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    "x-content-type-options": "nosniff",
}


class Documents:
    """Serves the OpenAPI document that `compose` gives, which is asked for once, when a client first does."""

    def __init__(self, compose: Callable[[], Mapping[str, Any]] | None) -> None:
        self._compose = compose

    @cached_property
    def _document(self) -> bytes | None:
        return orjson.dumps(self._compose()) if self._compose is not None else None

    async def openapi(self, call: Call) -> Answer:
        """The document as JSON."""
        if self._document is None:
            raise RefusalError(404, "This instance was started without a document to serve.")
        return Answer(200, self._document)

    async def page(self, call: Call) -> Answer:
        """Swagger UI's page."""
        return _file("index.html", "text/html; charset=utf-8")

    async def file(self, call: Call) -> Answer:
        """One of the files that the page asks for."""
        name = call.parameters.get("file", "")
        if name not in _FILES:
            raise RefusalError(404, "Not found")
        return _file(name, _FILES[name])


def _file(name: str, media_type: str) -> Answer:
    return Answer(200, (FIXTURES / "swagger-ui" / name).read_bytes(), media_type, _HEADERS)
