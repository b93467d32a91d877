"""Serves one emulated instance on a socket: uvicorn with uvloop and httptools."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from conformance.emulator.settings import Limits
from conformance.emulator.wire import ABORT
from conformance.errors import UsageError

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers do not arrive in time, or never end (RFC 6585 5)."""

    limits = Limits()
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {ABORT: self.transport.abort}
        self.scope["extensions"] = extensions
        self._await_head()

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > self.limits.header_bytes and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_arrived()
        self._head_bytes = 0
        self._deadline = self.loop.call_later(self.limits.header_seconds, self.timeout_keep_alive_handler)

    def _head_arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def limited(limits: Limits) -> type[asyncio.Protocol]:
    """The protocol under these limits; uvicorn makes one of it for each connection."""
    attributes: dict[str, Any] = {"limits": limits}
    return type("Limited", (LimitedProtocol,), attributes)


_CONNECTIONS = 500
_IDLE_SECONDS = 75
"""Longer than clients keep a connection they do not use, so that none is closed under a request."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 picks a free one. Raises `UsageError` where the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another with --port."
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """`http://HOST:PORT` of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


# The parser's warnings of forms that are none would stand on standard error: the refusal says it to who sent them.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class Server(uvicorn.Server):
    """Says when it accepts connections."""

    def __init__(self, app: Starlette, ready: Callable[[], None], limits: Limits) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=limited(limits),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=2,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
