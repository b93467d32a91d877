"""Addresses: a target's base URL and what stands beneath it, and whether two URLs are of one origin (RFC 6454)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from conformance.errors import UsageError

_PORTS = {"http": 80, "https": 443}
_API = re.compile(r"/v1/api(?=/|$)")
_HOST = re.compile(r"[^\s\x00-\x20\x7f/\\?#@<>^`{|}%\"\[\]]+")
_ELSEWHERE = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Origin:
    """Scheme, host in lower case without a trailing dot, and port, the scheme's own where none is written."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """A URL's origin (RFC 6454 4); None where it has none."""
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme.lower(), (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return None
        return cls(scheme, host, port or _PORTS[scheme]) if scheme in _PORTS and _HOST.fullmatch(host) else None

    @property
    def authority(self) -> str:
        """Host, and port where it is not the scheme's own."""
        return str(self).partition("://")[2]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS.get(self.scheme) else f":{self.port}")


def base_url(target: str, called: str = "target") -> str:
    """The base URL of a `--target`: without `/v1/api` and what stands behind it, and without a port that is implied.

    `called` is what the caller calls it. Raises UsageError where it is no http(s) URL, or one that no base can be read
    from.
    """
    target = target.strip()
    origin = Origin.of(target)
    try:
        parts = urlsplit(target)
        httpx.URL(target)
    except (ValueError, httpx.InvalidURL):
        origin = None
    if origin is None:
        otherwise = ", or 'emulated'" if called == "target" else ""
        scheme, separator, _ = target.partition("://")
        why = f"uses {scheme}, not HTTP" if separator and scheme.isalnum() else "is not a URL"
        raise UsageError(f"The {called} '{target}' {why}. Give http(s)://HOST[:PORT]{otherwise}.")
    if parts.username or parts.password:
        raise UsageError(
            f"The {called}'s URL holds a user or password. Set CONFORMANCE_USERNAME and _PASSWORD instead."
        )
    api = _API.search(parts.path)
    if api is None and (parts.query or parts.fragment):
        raise UsageError(
            f"The {called} '{target}' holds a query or a fragment. Give the instance's base URL, http(s)://HOST[:PORT]."
        )
    return f"{origin}{parts.path[: api.start()] if api else parts.path}".rstrip("/")


def host_of(text: str) -> str:
    """The host of HOST or of a URL, in lower case. Raises UsageError where it is neither."""
    origin = Origin.of(text if _ELSEWHERE.match(text) else f"https://{text}")
    if origin is None:
        raise UsageError(f"--host '{text}' is no host. Give HOST, for instance api.wallaroo.example.com.")
    return origin.host


def beneath(base: str, url: str) -> str:
    """A URL as it is sent: whole ones as they are, a path beneath the base, which keeps the base's own path."""
    return url if _ELSEWHERE.match(url) else f"{base}/{url.removeprefix('/')}"


def path_within(base: str, url: str) -> str:
    """A URL's path as the API's description has it: without the base's own path, or another's before `/v1/api`."""
    path, own = urlsplit(url).path, urlsplit(base).path
    if Origin.of(url) == Origin.of(base):
        return path[len(own) :] if path.startswith(f"{own}/") else path
    api = _API.search(path)
    return path[api.start() :] if api else path


def is_beneath(base: str, url: str) -> bool:
    """Whether a URL is of the base's origin and under its path."""
    try:
        return Origin.of(url) == Origin.of(base) and f"{urlsplit(url).path}/".startswith(f"{urlsplit(base).path}/")
    except ValueError:
        return False


@dataclass(frozen=True)
class Allowed:
    """A host of the user's own that our token may go to. `scheme` and `port` are None where any safe one will do."""

    scheme: str | None
    host: str
    port: int | None

    @classmethod
    def read(cls, text: str) -> Allowed:
        """What `--allow-host` was given: HOST, HOST:PORT or http(s)://HOST[:PORT]. Raises UsageError."""
        text = text.strip().rstrip("/")
        origin = Origin.of(text)
        if origin is not None and "/" not in text.partition("://")[2]:
            return cls(origin.scheme, origin.host, origin.port)
        bare = f"[{text}]" if text.count(":") > 1 and "[" not in text else text
        try:
            parts = urlsplit(f"//{bare}")
            host, port = (parts.hostname or "").rstrip("."), parts.port
            httpx.URL(f"http://{bare}")
        except (ValueError, httpx.InvalidURL):
            host, port = "", None
        if not _HOST.fullmatch(host) or parts.netloc != bare or "@" in bare or bare.endswith(":"):
            raise UsageError(f"--allow-host '{text}' is not a host. Give HOST, HOST:PORT or http://HOST[:PORT].")
        return cls(None, host, port)

    def allows(self, there: Origin, ours: Origin) -> bool:
        """Whether this lets a token go there; in the clear only where it says so, or the target is reached so."""
        schemes = ("https", ours.scheme) if self.scheme is None else (self.scheme,)
        return self.host == there.host and there.scheme in schemes and self.port in (None, there.port)


def token_may_go(url: str, base: str, allowed: Iterable[str] = ()) -> bool:
    """Whether our token may go to a URL: to the target's own origin, with or without its `api` label, or as allowed."""
    there, ours = Origin.of(url), Origin.of(base)
    if there is None or ours is None:
        return False
    same = (there.scheme, there.port) == (ours.scheme, ours.port) and without_api(there.host) == without_api(ours.host)
    return same or any(Allowed.read(one).allows(there, ours) for one in allowed)


def without_api(host: str) -> str:
    """A host's name without its `api` label, the first or the second (`api.HOST`, `PREFIX.api.HOST`)."""
    labels = host.split(".")
    return ".".join(label for index, label in enumerate(labels) if label != "api" or index > 1)
