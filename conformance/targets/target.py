"""A target: sends a request and returns an exchange, whatever stands behind its transport."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import httpx

from conformance.api.gateway import is_throttled, writer_of
from conformance.errors import CredentialsRefusedError, RequestsSpentError
from conformance.model import Effect, Exchange, Headers, Mark, Operation, Request
from conformance.targets.address import Origin, beneath, is_beneath, path_within, token_may_go
from conformance.targets.credentials import Credentials
from conformance.targets.manners import Pace, pause, retry_after, was_done
from conformance.targets.reception import BOUNDS, BROKE_OFF, NO_CONNECTION, Bounds, proxy_of, receive
from conformance.targets.safety.guard import UNLIMITED, CircuitBreaker, Guard, Limits, RefusedError, plain_path
from conformance.targets.safety.holdings import Holdings

USER_AGENT = "wallaroo-conformance"

_MOST_WAITING, _WEARY_WAITING = 60.0, 2.0
"""Seconds that one request waits in all because the target says it is too much; fewer once that was in vain."""

HASTE, GATEWAY, LOST, UNKNOWN = "haste", "gateway", "lost", "unknown"
"""What may keep the API's own answer from us: we ask too fast, a gateway answers, or it is lost on the way. What may
have been done before it was refused stays unknown."""

_TIMES_LOST, _TIMES_A_GATEWAYS = 2, 1
"""How often a request is sent again whose answer was lost, or was written by a gateway."""

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
    breaker: CircuitBreaker | None = None


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
        rate: float | None = None,
    ) -> None:
        self.kind, self.url, self.safeguards, self.bounds = kind, url.rstrip("/"), safeguards, bounds
        self.requests = 0
        self.ceiling: int | None = None
        self.heard: Callable[[Exchange], object] = lambda exchange: None
        self._client, self._match, self._credentials = client, match, credentials
        self._allowed_hosts = allowed_hosts
        self._pace, self._weary = Pace(rate), False
        run = safeguards.holdings.prefix.removeprefix("conformance-") if safeguards else ""
        self._name, self._numbers = f"{run}{secrets.token_hex(3)}", itertools.count(1)
        self._trouble: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Target({self.kind}, {self.url})"

    @property
    def proxy(self) -> str:
        """The proxy that the target is reached through, without credentials; empty where there is none."""
        return proxy_of(self._client, self.url)

    @property
    def credentials(self) -> Credentials | None:
        """Who we are to this target; None where it asks nobody."""
        return self._credentials

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        """Send one request, a relative URL against the target's base, and return what came.

        A refused token is renewed once. What was refused for haste is sent again, more slowly, after the seconds that
        Retry-After names (RFC 9110 10.2.3, RFC 6585 4) or growing pauses. What was lost on the way, or answered by a
        gateway, is asked again: where it may have taken effect that is looked up first, and what stays unknown is
        labelled so. No answer is an exchange with a `failure`, not an exception. Raises RefusedError where a safeguard
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
        exchange, waited, tries, perhaps = self._once(request, authenticated), 0.0, Counter[str](), False
        while trouble := _trouble_of(exchange):
            perhaps = perhaps or (trouble != HASTE and self._may_be_done(exchange))
            seconds = self._pause(trouble, exchange, tries, waited)
            if seconds is None:
                break
            time.sleep(seconds)
            waited += max(seconds, 1.0)
            tries[trouble] += 1
            exchange = self._once(request, authenticated)
        if exchange.ok or not perhaps:
            return exchange
        self._count(UNKNOWN, exchange.operation or exchange.request.path, exchange)
        return replace(exchange, labels=exchange.labels | {Mark.UNKNOWN})

    def _pause(self, trouble: str, exchange: Exchange, tries: Counter[str], waited: float) -> float | None:
        """Seconds until a request is sent again; None where it is not."""
        if trouble != HASTE:
            most = _TIMES_LOST if trouble == LOST else _TIMES_A_GATEWAYS
            return pause(tries[trouble]) if tries[trouble] < most else None
        assert exchange.response is not None
        said = retry_after(exchange.response)
        seconds = pause(tries[trouble]) if said is None else said
        if waited + seconds > (_WEARY_WAITING if self._weary else _MOST_WAITING):
            self._weary = True
            return None
        return seconds

    def _may_be_done(self, exchange: Exchange) -> bool:
        """Whether a request whose answer was lost may have taken effect, as far as that can be looked up."""
        if exchange.failure.startswith(NO_CONNECTION):
            return False
        matched = self._match(exchange.request.method, path_within(self.url, exchange.request.url))
        if matched is None or matched[0].effect in (Effect.READ, Effect.COMPUTE):
            return False
        holdings = self.safeguards.holdings if self.safeguards else None
        return was_done(matched[0].id, exchange.request, self._asked, holdings) is not False

    def _asked(self, path: str, body: bytes) -> Exchange:
        return self._once(replace(_read(self.url, path), body=body), True)

    def troubles(self) -> list[tuple[str, str, int, str]]:
        """What stood between us and the API since the last call: kind, what it was, how often, and for instance."""
        with self._lock:
            found = [(*key, count, self._examples[key]) for key, count in self._trouble.items()]
            self._trouble.clear()
        return found

    def _note_trouble(self, exchange: Exchange) -> None:
        trouble = _trouble_of(exchange)
        if not trouble:
            self._weary = False
            self._pace.answered()
            return
        writer = writer_of(exchange.response, exchange.operation) if exchange.response else ""
        what = f"{exchange.status} by {writer}" if writer else exchange.failure
        self._count(trouble, what, exchange)

    def _count(self, kind: str, what: str, exchange: Exchange) -> None:
        number = exchange.request.headers.get("x-request-id", "")
        example = f"{exchange.request.method} {exchange.request.path} (request id {number})"
        with self._lock:
            self._trouble[kind, what] += 1
            self._examples.setdefault((kind, what), example)

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
        self._pace.await_turn()
        sent = time.monotonic()
        holdings = self.safeguards.holdings if self.safeguards else None
        call = holdings.intend(operation, request) if holdings else ""
        started = time.time()
        response, failure = receive(self._client, request, self._bounds(operation, request))
        self.requests += 1
        measured = self.kind != "recorded"  # a recorded answer is of another time
        exchange = Exchange(
            request=request,
            response=response,
            operation=operation,
            parameters=parameters,
            started=started if measured else None,
            ended=time.time() if measured else None,
            failure=failure,
        )
        if holdings:
            holdings.learn(call, exchange)
        if _trouble_of(exchange) == HASTE:
            self._pace.slow_down(sent)
        self._note_trouble(exchange)
        self.heard(exchange)
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
        fields = [(name, value) for name, value in request.headers.fields if name.lower() != "x-request-id"]
        given = {name.lower() for name, _ in fields}
        if "authorization" not in given and authenticated and self._credentials is not None:
            fields.append(("Authorization", self._credentials.authorization()))
        defaults = (("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Accept-Encoding", "identity"))
        fields += [(name, value) for name, value in defaults if name.lower() not in given]
        # By this an operator finds it in the ingress's log.
        fields.append(("X-Request-Id", f"{self._name}-{next(self._numbers)}"))
        return replace(request, headers=Headers(fields))


def _read(url: str, path: str) -> Request:
    return Request("POST", f"{url}/v1/api/{path}", Headers({"Content-Type": "application/json"}), b"{}")


def _trouble_of(exchange: Exchange) -> str:
    """What kept the API's own answer from us: our haste, a gateway, or the way; empty where it answered."""
    if exchange.response is None:
        advised = ";" in exchange.failure  # the connection was refused for a reason that asking again does not mend
        return LOST if exchange.failure.startswith((BROKE_OFF, NO_CONNECTION)) and not advised else ""
    if is_throttled(exchange.response):
        return HASTE
    return GATEWAY if writer_of(exchange.response, exchange.operation) else ""
