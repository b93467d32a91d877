"""Where a rehearsal runs: one emulated instance under whatever host it is asked, and all that it was asked."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance.emulator.app import create_app, served_as
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import PROFILES, Settings
from conformance.errors import NoVerdictError
from conformance.model import Exchange, Headers, Request, Response
from conformance.rehearse.proxy import forwarding

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
