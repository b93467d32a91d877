"""Descriptions at URLs: a document's own, or an instance's base URL, below which the served one is looked for.

Nothing secret is sent: a URL that a person names for comparison may be anybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from conformance.drift.openapi.document import LARGEST, Loaded, loaded
from conformance.drift.sources.served import served_document
from conformance.errors import NoVerdictError, UsageError
from conformance.model import Headers, Response
from conformance.targets.address import base_url
from conformance.targets.transport import Trust, http_client

_REDIRECTS = 5


def is_url(place: str) -> bool:
    """Whether the place is a URL of the web rather than a file."""
    return urlsplit(place).scheme.lower() in ("http", "https")


class Web:
    """GETs without credentials; TLS is verified, against `ca_file` where one is given."""

    def __init__(self, ca_file: str = "", seconds: float = 30.0) -> None:
        self._client = http_client(Trust(Path(ca_file) if ca_file else None))
        self._seconds = seconds

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def text(self, url: str) -> str:
        """What stands at the URL. Raises UsageError where nothing does, NoVerdictError where no answer comes."""
        response = self.get(url)
        if response.status != 200:
            raise UsageError(f"There is no description at {_shown(url)}: status {response.status}.")
        return response.body.decode("utf-8-sig", "replace")

    def get(self, url: str, stays: bool = False) -> Response:
        """The answer, redirections followed; with `stays` only those within the host."""
        if urlsplit(url).username or urlsplit(url).password:
            raise UsageError(f"The URL {_shown(url)} holds a user or password; save the description to a file instead.")
        for _ in range(_REDIRECTS):
            response = self._once(url)
            location = response.headers.get("location", "")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return response
            there = urljoin(url, location)
            if not is_url(there) or (stays and urlsplit(there).netloc != urlsplit(url).netloc):
                return response
            url = there
        return response

    def _once(self, url: str) -> Response:
        try:
            with self._client.stream("GET", url, timeout=self._seconds, headers={"Accept": "*/*"}) as answer:
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > LARGEST:
                        raise UsageError(
                            f"What stands at {_shown(url)} is larger than {LARGEST >> 20} MiB; it is not read."
                        )
                return Response(answer.status_code, Headers(answer.headers.multi_items()), bytes(body))
        except httpx.InvalidURL:
            raise UsageError(f"{url!r} is no URL.") from None
        except httpx.HTTPError as error:
            raise NoVerdictError(f"No answer came from {_shown(url)} ({type(error).__name__}).") from None


def described_at(url: str, web: Web, remote: Callable[[str], str] | None = None) -> Loaded:
    """The description at the URL or, where that is an instance's, the one that the instance serves.

    Raises UsageError or NoVerdictError where there is none.
    """
    response = web.get(url)
    text = response.body.decode("utf-8-sig", "replace")
    page = response.media_type == "text/html" or text.lstrip()[:1] == "<"
    if response.status == 200 and text.strip() and not page:
        try:
            return loaded(text, url, url, remote)
        except UsageError as error:
            said = f" ({error})"
    else:
        said = f" (status {response.status})" if response.status != 200 else ""
    base = base_url(url)
    served = served_document(base, lambda place: web.get(place, stays=True), "" if base == url.rstrip("/") else url)
    if served.loaded is None and base != url.rstrip("/"):
        served = served_document(base, lambda place: web.get(place, stays=True))
    if served.loaded is None:
        raise NoVerdictError(
            f"There is no description at {_shown(url)}{said}, nor at any of {len(served.tried)} places of that "
            "instance where one usually stands. Name its URL, or a file."
        )
    return served.loaded


def _shown(url: str) -> str:
    """The URL without a user, a password or a query, which may hold a token."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
