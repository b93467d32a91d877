"""Emulated instances: as a process of its own, which ends when its parent does, or in a thread for anybody's tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from conformance.errors import NoVerdictError, UsageError, require
from conformance.spec.document import Document
from conformance.targets.credentials import FetchedToken, grant_from
from conformance.targets.reception import BOUNDS, Bounds
from conformance.targets.target import Safeguards, Target
from conformance.targets.transport import loopback_client

_GREETING = "Listening on "
_START_SECONDS = 60.0


@contextmanager
def emulator_process(
    options: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[str]:
    """Run `conformance emulate` on a free port of 127.0.0.1 and give its base URL; ended when the block is left.

    While it starts, this process does what it has to do `meanwhile`.
    The child holds the read end of a pipe from us: however this process dies, the pipe closes and the child ends.
    Raises UsageError where what it is made of is not installed, NoVerdictError where it does not start.
    """
    require("An emulated instance", "emulated")
    # -P keeps a `conformance` folder in the caller's working directory from being imported instead of ours.
    command = [sys.executable, "-P", "-m", "conformance", "emulate", "--port", "0", "--exit-with-parent", *options]
    process = subprocess.Popen(  # noqa: S603  our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    complaints: list[str] = []
    drain = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
    drain.start()
    timer = threading.Timer(_START_SECONDS, process.kill)
    timer.start()
    try:
        meanwhile()
        line = process.stdout.readline()
        timer.cancel()
        if not line.startswith(_GREETING):
            process.wait()
            drain.join(1)
            said = complaints[-1].strip() if complaints else "nothing"
            raise NoVerdictError(f"The emulated instance did not start. Its last output: {said}")
        yield line.removeprefix(_GREETING).strip()
    finally:
        timer.cancel()
        process.stdin.close()
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        drain.join(1)
        process.stdout.close()
        process.stderr.close()


def emulated_at(
    url: str,
    document: Document,
    environ: Mapping[str, str] | None = None,
    bounds: Bounds = BOUNDS,
    safeguards: Safeguards | None = None,
) -> Target:
    """The target of an emulated instance that listens at `url`; anything may be done to it unless safeguards say."""
    environ = os.environ if environ is None else environ
    known = {
        "CONFORMANCE_USERNAME": environ.get("CONFORMANCE_USERNAME") or "conformance",
        "CONFORMANCE_PASSWORD": environ.get("CONFORMANCE_PASSWORD") or "conformance",
    }
    client = loopback_client()
    token_url = f"{url}/auth/realms/master/protocol/openid-connect/token"
    credentials = FetchedToken(token_url, grant_from(known), client)
    return Target("emulated", url, client, document.match, credentials, safeguards, bounds)


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
