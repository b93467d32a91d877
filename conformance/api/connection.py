"""One instance reached by URL and user, without the suites: a token that is kept fresh, and plain sending."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import httpx

from conformance.errors import CredentialsRefusedError, TargetUnreachableError
from conformance.model import Exchange, Headers, Intent, Label, Request, Response

_TOKEN_PATH = "/auth/realms/master/protocol/openid-connect/token"  # noqa: S105 - a path
_EARLY = 10
"""Seconds before its end that a token is renewed, as the vendor's SDK does."""


class Connection:
    """Sends requests to `url` as one user. It is what a `PipelineClient` sends by; nothing is tried twice."""

    def __init__(
        self, url: str, username: str, password: str, token_url: str = "", timeout: float = 30.0, **options: Any
    ) -> None:
        self._url = url.rstrip("/").removesuffix("/v1/api")
        self._form = {
            "client_id": "sdk-client",
            "grant_type": "password",
            "username": username,
            "password": password,
        }
        self._token_url = token_url or self._url + _TOKEN_PATH
        self._client = httpx.Client(timeout=timeout, **options)
        self._token, self._good_until = "", 0.0

    def __call__(self, request: Request, *, intent: Intent = "", labels: frozenset[Label] = frozenset()) -> Exchange:
        """The request and what came; no answer is a `failure`. Raises CredentialsRefusedError without a token."""
        request = replace(request, url=self._url + request.url)
        headers = [*request.headers.fields, ("Authorization", f"Bearer {self._bearer()}")]
        started = time.time()
        try:
            answer = self._client.request(request.method, request.url, headers=headers, content=request.body)
        except httpx.TransportError as error:
            lost = Exchange(request, None, started=started, ended=time.time(), intent=intent, labels=labels)
            return replace(lost, failure=str(error) or type(error).__name__)
        elapsed = answer.elapsed.total_seconds()
        response = Response(answer.status_code, Headers(answer.headers.multi_items()), answer.content, elapsed)
        return Exchange(request, response, started=started, ended=time.time(), intent=intent, labels=labels)

    def close(self) -> None:
        """End the connections that are kept."""
        self._client.close()

    def _bearer(self) -> str:
        if time.monotonic() >= self._good_until:
            try:
                answer = self._client.post(self._token_url, data=self._form)
            except httpx.TransportError as error:
                raise TargetUnreachableError(f"No token: {self._token_url} did not answer ({error}).") from None
            if answer.status_code != 200:
                raise CredentialsRefusedError(f"No token: {self._token_url} answered {answer.status_code}.")
            given = answer.json()
            self._token = str(given["access_token"])
            self._good_until = time.monotonic() + float(given.get("expires_in", 60)) - _EARLY
        return self._token
