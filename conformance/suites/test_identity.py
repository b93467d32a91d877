"""Who may not call: every operation, called without credentials or with false ones, refuses; and who may."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from conformance.api.client import PANDAS_RECORDS, infer_path
from conformance.checks.auth import PROBES
from conformance.model import Exchange, Headers, Request
from conformance.run.session import Session
from conformance.run.settings import Settings
from conformance.suites.requests import NOT_GIVEN, OPERATIONS, json_request, plain_request
from conformance.targets.credentials import Credentials, FetchedToken, client_credentials
from conformance.targets.tokens import Claims, Key, strangers_key

Named = Callable[[str], str]
_HOUR = 3600
_LEEWAY_SECONDS = 60.0
"""How long after its end a gateway may still take a token (Envoy's default); sooner, an acceptance says nothing."""

_LATE = ("identity:expired",)


def _parameters() -> list[object]:
    pairs = [(probe, operation) for probe in sorted(PROBES) for operation in OPERATIONS]
    return [
        pytest.param(*pair, marks=[pytest.mark.about(pair[1]), *([pytest.mark.late] if pair[0] in _LATE else [])])
        for pair in pairs
    ]


@pytest.mark.parametrize(("probe", "operation"), _parameters())
def test_strangers_are_refused(
    session: Session, settings: Settings, named: Named, workspace_id: int, probe: str, operation: str
) -> None:
    request = _falsely(probe, plain_request(operation, named, workspace_id), session, settings)
    if request is None:
        pytest.skip("this run has nothing to make such a token of")
    session.send(request, authenticated=False, labels=frozenset({probe}))


def _falsely(probe: str, request: Request, session: Session, settings: Settings) -> Request | None:
    """The request with the credentials that a probe tries; None where this run cannot make them."""
    token = _token(session)
    if probe == "identity:query":
        return replace(request, url=f"{request.url}?{urlencode({'access_token': token})}") if token else None
    if probe == "identity:none":
        return request
    if probe == "identity:basic":
        header = f"Basic {base64.b64encode(b'conformance:conformance').decode()}"
    else:
        false = _false_token(probe, token, session, settings)
        if false is None:
            return None
        header = f"Bearer {false}"
    return replace(request, headers=Headers([*request.headers.fields, ("Authorization", header)]))


def _false_token(probe: str, token: str, session: Session, settings: Settings) -> str | None:
    if probe == "identity:garbage":
        return "not.a.token"
    claims = Claims.of(token)
    if probe == "identity:truncated":
        return token[: -max(8, len(token) // 8)] if token else None
    if probe == "identity:prefixed":
        return f"x{token}" if token else None
    if claims is None:
        return None
    if probe == "identity:unsigned":
        return claims.unsigned()
    if probe == "identity:forged":
        return claims.signed(strangers_key())
    return _untimely(probe, claims, session, settings)


def _untimely(probe: str, claims: Claims, session: Session, settings: Settings) -> str | None:
    """Expired, not valid yet, or for others: signed by the issuer's key where we have it, else what a run comes by."""
    credentials, now = _credentials(session), int(time.time())
    if settings.signing_key:
        key = Key.read(Path(settings.signing_key))
        changes: dict[str, dict[str, object]] = {
            "identity:expired": {"iat": now - 2 * _HOUR, "exp": now - _HOUR},
            "identity:early": {"iat": now, "nbf": now + _HOUR, "exp": now + 2 * _HOUR},
            "identity:audience": {"aud": "another-service"},
        }
        return claims.signed(key, **changes[probe])
    if not isinstance(credentials, FetchedToken):
        return None
    if probe == "identity:audience":
        return credentials.refresh_token or None
    first = Claims.of(credentials.first)
    expires = first.claims.get("exp") if first and probe == "identity:expired" else None
    return credentials.first if isinstance(expires, int) and now > expires + _LEEWAY_SECONDS else None


def _credentials(session: Session) -> Credentials | None:
    return getattr(session.target, "credentials", None)


def _token(session: Session) -> str:
    credentials = _credentials(session)
    return credentials.authorization().removeprefix("Bearer ") if credentials else ""


def test_tokens_of_the_password_and_refresh_grants_are_good(session: Session) -> None:
    credentials = _credentials(session)
    if not isinstance(credentials, FetchedToken):
        pytest.skip("the token was given, not fetched")
    credentials.authorization()
    if credentials.grant == "password" and (anew := credentials.anew()):
        _granted(session, "grant:password", anew)
    if refreshed := credentials.refreshed():
        _granted(session, "grant:refresh", refreshed)


def _granted(session: Session, label: str, token: str) -> Exchange:
    request = json_request("workspaces.list", {})
    fields = Headers([*request.headers.fields, ("Authorization", f"Bearer {token}")])
    return session.send(replace(request, headers=fields), authenticated=False, labels=frozenset({label}))


def test_a_token_of_the_client_credentials_grant_is_good_for_inference(
    session: Session, settings: Settings, named: Named
) -> None:
    credentials = _credentials(session)
    secret = os.environ.get("CONFORMANCE_CLIENT_SECRET") or ("conformance" if settings.kind == "emulated" else "")
    token = credentials.granted(client_credentials(secret)) if isinstance(credentials, FetchedToken) and secret else ""
    if not token:
        pytest.skip("this run has no client secret")
    path = infer_path(f"{named('stranger')}-{NOT_GIVEN}", named("stranger"))
    fields = Headers({"Content-Type": PANDAS_RECORDS, "Authorization": f"Bearer {token}"})
    request = Request("POST", path, fields, b"[]")
    session.send(request, authenticated=False, labels=frozenset({"grant:client-credentials"}))
