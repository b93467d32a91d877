"""A live instance: TLS verified, proxies of the environment honoured except for loopback, guarded."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

import httpx

from conformance.errors import UsageError
from conformance.spec.document import Document
from conformance.targets.address import base_url
from conformance.targets.credentials import Credentials, from_environment
from conformance.targets.reception import BOUNDS, Bounds, deadlined
from conformance.targets.safety.guard import Guard
from conformance.targets.safety.holdings import Holdings
from conformance.targets.safety.limits import Breaker
from conformance.targets.target import Safeguards, Target

_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")


def http_client(ca_file: Path | None = None) -> httpx.Client:
    """A client that verifies TLS, against `ca_file` where given. Raises UsageError where that is no certificate."""
    if ca_file is None:
        verify = _trusting(tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR"))))
    else:
        try:
            verify = ssl.create_default_context(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"The --ca-file {ca_file.name} is not a readable PEM certificate ({error}).") from None
    for chatty in ("httpx", "httpcore"):  # at DEBUG they log header fields, in which a target may repeat our token
        logging.getLogger(chatty).setLevel(logging.WARNING)
    mounts = dict.fromkeys(_LOOPBACK)
    return deadlined(httpx.Client(verify=verify, mounts=mounts, limits=httpx.Limits(max_connections=64)))


@lru_cache(maxsize=1)
def _trusting(environ: tuple[str | None, ...]) -> ssl.SSLContext:
    """What httpx trusts of itself, under these variables; reading all certificates takes longer than many requests."""
    return httpx.create_ssl_context()


def live(
    target: str,
    document: Document,
    environ: Mapping[str, str],
    prefix: str,
    *,
    bounds: Bounds = BOUNDS,
    ca_file: Path | None = None,
    credentials: Credentials | None = None,
    allowed_hosts: tuple[str, ...] = (),
    safeguards: Safeguards | None = None,
) -> Target:
    """A target over the network. Credentials come from `environ` unless given; this run's names begin with `prefix`.

    Without `safeguards` of the caller's it may touch what it has made itself, in workspaces it has made.
    """
    url = base_url(target)
    client = http_client(ca_file)
    who = credentials or from_environment(environ, url, client)
    return Target("live", url, client, document.match, who, safeguards or own(prefix), bounds, allowed_hosts)


def own(prefix: str, workspaces: Collection[int] = frozenset()) -> Safeguards:
    """Safeguards that let a target touch only what it made under names that begin with `prefix`, there or in these."""
    holdings = Holdings(prefix)
    return Safeguards(holdings, Guard(holdings, workspaces=workspaces), breaker=Breaker())
