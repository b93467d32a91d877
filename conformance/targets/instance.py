"""An emulated instance in a thread, for anybody's tests: where it is, who may ask, and its outages."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from conformance.emulator.app import create_app
from conformance.emulator.faults import find, middleware_of
from conformance.emulator.outages import Kind, Outage, Outages
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import PROFILES, Settings
from conformance.emulator.variations import combined
from conformance.errors import UsageError
from conformance.spec.document import Document

_START_SECONDS = 60.0


@dataclass(frozen=True)
class WallarooInstance:
    """A running emulated instance: where it is, who may ask, and the outages that it is told to have.

    `environment` is what the vendor's SDK and this package read of it; `cache` a folder of its own for tokens.
    """

    url: str
    release: str
    username: str
    password: str
    cache: Path
    _outages: Outages

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.url}/auth/realms/master/protocol/openid-connect/token"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that lead the SDK, this package and other tools here."""
        return {
            "WALLAROO_URL": self.url,
            "WALLAROO_AUTH_URL": self.url,
            "WALLAROO_SDK_AUTH_TYPE": "user_password",
            "WALLAROO_USER": self.username,
            "WALLAROO_PASSWORD": self.password,
            "CONFORMANCE_TARGET": self.url,
            "CONFORMANCE_USERNAME": self.username,
            "CONFORMANCE_PASSWORD": self.password,
            "XDG_CACHE_HOME": str(self.cache),
        }

    def token(self) -> str:
        """A bearer token of the instance's user."""
        form = {"client_id": "sdk-client", "grant_type": "password"}
        body = urlencode(form | {"username": self.username, "password": self.password}).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.token_url, body, timeout=30) as answer:
            return str(json.load(answer)["access_token"])

    def outage(
        self, kind: Kind, operation: str | None = None, times: int | None = None, seconds: float = 1.0
    ) -> AbstractContextManager[Outage]:
        """An outage while the block lasts: `429`, `503`, `slow`, `reset` or `never running`.

        Of one operation (`pipelines.deploy`; `token` for the token endpoint) or of all; of so many calls, or of all.
        `seconds` is how much later a slow answer comes, and what Retry-After says. Its value counts in `met`.
        """
        return self._outages.outage(kind, operation, times, seconds)


@contextmanager
def running(
    cache: Path,
    release: str = "2023.4",
    faults: Sequence[str] = (),
    start_seconds: float = 0.2,
    stop_seconds: float = 0.1,
    token_seconds: int = 60,
) -> Iterator[WallarooInstance]:
    """An instance while the block lasts. Raises `UsageError` for a release or a fault that there is not."""
    if release not in PROFILES:
        raise UsageError(f"There is no release {release!r} to emulate; there are {', '.join(PROFILES)}.")
    outages = Outages()
    middleware = combined(outages.middleware, middleware_of(tuple(find(fault) for fault in faults)))
    listener = listening_socket("127.0.0.1", 0)
    settings = Settings(
        PROFILES[release], start_seconds, stop_seconds, token_seconds=token_seconds, base_url=url_of(listener)
    )
    app = create_app(settings, document=partial(_document, release), middleware=middleware)
    ready = threading.Event()
    server = Server(app, ready.set, settings.limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not ready.wait(_START_SECONDS):
            raise UsageError("The emulated instance did not start within a minute.")
        yield WallarooInstance(settings.base_url, release, settings.username, settings.password, cache, outages)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def _document(release: str) -> Mapping[str, object]:
    return Document.load(release).raw
