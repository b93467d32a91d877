"""Who we are to the target: a token from the environment, or one fetched and refreshed before it expires."""

from __future__ import annotations

import base64
import math
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx

from conformance.errors import CredentialsRefusedError, TargetUnreachableError, UsageError
from conformance.model import Headers, Request, Response
from conformance.redaction import remember
from conformance.targets.manners import pause, retry_after
from conformance.targets.reception import BROKE_OFF, Bounds, receive
from conformance.targets.transport import is_url

TOKEN_PATH = "/auth/realms/master/protocol/openid-connect/token"  # noqa: S105  the vendor's client posts here
_BOUNDS = Bounds(seconds=15.0, bytes=256 * 1024)
_BEARER = re.compile(r"[A-Za-z0-9._~+/=-]{1,65536}")
_PASSING = frozenset({429, 502, 503, 504})
_TRIES, _LONGEST_WAIT = 6, 60.0
_MARGIN_SECONDS = 10.0  # the vendor's client refreshes when less remains


class Credentials(Protocol):
    """Gives the value of the Authorization header for a request sent now."""

    def authorization(self) -> str:
        """`Bearer …`, with a token that is good for this request."""

    def renew(self) -> bool:
        """Forget the token after a refusal; False where another cannot be had."""


@dataclass(frozen=True)
class FixedToken:
    """A token given as it is; it cannot be renewed."""

    token: str = field(repr=False)

    def authorization(self) -> str:
        """The header's value."""
        return f"Bearer {self.token}"

    def renew(self) -> bool:
        """Nothing to renew it with."""
        return False


@dataclass(frozen=True)
class Grant:
    """What is posted for a first token: form fields, and HTTP Basic where the client is confidential."""

    name: str
    form: Mapping[str, str] = field(repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    variables: str = ""


class FetchedToken:
    """Tokens of a Keycloak-shaped endpoint (RFC 6749 4.3, 4.4 and 6), refreshed when fewer than 10 s remain."""

    def __init__(
        self,
        url: str,
        grant: Grant,
        client: httpx.Client,
        clock: Callable[[], float] = time.monotonic,
        *,
        or_at: Sequence[str] = (),
    ) -> None:
        self._url, self._grant, self._client, self._clock = url, grant, client, clock
        self._or_at = tuple(or_at)
        self._lock = threading.Lock()
        self._token = self._refresh_token = self._first = ""
        self._expires = self._refresh_expires = 0.0

    @property
    def first(self) -> str:
        """The first token that was fetched, which in a long run is the first to expire; empty before that."""
        return self._first

    @property
    def refresh_token(self) -> str:
        """The newest refresh token, empty where the endpoint gave none."""
        return self._refresh_token

    @property
    def url(self) -> str:
        """The endpoint that tokens come from: once one was had, the one of several that gave it."""
        return self._url

    @property
    def grant(self) -> str:
        """How first tokens are asked for: `password` or `client credentials`."""
        return self._grant.name

    def anew(self) -> str:
        """Another token of the first grant, which the run does not go on with; empty where the endpoint gives none."""
        return self._access_token(self._grant.form)

    def refreshed(self, *, kept: bool = True) -> str:
        """A token that the refresh token buys; empty where there is none to buy it with, or it buys none.

        The run goes on with it: where refresh tokens are rotated (RFC 6749 10.4) the old one is good for nothing now.
        Where it is not `kept`, the run goes on with the token it has, and asks for a first one when that ends.
        """
        with self._lock:
            if not self._refresh_token:
                return ""
            answer = self._post(self._refresh_form())
            if answer.status != 200:
                return ""
            if kept:
                self._keep(answer)
                return self._token
            self._refresh_expires = 0.0
            token = str(answer.json.get("access_token", "")) if isinstance(answer.json, dict) else ""
            remember(token, "jwt" if token.startswith("eyJ") else "token")
            return token

    def granted(self, grant: Grant) -> str:
        """A token of another grant, empty where the endpoint refuses it."""
        return self._access_token(grant.form, grant)

    def _access_token(self, form: Mapping[str, str], grant: Grant | None = None) -> str:
        answer = self._post(form, grant)
        try:
            return str(answer.json["access_token"]) if answer.status == 200 else ""
        except (ValueError, KeyError, TypeError):
            return ""

    def __repr__(self) -> str:
        """Where and how, never what."""
        return f"FetchedToken({self._url}, {self._grant.name})"

    def authorization(self) -> str:
        """A bearer token with time left. Raises CredentialsRefusedError or TargetUnreachableError."""
        with self._lock:
            if self._clock() >= self._expires:
                self._fetch()
            return f"Bearer {self._token}"

    def renew(self) -> bool:
        """Drop the token so that the next request fetches another."""
        with self._lock:
            self._expires = 0.0
        return True

    def _fetch(self) -> None:
        if self._refresh_token and self._clock() < self._refresh_expires:
            answer = self._post(self._refresh_form())
            if answer.status == 200:
                self._keep(answer)
                return
        answer = self._post(self._grant.form) if self._first else self._answered_first()
        if answer.status != 200:
            raise CredentialsRefusedError(self._refusal(answer))
        self._keep(answer)

    def _answered_first(self) -> Response:
        """The answer of the first endpoint that is one; of the only one, where there are no others to try."""
        came: list[str] = []
        for url in (self._url, *self._or_at):
            self._url = url
            try:
                answer = self._post(self._grant.form)
            except TargetUnreachableError as error:
                if not self._or_at:
                    raise
                came.append(str(error).partition(". ")[0])
                continue
            if answer.status == 200 or _oauth_error(answer) or not self._or_at:
                return answer
            came.append(f"{url} gave status {answer.status}")
        raise CredentialsRefusedError(
            f"No token endpoint was found: {'; '.join(came)}. "
            "Say where tokens come from with CONFORMANCE_TOKEN_URL, or give one with CONFORMANCE_TOKEN."
        )

    def _refresh_form(self) -> dict[str, str]:
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        if "client_id" in self._grant.form:
            form["client_id"] = self._grant.form["client_id"]
        return form

    def _post(self, form: Mapping[str, str], grant: Grant | None = None) -> Response:
        basic = (grant or self._grant).basic
        fields = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "identity"}
        try:
            content = urlencode(form).encode()
            if basic:
                pair = ":".join(map(quote_plus, basic)).encode()  # form-encoded, each of them (RFC 6749 2.3.1)
                fields["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        except UnicodeEncodeError:
            raise UsageError(
                "A credential in the environment contains bytes that are not UTF-8. Set it again."
            ) from None
        response, failure = self._patiently(Request("POST", self._url, Headers(fields), content))
        if response is None:
            advice = "" if ";" in failure else " Check --target and CONFORMANCE_TOKEN_URL, and that the endpoint is up."
            raise TargetUnreachableError(f"The token endpoint {self._url} cannot be reached: {failure}.{advice}")
        return response

    def _patiently(self, request: Request) -> tuple[Response | None, str]:
        """Asked again, after growing pauses, where the answer was lost, or a gateway's, or says it was too much.

        Whether there is anything at all is said at once.
        """
        waited = 0.0
        for attempt in count():
            response, failure = receive(self._client, request, _BOUNDS)
            passing = response is not None and response.status in _PASSING
            lost = response is None and (failure.startswith(BROKE_OFF) or (bool(self._first) and ";" not in failure))
            said = retry_after(response) if response is not None and passing else None
            seconds = pause(attempt) if said is None else said
            if not (passing or lost) or attempt >= _TRIES or waited + seconds > _LONGEST_WAIT:
                break
            time.sleep(seconds)
            waited += seconds
        return response, failure

    def _refusal(self, answer: Response) -> str:
        if answer.status == 400 and b"ssl certificate" in answer.body.lower():  # nginx's own page
            return f"{self._url} asks for a client certificate: give --client-cert FILE and --client-key FILE."
        code = _oauth_error(answer)
        if answer.status in (400, 401, 403) and code:
            return (
                f"The token endpoint {self._url} refused the {self._grant.name} grant with status "
                f"{answer.status} ({code}). Check {self._grant.variables}."
            )
        return (
            f"{self._url} does not answer like a token endpoint: it gave status {answer.status}. "
            "Check --target, or say where tokens come from with CONFORMANCE_TOKEN_URL or CONFORMANCE_TOKEN."
        )

    def _keep(self, answer: Response) -> None:
        try:
            body: dict[str, Any] = answer.json
            token, life = body["access_token"], float(body.get("expires_in", 60))
            # A provider may not say how long a refresh token lasts, or that it lasts for ever by 0 (Keycloak).
            lasting = float(body.get("refresh_expires_in") or math.inf)
            if not isinstance(token, str) or not _BEARER.fullmatch(token):
                raise TypeError("no token (RFC 6750 2.1)")
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CredentialsRefusedError(
                f"The token endpoint {self._url} answered 200 without an access token. Check CONFORMANCE_TOKEN_URL."
            ) from None
        self._token, self._refresh_token = token, str(body.get("refresh_token") or "")
        for secret in (self._token, self._refresh_token):
            # A target may repeat it in what it answers.
            remember(secret, "jwt" if secret.startswith("eyJ") else "token")
        self._first = self._first or self._token
        now = self._clock()
        self._expires = now + max(life - _MARGIN_SECONDS, life / 2)
        self._refresh_expires = now + max(lasting - _MARGIN_SECONDS, 0.0)


def from_environment(environ: Mapping[str, str], base_url: str, client: httpx.Client) -> Credentials:
    """Credentials as the environment names them. Raises UsageError where it names none or half of a pair."""
    if token := environ.get("CONFORMANCE_TOKEN", "").strip():
        if not _BEARER.fullmatch(token):
            raise UsageError(
                "CONFORMANCE_TOKEN is not a bearer token (RFC 6750 2.1): it contains characters that are not allowed."
            )
        return FixedToken(token)
    given = environ.get("CONFORMANCE_TOKEN_URL", "").strip()
    if given and not is_url(given):
        raise UsageError("CONFORMANCE_TOKEN_URL is not an http(s) URL: give the full URL, https://HOST/PATH.")
    if given:
        return FetchedToken(given, grant_from(environ), client)
    url, *others = token_urls(base_url)
    return FetchedToken(url, grant_from(environ), client, or_at=others)


def token_urls(base_url: str) -> list[str]:
    """Where tokens may come from: the target itself, then its sibling `keycloak`, where it has an `api` label.

    The tutorial's instance is two hosts, PREFIXapi.SUFFIX and PREFIXkeycloak.SUFFIX.
    """
    parts = urlsplit(base_url)
    host, _, port = parts.netloc.partition(":")
    labels = host.split(".")
    found = [base_url + TOKEN_PATH]
    if "api" in labels[:2] and len(labels) > 1:
        labels[labels.index("api")] = "keycloak"
        found.append(f"{parts.scheme}://{'.'.join(labels)}{':' if port else ''}{port}{TOKEN_PATH}")
    return found


def grant_from(environ: Mapping[str, str]) -> Grant:
    """The grant that the environment's variables make. Raises UsageError where they make none."""
    user, password = environ.get("CONFORMANCE_USERNAME"), environ.get("CONFORMANCE_PASSWORD")
    secret = environ.get("CONFORMANCE_CLIENT_SECRET")
    if user and password:
        client_id = environ.get("CONFORMANCE_CLIENT_ID") or ("api-client" if secret else "sdk-client")
        form = {"grant_type": "password", "client_id": client_id, "username": user, "password": password}
        names = "CONFORMANCE_USERNAME and CONFORMANCE_PASSWORD"
        return Grant("password", form, (client_id, secret) if secret else None, names)
    if user or password:
        missing = "CONFORMANCE_PASSWORD" if user else "CONFORMANCE_USERNAME"
        raise UsageError(
            f"{missing} is not set, although the other one of the pair is. Set both, or CONFORMANCE_TOKEN."
        )
    if secret:
        return client_credentials(secret, environ.get("CONFORMANCE_CLIENT_ID") or "api-client")
    raise UsageError(
        "No credentials for the target: set CONFORMANCE_TOKEN, or CONFORMANCE_USERNAME and CONFORMANCE_PASSWORD, "
        "or CONFORMANCE_CLIENT_SECRET."
    )


def client_credentials(secret: str, client_id: str = "api-client") -> Grant:
    """The client credentials grant of a confidential client (RFC 6749 4.4)."""
    names = "CONFORMANCE_CLIENT_ID and CONFORMANCE_CLIENT_SECRET"
    return Grant("client credentials", {"grant_type": "client_credentials"}, (client_id, secret), names)


def _oauth_error(answer: Response) -> str:
    body = answer.json if answer.is_json else None
    code = body.get("error") if isinstance(body, dict) else None
    return code if isinstance(code, str) and code.replace("_", "").isalpha() and len(code) < 40 else ""
