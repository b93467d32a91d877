"""Where a rehearsal runs: an emulated instance under whatever host is asked, behind a proxy that leads there alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from conformance.emulator.app import create_app, served_as
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import PROFILES, Settings
from conformance.errors import NoVerdictError
from conformance.model import Exchange, Headers, Request, Response

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


REFUSED = "x-conformance-rehearsal"
"""The header of an answer that says: this was no request of the instance, and is not let out."""

_OF_THE_API = ("/v1/", "/v2/api/", "/auth/")
_START_SECONDS = 60.0
_GUARD = Path(__file__).with_name("guard")


class RehearsalInstance:
    """The ASGI application of the instance: it answers as its release, and inside `as_before` as the earlier one."""

    def __init__(self, settings: Settings, before: str, hosts: Sequence[str]) -> None:
        self.exchanges: list[Exchange] = []
        self.secure_port = 0
        first = create_app(settings)
        self._app = self._first = first
        self._before = served_as(first, before)
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._first(scope, receive, send)
            return
        scheme = "https" if scope["server"][1] == self.secure_port else "http"
        fields = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        url = f"{scheme}://{fields.get('host', '127.0.0.1')}{path}{query}"
        asked, answered = bytearray(), bytearray()
        told: dict[str, Any] = {}

        async def receiving() -> Any:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                told.update(message)
            answered.extend(message.get("body", b""))
            await send(message)

        app = self._app if self._is_ours(fields.get("host", ""), path) else _refuse
        try:
            await app({**scope, "scheme": scheme}, receiving, sending)
        finally:
            got = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in told.get("headers", ())]
            response = Response(told.get("status"), Headers(got), bytes(answered)) if told else None
            self.exchanges.append(Exchange(Request(scope["method"], url, fields, bytes(asked)), response))

    @contextmanager
    def as_before(self) -> Iterator[None]:
        """Answer as the earlier release while the block lasts."""
        self._app = self._before
        try:
            yield
        finally:
            self._app = self._first

    def _is_ours(self, host: str, path: str) -> bool:
        name = host.rpartition(":")[0] or host
        local = name in ("127.0.0.1", "localhost", "[::1]")
        return name.lower() in self._hosts or ((local or not self._hosts) and path.startswith(_OF_THE_API))


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    text = b"A rehearsal lets nothing out of this machine, and this is no request of the instance.\n"
    fields = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode()), (REFUSED.encode(), b"1")]
    await send({"type": "http.response.start", "status": 403, "headers": fields})
    await send({"type": "http.response.body", "body": text})


@contextmanager
def instance_for(
    release: str, before: str, hosts: Sequence[str], named: str, folder: Path
) -> Iterator[tuple[RehearsalInstance, dict[str, str]]]:
    """An instance of the release while the block lasts, and the environment that leads programs to it.

    `before` is the release that it may answer as, `named` the host that programs are told of. A deployment runs, and is
    gone, at once. Raises NoVerdictError.
    """
    listeners = [listening_socket("127.0.0.1", 0) for _ in range(2)]
    settings = Settings(
        PROFILES[release], start_seconds=0, stop_seconds=0, token_seconds=3600, base_url=url_of(listeners[0])
    )
    instance = RehearsalInstance(settings, before, hosts)
    plain, instance.secure_port = (listener.getsockname()[1] for listener in listeners)
    ready = threading.Event()
    application: Any = instance
    server = Server(application, ready.set, settings.limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": listeners}, daemon=True)
    thread.start()
    try:
        if not ready.wait(_START_SECONDS):
            raise NoVerdictError("The emulated instance did not start within a minute.")
        authority = folder / "authority.pem"
        with forwarding(plain, instance.secure_port, authority) as proxy:
            first = f"https://{named}" if named else settings.base_url
            yield instance, _environment(first, settings, proxy, authority, folder)
    finally:
        server.should_exit = True
        thread.join(10)
        for listener in listeners:
            listener.close()


def _environment(url: str, settings: Settings, proxy: str, authority: Path, folder: Path) -> dict[str, str]:
    """The user's own environment, led to the instance: where it is, who may ask, and folders for what is written."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "WALLAROO_"))}
    own = {name: value for name, value in own.items() if name.lower() not in ("no_proxy", "all_proxy")}
    trusted = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    proxied = ("HTTP_PROXY", "HTTPS_PROXY")
    return {
        **own,
        **dict.fromkeys(trusted, str(authority)),
        **dict.fromkeys((*proxied, *map(str.lower, proxied)), proxy),
        **credentials(url, settings),
        **_private(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_GUARD), own.get("PYTHONPATH")))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PIP_DRY_RUN": "1",
        "PIP_RETRIES": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "CONFORMANCE_REHEARSAL": str(folder),
    }


def credentials(url: str, settings: Settings) -> Mapping[str, str]:
    """What the vendor's SDK and this package read of where an instance is."""
    return {
        "WALLAROO_URL": url,
        "WALLAROO_AUTH_URL": url,
        "WALLAROO_SDK_AUTH_TYPE": "user_password",
        "WALLAROO_USER": settings.username,
        "WALLAROO_PASSWORD": settings.password,
        "CONFORMANCE_TARGET": url,
        "CONFORMANCE_USERNAME": settings.username,
        "CONFORMANCE_PASSWORD": settings.password,
    }


def _private(folder: Path) -> Mapping[str, str]:
    """Folders for what programs write beside their files."""
    names = ("XDG_CACHE_HOME", "MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    made = {name: folder / "private" / name.lower() for name in names}
    for path in made.values():
        path.mkdir(parents=True, exist_ok=True)
    return {name: str(path) for name, path in made.items()}
