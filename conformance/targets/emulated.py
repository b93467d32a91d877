"""An emulated instance as a process of its own, which ends when its parent does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from conformance.errors import NoVerdictError, require
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
