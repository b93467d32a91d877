"""A target: sends a request and returns an exchange, whatever stands behind its transport."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

import httpx

from conformance.errors import CredentialsRefusedError, RequestsSpentError
from conformance.model import Exchange, Headers, Mark, Operation, Request, Response
from conformance.targets.address import Origin, beneath, is_beneath, path_within, token_may_go
from conformance.targets.credentials import Credentials
from conformance.targets.reception import BOUNDS, Bounds, receive
from conformance.targets.safety.guard import Guard, RefusedError, plain_path
from conformance.targets.safety.holdings import Holdings
from conformance.targets.safety.limits import UNLIMITED, Breaker, Limits

USER_AGENT = "wallaroo-conformance"

_MOST_WAITING = 60.0
"""Seconds that one request waits in all because the target says 429."""

_ECHO = 10
"""Inference answers hold what was sent, at up to ten times its size (Arrow in, JSON out)."""

_REFUSED = (401, 403)
_READS = ("workspaces/list", "models/list_versions")

PROBES = (*_READS, "status/get_deployment", "admin/get_pipeline_external_url")
"""Reads, by path, that any instance of this API answers in some way: an outage is where none of them is."""

Match = Callable[[str, str], tuple[Operation, dict[str, str]] | None]


@dataclass(frozen=True)
class Safeguards:
    """What a target's requests are held to. `holdings` learns what was made; the others stop what goes too far."""

    holdings: Holdings
    guard: Guard
    limits: Limits = UNLIMITED
    breaker: Breaker | None = None


class Target:
    """One place requests go. Live, emulated and recorded targets differ in the client's transport and safeguards."""

    def __init__(
        self,
        kind: str,
        url: str,
        client: httpx.Client,
        match: Match,
        credentials: Credentials | None = None,
        safeguards: Safeguards | None = None,
        bounds: Bounds = BOUNDS,
        allowed_hosts: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.url, self.safeguards, self.bounds = kind, url.rstrip("/"), safeguards, bounds
        self.requests = 0
        self.ceiling: int | None = None
        self._client, self._match, self._credentials = client, match, credentials
        self._allowed_hosts = allowed_hosts

    def __repr__(self) -> str:
        return f"Target({self.kind}, {self.url})"

    @property
    def credentials(self) -> Credentials | None:
        """Who we are to this target; None where it asks nobody."""
        return self._credentials

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        """Send one request, a relative URL against the target's base, and return what came.

        A refused token is renewed once; a 429 is sent again after the seconds its Retry-After names (RFC 9110 10.2.3,
        RFC 6585 4). No answer is an exchange with a `failure`, not an exception. Raises RefusedError where a safeguard
        forbids the request, LimitReachedError or RequestsSpentError at a ceiling, CredentialsRefusedError where no
        token can be had or none is taken any more, and TargetUnreachableError where everything fails.
        """
        request = replace(request, url=beneath(self.url, request.url))
        exchange = self._patiently(request, authenticated)
        ours = authenticated and self._credentials is not None and "authorization" not in request.headers
        if exchange.status == 401 and ours:
            exchange = self._once_more(exchange, request)
        if self.safeguards and self.safeguards.breaker:
            self.safeguards.breaker.after(exchange, self._reads)
        return exchange

    def _once_more(self, exchange: Exchange, request: Request) -> Exchange:
        """After a 401: the same with another token; raises CredentialsRefusedError where reads are refused too."""
        assert self._credentials is not None
        if self._credentials.renew():
            exchange = self._once(request, True)
            if exchange.status not in (401, None):
                return replace(exchange, labels=exchange.labels | {Mark.TURNED_AWAY})
        if exchange.status == 401:
            statuses = [self._once(_read(self.url, path), True).status for path in _READS]
            if all(status in _REFUSED for status in statuses):
                raise CredentialsRefusedError(
                    f"{self.url} refuses our token on every operation tried ({statuses[0]}), a new one too where one "
                    "can be had. Check the credentials, and whether the token has expired."
                )
        return exchange

    def _patiently(self, request: Request, authenticated: bool) -> Exchange:
        exchange = self._once(request, authenticated)
        left = _MOST_WAITING
        while exchange.status == 429 and exchange.response is not None:
            pause = _retry_after(exchange.response)
            if pause is None or pause > left:
                break
            time.sleep(pause)
            left -= max(pause, 1.0)
            exchange = self._once(request, authenticated)
        return exchange

    def _reads(self) -> bool:
        """Whether any of the harmless reads is answered without a server error."""
        return any((self._once(_read(self.url, path), True).status or 500) < 500 for path in PROBES)

    def refusal(self, url: str) -> str:
        """Why nothing is asked at a URL, with the option that allows it; empty where it may be asked."""
        there, ours = Origin.of(url), Origin.of(self.url)
        if there is None:
            return "it is no http(s) URL."
        if there == ours and not is_beneath(self.url, url):
            return f"{there} is asked beneath {self.url} alone; what stands elsewhere there is another's."
        if token_may_go(url, self.url, self._allowed_hosts):
            return ""
        clear = " in the clear" if there.scheme == "http" and ours and ours.scheme == "https" else ""
        option = str(there) if clear else there.authority
        return f"our token would go to {there}{clear}. Where that is yours, allow it with --allow-host {option}."

    def close(self) -> None:
        """Give back its connections."""
        self._client.close()

    def _once(self, request: Request, authenticated: bool) -> Exchange:
        if self.ceiling is not None and self.requests >= self.ceiling:
            raise RequestsSpentError(f"All {self.ceiling} requests this run may send are sent. Raise --max-requests.")
        matched = self._match(request.method, path_within(self.url, request.url))
        operation, parameters = (matched[0].id, matched[1]) if matched else (None, {})
        self._permit(matched[0] if matched else None, request)
        request = self._dressed(request, authenticated)
        holdings = self.safeguards.holdings if self.safeguards else None
        call = holdings.intend(operation, request) if holdings else ""
        started = time.time()
        response, failure = receive(self._client, request, self._bounds(operation, request))
        self.requests += 1
        exchange = Exchange(
            request=request,
            response=response,
            operation=operation,
            parameters=parameters,
            started=started,
            ended=time.time(),
            failure=failure,
        )
        if holdings:
            holdings.learn(call, exchange)
        return exchange

    def _permit(self, operation: Operation | None, request: Request) -> None:
        """Raises where a safeguard forbids the request, also under a path that only means the operation's."""
        if self.safeguards is None:
            return
        if operation is None:
            meant = self._match("POST", plain_path(path_within(self.url, request.url)))
            operation = meant[0] if meant else None
        self.safeguards.guard.refuse(operation, request)
        self.safeguards.limits.check(operation, request, self.safeguards.holdings)

    def _bounds(self, operation: str | None, request: Request) -> Bounds:
        if operation != "pipelines.infer":
            return self.bounds
        return replace(self.bounds, bytes=self.bounds.bytes + _ECHO * len(request.body))

    def _dressed(self, request: Request, authenticated: bool) -> Request:
        if refusal := self.refusal(request.url):
            raise RefusedError(f"A request was refused before it was sent: {refusal}")
        fields = list(request.headers.fields)
        given = {name.lower() for name, _ in fields}
        if "authorization" not in given and authenticated and self._credentials is not None:
            fields.append(("Authorization", self._credentials.authorization()))
        defaults = (("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Accept-Encoding", "identity"))
        fields += [(name, value) for name, value in defaults if name.lower() not in given]
        return replace(request, headers=Headers(fields))


def _read(url: str, path: str) -> Request:
    return Request("POST", f"{url}/v1/api/{path}", Headers({"Content-Type": "application/json"}), b"{}")


def _retry_after(response: Response) -> float | None:
    """Seconds, from a number or a date; None where neither stands there."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError):
        return None
