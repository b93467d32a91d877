"""Serves one emulated instance on a socket: uvicorn with uvloop and httptools."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from conformance.emulator.protocol import limited
from conformance.emulator.settings import Limits
from conformance.errors import UsageError

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
