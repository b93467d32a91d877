"""A live instance: TLS verified, proxies of the environment honoured except for loopback, guarded."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from conformance.spec.document import Document
from conformance.targets.address import base_url
from conformance.targets.credentials import Credentials, from_environment
from conformance.targets.reception import BOUNDS, Bounds
from conformance.targets.safety.guard import CircuitBreaker, Guard
from conformance.targets.safety.holdings import Holdings
from conformance.targets.target import Safeguards, Target
from conformance.targets.transport import Trust, http_client


def live(
    target: str,
    document: Document,
    environ: Mapping[str, str],
    prefix: str,
    *,
    bounds: Bounds = BOUNDS,
    trust: Trust = Trust(),  # noqa: B008  frozen
    credentials: Credentials | None = None,
    allowed_hosts: tuple[str, ...] = (),
    safeguards: Safeguards | None = None,
    rate: float | None = None,
) -> Target:
    """A target over the network. Credentials come from `environ` unless given; this run's names begin with `prefix`.

    Without `safeguards` of the caller's it may touch what it has made itself, in workspaces it has made.
    """
    url = base_url(target)
    client = http_client(trust)
    who = credentials or from_environment(environ, url, client)
    return Target("live", url, client, document.match, who, safeguards or own(prefix), bounds, allowed_hosts, rate)


def own(prefix: str, workspaces: Collection[int] = frozenset()) -> Safeguards:
    """Safeguards that let a target touch only what it made under names that begin with `prefix`, there or in these."""
    holdings = Holdings(prefix)
    return Safeguards(holdings, Guard(holdings, workspaces=workspaces), breaker=CircuitBreaker())
