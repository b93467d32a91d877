"""A target: sends a request and returns an exchange, whatever stands behind its transport."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

import httpx

from conformance.errors import RequestsSpentError
from conformance.model import Exchange, Headers, Operation, Request, Response
from conformance.targets.credentials import Credentials
from conformance.targets.guard import Guard, RefusedError, token_may_go

USER_AGENT = "wallaroo-conformance"
_MOST_WAITING = 60.0
"""Seconds that one request waits in all because the target says 429."""


@dataclass(frozen=True)
class Bounds:
    """How long (seconds, the whole exchange) and how large (bytes, after decoding) an answer may be."""

    seconds: float = 30.0
    bytes: int = 64 * 1024 * 1024


Match = Callable[[str, str], tuple[Operation, dict[str, str]] | None]


class Target:
    """One place requests go. Live, emulated and recorded targets differ in the client's transport and their guard."""

    def __init__(
        self,
        kind: str,
        url: str,
        client: httpx.Client,
        match: Match,
        credentials: Credentials | None = None,
        guard: Guard | None = None,
        bounds: Bounds = Bounds(),
        allowed_hosts: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.url, self.guard, self.bounds = kind, url.rstrip("/"), guard, bounds
        self.requests = 0
        self.ceiling: int | None = None
        self._client, self._match, self._credentials = client, match, credentials
        self._allowed_hosts = allowed_hosts

    def __repr__(self) -> str:
        return f"Target({self.kind}, {self.url})"

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        """Send one request, a relative URL against the target's base, and return what came.

        A refused token is renewed once; a 429 is sent again after the seconds its Retry-After names (RFC 9110 10.2.3,
        RFC 6585 4). No answer is an exchange with a `failure`, not an exception. Raises RefusedError where the guard
        forbids the request, RequestsSpentError at the ceiling, and CredentialsRefusedError where no token can be had.
        """
        request = replace(request, url=urljoin(self.url + "/", request.url))
        exchange = self._patiently(request, authenticated)
        renewable = authenticated and self._credentials is not None and "authorization" not in request.headers
        if exchange.status == 401 and renewable and self._credentials and self._credentials.renew():
            exchange = self._once(request, authenticated)
        if self.guard:
            self.guard.learn(exchange)
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

    def close(self) -> None:
        """Give back its connections."""
        self._client.close()

    def _once(self, request: Request, authenticated: bool) -> Exchange:
        if self.ceiling is not None and self.requests >= self.ceiling:
            raise RequestsSpentError(f"All {self.ceiling} requests this run may send are sent. Raise --max-requests.")
        matched = self._match(request.method, request.path)
        operation, parameters = (matched[0].id, matched[1]) if matched else (None, {})
        if self.guard:
            self.guard.refuse(operation, request)
        request = self._dressed(request, authenticated)
        started = time.time()
        response, failure = self._receive(request)
        self.requests += 1
        return Exchange(
            request=request,
            response=response,
            operation=operation,
            parameters=parameters,
            started=started,
            ended=time.time(),
            failure=failure,
        )

    def _dressed(self, request: Request, authenticated: bool) -> Request:
        fields = list(request.headers.fields)
        given = {name.lower() for name, _ in fields}
        if "authorization" not in given and authenticated and self._credentials is not None:
            if not token_may_go(request.url, self.url, self._allowed_hosts):
                raise RefusedError(
                    "A request to another host than the target's was refused before it was sent: our token would "
                    "go there. Allow the host with --allow-host where it is yours."
                )
            fields.append(("Authorization", self._credentials.authorization()))
        defaults = (("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Accept-Encoding", "identity"))
        fields += [(name, value) for name, value in defaults if name.lower() not in given]
        return replace(request, headers=Headers(fields))

    def _receive(self, request: Request) -> tuple[Response | None, str]:
        began = time.perf_counter()
        headers = [(name.encode("ascii"), value.encode("utf-8")) for name, value in request.headers.fields]
        try:
            with self._client.stream(
                request.method,
                request.url,
                headers=headers,
                content=request.body or None,
                follow_redirects=False,
                timeout=self.bounds.seconds,
            ) as answer:
                body, failure = self._body(answer, began)
                if failure:
                    return None, failure
                return Response(
                    status=answer.status_code,
                    headers=Headers([(n.decode("latin-1"), v.decode("latin-1")) for n, v in answer.headers.raw]),
                    body=body,
                    elapsed=time.perf_counter() - began,
                ), ""
        except httpx.ConnectError as error:
            return None, f"no connection could be made ({_first_line(error)})"
        except httpx.TimeoutException:
            return None, f"no answer came within {self.bounds.seconds:g} s"
        except (httpx.TransportError, httpx.InvalidURL, zlib.error) as error:
            return None, f"the answer broke off or is not HTTP ({type(error).__name__})"

    def _body(self, answer: httpx.Response, began: float) -> tuple[bytes, str]:
        if answer.is_stream_consumed:  # a transport without a network gives whole answers
            return answer.content, ""
        inflate = _inflater(answer.headers.get("content-encoding", "identity"))
        chunks: list[bytes] = []
        size = 0
        for raw in answer.iter_raw():
            chunk = inflate(raw, self.bounds.bytes - size + 1)
            chunks.append(chunk)
            size += len(chunk)
            if size > self.bounds.bytes:
                return b"", f"the answer is larger than {self.bounds.bytes // 2**20} MiB"
            if time.perf_counter() - began > self.bounds.seconds:
                return b"", f"the answer did not end within {self.bounds.seconds:g} s"
        return b"".join(chunks), ""


def _retry_after(response: Response) -> float | None:
    """Seconds, from a number or a date; None where neither stands there."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def _inflater(encoding: str) -> Callable[[bytes, int], bytes]:
    if encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
        decompress = zlib.decompressobj(47)
        return lambda raw, room: decompress.decompress(raw, room)
    return lambda raw, room: raw


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
