"""Who we are to the target: a token from the environment, or one fetched and refreshed before it expires."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from conformance.errors import CredentialsRefusedError, TargetUnreachableError, UsageError

TOKEN_PATH = "/auth/realms/master/protocol/openid-connect/token"  # noqa: S105  the vendor's client posts here
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
        self, url: str, grant: Grant, client: httpx.Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url, self._grant, self._client, self._clock = url, grant, client, clock
        self._lock = threading.Lock()
        self._token = self._refresh_token = ""
        self._expires = self._refresh_expires = 0.0

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
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
            if "client_id" in self._grant.form:
                form["client_id"] = self._grant.form["client_id"]
            answer = self._post(form)
            if answer.status_code == 200:
                self._keep(answer)
                return
        answer = self._post(self._grant.form)
        if answer.status_code != 200:
            raise CredentialsRefusedError(self._refusal(answer))
        self._keep(answer)

    def _post(self, form: Mapping[str, str]) -> httpx.Response:
        headers = {}
        if self._grant.basic:
            pair = ":".join(self._grant.basic).encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        try:
            return self._client.post(self._url, data=dict(form), headers=headers, timeout=15.0)
        except httpx.TimeoutException:
            reason = "did not answer within 15 s"
        except httpx.TransportError as error:
            reason = f"cannot be reached ({_cause(error)})"
        raise TargetUnreachableError(
            f"The token endpoint {self._url} {reason}. Check --target and CONFORMANCE_TOKEN_URL, and that it is up."
        ) from None

    def _refusal(self, answer: httpx.Response) -> str:
        code = _oauth_error(answer)
        if answer.status_code in (400, 401, 403) and code:
            return (
                f"The token endpoint {self._url} refused the {self._grant.name} grant with status "
                f"{answer.status_code} ({code}). Check {self._grant.variables}."
            )
        return (
            f"Nothing at {self._url} answers as a token endpoint does: it gave status {answer.status_code}. "
            "Check --target, or say where tokens come from with CONFORMANCE_TOKEN_URL or CONFORMANCE_TOKEN."
        )

    def _keep(self, answer: httpx.Response) -> None:
        try:
            body: dict[str, Any] = answer.json()
            token, life = body["access_token"], float(body.get("expires_in", 60))
        except (ValueError, KeyError, TypeError):
            raise CredentialsRefusedError(
                f"The token endpoint {self._url} answered 200 without an access token. Check CONFORMANCE_TOKEN_URL."
            ) from None
        self._token, self._refresh_token = str(token), str(body.get("refresh_token", ""))
        now = self._clock()
        self._expires = now + max(life - _MARGIN_SECONDS, life / 2)
        self._refresh_expires = now + max(float(body.get("refresh_expires_in", 0)) - _MARGIN_SECONDS, 0.0)


def from_environment(environ: Mapping[str, str], base_url: str, client: httpx.Client) -> Credentials:
    """Credentials as the environment names them. Raises UsageError where it names none or half of a pair."""
    if token := environ.get("CONFORMANCE_TOKEN"):
        return FixedToken(token)
    url = environ.get("CONFORMANCE_TOKEN_URL") or base_url + TOKEN_PATH
    return FetchedToken(url, grant_from(environ), client)


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
        raise UsageError(f"{missing} is not set although its pair is. Set both, or CONFORMANCE_TOKEN.")
    if secret:
        client_id = environ.get("CONFORMANCE_CLIENT_ID") or "api-client"
        names = "CONFORMANCE_CLIENT_ID and CONFORMANCE_CLIENT_SECRET"
        return Grant("client credentials", {"grant_type": "client_credentials"}, (client_id, secret), names)
    raise UsageError(
        "No credentials for the target: set CONFORMANCE_TOKEN, or CONFORMANCE_USERNAME and CONFORMANCE_PASSWORD, "
        "or CONFORMANCE_CLIENT_SECRET."
    )


def _oauth_error(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    code = body.get("error") if isinstance(body, dict) else None
    return code if isinstance(code, str) and code.replace("_", "").isalpha() and len(code) < 40 else ""


def _cause(error: Exception) -> str:
    return type(error).__name__
