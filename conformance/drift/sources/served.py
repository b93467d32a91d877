"""Descriptions on the web: a document's own URL, or the one an instance serves, wherever it keeps it.

Below an instance it is looked for at the usual places, and at those a Swagger UI page names. Only the instance's own
host is asked then: a page may name any URL, and what is sent may hold a token. A URL that a person names is asked
without credentials, for it may be anybody's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

from conformance.drift.openapi.document import LARGEST, Loaded, loaded
from conformance.errors import NoVerdictError, UsageError
from conformance.model import Headers, Response
from conformance.targets.address import base_url
from conformance.targets.transport import Trust, http_client

PLACES = (
    "/v1/api/openapi.json",
    "/openapi.json",
    "/v1/api/docs/openapi.json",
    "/v1/api/api-docs/openapi.json",
    "/v1/api/swagger.json",
    "/api-docs/openapi.json",
    "/swagger.json",
    "/v1/api/openapi.yaml",
    "/openapi.yaml",
    "/v1/api/api-docs",
    "/v3/api-docs",
)
"""Where descriptions usually stand. No source says where this API's does; the tutorial names the page alone."""

PAGES = ("/v1/api/docs", "/v1/api/docs/", "/docs", "/v1/api/swagger-ui/", "/swagger-ui/", "/swagger-ui/index.html")
"""Where Swagger UI usually stands, the tutorial's own page first."""

Fetch = Callable[[str], Response]
"""GETs an absolute URL; raises SuiteError where no answer comes."""

_MOST = 30
_LARGEST = 32 * 2**20
_SCRIPT = re.compile(r"<script[^>]*\ssrc\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_INITIALIZER = re.compile(r"(init|start|index|config|main)[^/]*\.js(\?|$)", re.IGNORECASE)
_LIBRARY = re.compile(r"bundle|preset|standalone|\.min\.", re.IGNORECASE)
_KEY = r"[\"']?\b{name}\b[\"']?\s*[:=]\s*"
_NAMED = re.compile(_KEY.format(name=r"(?:url|configUrl|specUrl|definitionURL)") + r"[\"'`]([^\"'`]+)[\"'`]")
_ATTRIBUTE = re.compile(r"\b(?:spec-url|data-url|apiDescriptionUrl|data-configuration-url)\s*=\s*[\"']([^\"']+)[\"']")
_INLINE = re.compile(_KEY.format(name=r"(?:spec|swaggerDoc|content)") + r"(?=\{)")


@dataclass(frozen=True)
class Served:
    """What was found: the description and its URL, both empty where there is none, and every place that was tried with
    what came of it. `loaded` is the description with its slips and lines."""

    document: dict[str, Any] | None
    url: str
    tried: tuple[tuple[str, str], ...]
    loaded: Loaded | None = None


def served_document(base: str, fetch: Fetch, place: str = "") -> Served:
    """The description served at `place` (a path or URL: the description or a page that shows it), else at a usual one.

    `base` is the instance's URL without `/v1/api`. What is served but is no description counts as not found, with the
    reason; whether that matters is the caller's to say. A valid description is preferred to one with slips.
    """
    search = _Search(base.rstrip("/"), fetch)
    starts = (place,) if place else (*PLACES, *PAGES)
    found = None
    for start in starts:
        found = search.at(f"{search.base}{start}" if start.startswith("/") else start)
        if found is not None:
            break
    found = found or search.second
    tried = tuple(search.tried.items())
    return Served(found.root, found.name, tried, found) if found else Served(None, "", tried)


class _Search:
    """One search: no URL is asked twice, none of another host, and none after the thirtieth.

    `second` is the first description with slips that was met.
    """

    def __init__(self, base: str, fetch: Fetch) -> None:
        self.base = base
        self.tried: dict[str, str] = {}
        self.second: Loaded | None = None
        self._fetch = fetch

    def at(self, url: str, depth: int = 3) -> Loaded | None:
        """The description at the URL, or at one that the page or script there names."""
        url = urldefrag(url).url
        if url in self.tried or len(self.tried) >= _MOST:
            return None
        if urlsplit(url).netloc != urlsplit(self.base).netloc or urlsplit(url).scheme not in ("http", "https"):
            self.tried[url] = f"it is of another host than {self.base}, which alone is asked"
            return None
        if not urlsplit(url).path.startswith(urlsplit(self.base).path):
            self.tried[url] = f"it does not stand beneath {self.base}, which alone is asked"
            return None
        response = self._fetch(url)
        self.tried[url] = outcome = _outcome(response)
        if outcome:
            return None
        text = response.body.decode("utf-8", "replace")
        if response.media_type == "text/html" or text.lstrip()[:1] == "<" or "javascript" in response.media_type:
            return self._named(url, text, depth) if depth else None
        return self._description(url, text) or (self._configured(url, text, depth) if depth else None)

    def _description(self, url: str, text: str) -> Loaded | None:
        try:
            found = loaded(text, url, url)
        except UsageError as error:
            self.tried[url] = f"no description that can be used: {error}"
            return None
        if not found.slips:
            self.tried[url] = "an OpenAPI description"
            return found
        self.tried[url] = f"no description that can be used as it stands: {found.slips[0]}"
        self.second = self.second or found
        return None

    def _named(self, url: str, text: str, depth: int) -> Loaded | None:
        """A page or script: the description inside it, those it names, those the scripts it loads name."""
        self.tried[url] = "a page"
        for match in _INLINE.finditer(text):
            inline = _object_at(text, match.end())
            if inline is not None and (document := self._description(url, inline)) is not None:
                return document
        self.tried[url] = "a page"
        named = [*_NAMED.findall(text), *_ATTRIBUTE.findall(text)]
        scripts = [one for one in _SCRIPT.findall(text) if not _LIBRARY.search(one)]
        scripts.sort(key=lambda one: _INITIALIZER.search(one) is None)
        for reference in dict.fromkeys([*named, *scripts]):
            document = self.at(urljoin(url, reference.replace("\\/", "/")), depth - 1)
            if document is not None:
                return document
        return None

    def _configured(self, url: str, text: str, depth: int) -> Loaded | None:
        """A Swagger UI configuration (`configUrl`): JSON with `url`, or `urls`, of which the first found counts."""
        try:
            configuration = json.loads(text)
        except ValueError:
            return None
        for reference in _references(configuration):
            document = self.at(urljoin(url, reference), depth - 1)
            if document is not None:
                return document
        return None


def _outcome(response: Response) -> str:
    """Why the answer holds no text to look at; empty where it may."""
    if response.status != 200:
        return f"status {response.status}"
    if len(response.body) > _LARGEST:
        return f"larger than {_LARGEST >> 20} MiB, not read"
    return "" if response.body else "empty"


def _references(configuration: Any) -> Iterator[str]:
    if isinstance(configuration, dict):
        entries = configuration.get("urls")
        for one in (configuration, *(entries if isinstance(entries, list) else ())):
            if isinstance(one, dict) and isinstance(one.get("url"), str):
                yield one["url"]


def _object_at(text: str, start: int) -> str | None:
    """The JSON object that begins there, as text; None where it is no JSON (a script may write it otherwise)."""
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return text[start:end]


_REDIRECTS = 5


def is_url(place: str) -> bool:
    """Whether the place is a URL of the web rather than a file."""
    return urlsplit(place).scheme.lower() in ("http", "https")


class Web:
    """GETs without credentials; TLS is verified, with the files of `trust` where they are given."""

    def __init__(self, trust: Trust | None = None, seconds: float = 30.0) -> None:
        self._client = http_client(trust or Trust())
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
                        raise UsageError(f"{_shown(url)} is larger than {LARGEST >> 20} MiB and was not read.")
                return Response(answer.status_code, Headers(answer.headers.multi_items()), bytes(body))
        except httpx.InvalidURL:
            raise UsageError(f"{url!r} is not a URL.") from None
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
