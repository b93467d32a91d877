"""Receiving one answer in bounded time and memory, whatever the other side does."""

from __future__ import annotations

import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from conformance.model import Headers, Request, Response

_DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)
_SHORT = re.compile(r"received \d+ bytes, expected \d+")
"""What h11 says of a body that ends before its Content-Length does."""

_REFUSALS = (
    (r"certificate has expired", "its certificate has expired; its operator must renew it"),
    (r"certificate is not yet valid", "its certificate is not valid yet; check this machine's clock"),
    (
        r"mismatch, certificate is not valid",
        "its certificate is for another host; use the host name that the certificate names",
    ),
    (
        r"certificate verify failed: (?P<why>[^(]+)",
        "its certificate is not trusted: {why}; if it is from an authority of yours, give --ca-file FILE",
    ),
    (
        r"alert (certificate required|handshake failure|bad certificate|unknown ca|certificate unknown|access denied)",
        "it requires a client certificate that it knows ({0}); give --client-cert FILE and --client-key FILE",
    ),
    (
        r"wrong version number|record layer failure|http request",
        "it does not use TLS; if that is intended, give http://",
    ),
    (r"name or service not known|nodename nor servname|no address associated", "no host has that name"),
)
"""What OpenSSL and the resolver say of a connection that was refused, in lower case, and what that means here."""


NO_CONNECTION, BROKE_OFF = "no connection could be made", "the answer broke off or is not HTTP"
"""How failures begin: nothing was sent; something was, and what came of it is not known."""


@dataclass(frozen=True)
class Bounds:
    """How long (seconds, the whole exchange) and how large (bytes, after decoding) an answer may be."""

    seconds: float = 30.0
    bytes: int = 12 * 1024 * 1024


BOUNDS = Bounds()


def deadlined(client: httpx.Client) -> httpx.Client:
    """The client, whose reads and writes now end with the exchange they belong to.

    httpx's own timeouts hold for each read: headers that come a byte a second would never reach them. httpcore takes
    a network backend for this; httpx hands none through, so it is put into the pools it has made.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if isinstance(pool, httpcore.ConnectionPool):
            pool._network_backend = _Backend(pool._network_backend)
    return client


def receive(client: httpx.Client, request: Request, bounds: Bounds) -> tuple[Response | None, str]:
    """The answer to a request that is sent as it stands, or None and why none came. Redirects are answers."""
    began = time.perf_counter()
    headers = [(name.encode("ascii"), value.encode("utf-8")) for name, value in request.headers.fields]
    content = request.body or None
    try:
        with (
            _until(time.monotonic() + bounds.seconds),
            client.stream(
                request.method, request.url, headers=headers, content=content, follow_redirects=False,
                timeout=bounds.seconds,
            ) as answer,
        ):  # fmt: skip
            body, failure = _body(answer, began, bounds)
            if failure:
                return None, failure
            fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw]
            return Response(answer.status_code, Headers(fields), body, time.perf_counter() - began), ""
    except httpx.ProxyError as error:
        proxy, why = proxy_of(client, request.url), (str(error).splitlines() or [type(error).__name__])[0][:80]
        return None, f"{NO_CONNECTION} (the proxy {proxy} refused: {why}{_advice_on_proxy(why)})"
    except httpx.ConnectError as error:
        proxy = proxy_of(client, request.url)
        through = f"through the proxy {proxy}: " if proxy else ""
        return None, f"{NO_CONNECTION} ({through}{_cause(error)})"
    except httpx.TimeoutException:
        return None, f"no answer came within {bounds.seconds:g} s"
    except (httpx.TransportError, httpx.InvalidURL, zlib.error) as error:
        if (refused := _refused(str(error))) and "client certificate" in refused:
            return None, f"{NO_CONNECTION} ({refused})"  # by TLS 1.3 a server says so once the connection is made
        short = _SHORT.search(str(error))
        what = f": {short[0]}" if short else ""
        return None, f"{BROKE_OFF} ({type(error).__name__}{what})"


def _body(answer: httpx.Response, began: float, bounds: Bounds) -> tuple[bytes, str]:
    if answer.is_stream_consumed:  # a transport without a network gives whole answers
        return answer.content, ""
    inflate = _inflater(answer.headers.get("content-encoding", "identity"))
    body = bytearray()
    for raw in answer.iter_raw():
        body += inflate(raw, bounds.bytes - len(body) + 1)
        if len(body) > bounds.bytes:
            return b"", f"the answer is larger than {bounds.bytes / 2**20:.3g} MiB"
        if time.perf_counter() - began > bounds.seconds:
            return b"", f"the answer did not end within {bounds.seconds:g} s"
    return bytes(body), ""


def _inflater(encoding: str) -> Callable[[bytes, int], bytes]:
    if encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
        decompress = zlib.decompressobj(47)
        return lambda raw, room: decompress.decompress(raw, room)
    return lambda raw, room: raw


def _cause(error: Exception) -> str:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return _refused(said) or said[:120]


def _refused(said: str) -> str:
    for pattern, meaning in _REFUSALS:
        if match := re.search(pattern, said, re.IGNORECASE):
            groups = {name: value.strip() for name, value in match.groupdict().items()}
            return meaning.format(*match.groups(), **groups)
    return ""


def _advice_on_proxy(said: str) -> str:
    if said.startswith("407"):
        return "; give the user and password in the proxy's URL, http://USER:PASSWORD@HOST:PORT"
    return "; if the target is reachable without the proxy, name it in NO_PROXY" if said.startswith("403") else ""


def proxy_of(client: httpx.Client, url: str) -> str:
    """The proxy that a request to this URL goes through, without credentials; empty where it goes by itself."""
    try:
        pool = getattr(client._transport_for_url(httpx.URL(url)), "_pool", None)
    except httpx.InvalidURL:
        return ""
    proxy = getattr(pool, "_proxy_url", None)
    if proxy is None:
        return ""
    host = proxy.host.decode("ascii", "replace")
    return f"{proxy.scheme.decode('ascii', 'replace')}://{host}" + (f":{proxy.port}" if proxy.port else "")


@contextmanager
def _until(moment: float) -> Iterator[None]:
    token = _DEADLINE.set(moment)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def _left(timeout: float | None) -> float | None:
    """Seconds that may still pass; raises httpcore.ReadTimeout where none are left."""
    deadline = _DEADLINE.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the exchange took too long")
    return left if timeout is None else min(left, timeout)


class _Backend(httpcore.NetworkBackend):
    """Connects as another backend does, through streams that know the deadline."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._backend.connect_tcp(host, port, _left(timeout), local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """Reads and writes no longer than the exchange may take."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
