"""A forward proxy that leads everywhere to one place: what is asked of any host reaches the emulated instance alone.

It answers CONNECT (RFC 9110 9.3.6) by a TLS server of its own for the host asked for, whose certificate comes from an
authority that is made for one rehearsal. It opens no connection but to `plain` and `secure`, both on this machine.
mitmproxy pins some forty distributions to versions that this package's own ranges leave no room for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import trustme

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_HEAD_BYTES = 64 * 1024
_SECONDS = 30.0
_REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@contextlib.contextmanager
def forwarding(plain: int, secure: int, authority: Path) -> Iterator[str]:
    """The URL of the proxy while the block lasts; the authority's certificate is written to `authority`.

    `plain` and `secure` are ports of 127.0.0.1: for what is asked by http, and what was asked by https.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = _Proxy(plain, secure)
    proxy.authority.cert_pem.write_to_path(str(authority))
    try:
        port = asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_SECONDS)
        loop.close()


class _Proxy:
    def __init__(self, plain: int, secure: int) -> None:
        self.authority = trustme.CA()
        self._plain, self._secure = plain, secure
        self._servers: list[asyncio.Server] = []
        self._terminators: dict[str, asyncio.Task[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        return await self._listen(self._proxied)

    async def stop(self) -> None:
        """End every connection."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, serve: _Serve, context: ssl.SSLContext | None = None) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await serve(reader, writer)
            except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
                pass
            finally:
                self._tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context, limit=_HEAD_BYTES)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _proxied(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.partition(b" ")
        if method != b"CONNECT":
            await self._joined(reader, writer, self._plain, head)
            return
        host = rest.partition(b" ")[0].decode("latin-1").rpartition(":")[0].strip("[]").lower()
        try:
            port = await self._terminator(host)
        except ValueError:  # a name that no certificate can hold
            writer.write(_REFUSED)
            await writer.drain()
            return
        writer.write(_ESTABLISHED)
        await writer.drain()
        await self._joined(reader, writer, port)

    async def _terminator(self, host: str) -> int:
        """The port of the TLS server that answers as this host."""
        if host not in self._terminators:
            self._terminators[host] = asyncio.ensure_future(self._terminating(host))
        return await self._terminators[host]

    async def _terminating(self, host: str) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(host).configure_cert(context)

        async def decrypted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._joined(reader, writer, self._secure)

        return await self._listen(decrypted, context)

    async def _joined(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, first: bytes = b""
    ) -> None:
        """Pass everything on, both ways, until either side ends."""
        inward, outward = await asyncio.open_connection("127.0.0.1", port)
        try:
            outward.write(first)
            ways = [asyncio.ensure_future(_copied(*way)) for way in ((reader, outward), (inward, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            outward.close()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_HEAD_BYTES):
        writer.write(data)
        await writer.drain()
