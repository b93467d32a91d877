"""Credentials that must not open anything: what each probe of who may call sends in place of a good token."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from conformance.model import Aim, Headers, Request
from conformance.targets.credentials import Credentials, FetchedToken
from conformance.targets.tokens import Claims, Key, strangers_key

_HOUR = 3600
_LEEWAY_SECONDS = 60.0
"""How long after its end a gateway may still take a token (Envoy's default); sooner, an acceptance says nothing."""


def falsely(probe: Aim, request: Request, credentials: Credentials | None, signing_key: str = "") -> Request | None:
    """The request with the credentials that a probe tries; None where they cannot be made of what is at hand.

    `credentials` are the caller's good ones, `signing_key` a PEM file with the issuer's key where it is known.
    """
    token = credentials.authorization().removeprefix("Bearer ") if credentials else ""
    if probe.word == "query":
        return replace(request, url=f"{request.url}?{urlencode({'access_token': token})}") if token else None
    if probe.word == "none":
        return request
    if probe.word == "basic":
        header = f"Basic {base64.b64encode(b'conformance:conformance').decode()}"
    else:
        false = _false_token(probe, token, credentials, signing_key)
        if false is None:
            return None
        header = f"Bearer {false}"
    return replace(request, headers=Headers([*request.headers.fields, ("Authorization", header)]))


def _false_token(probe: Aim, token: str, credentials: Credentials | None, signing_key: str) -> str | None:
    if probe.word == "garbage":
        return "not.a.token"
    claims = Claims.of(token)
    if probe.word == "truncated":
        return token[: -max(8, len(token) // 8)] if token else None
    if probe.word == "prefixed":
        return f"x{token}" if token else None
    if claims is None:
        return None
    if probe.word == "unsigned":
        return claims.unsigned()
    if probe.word == "forged":
        return claims.signed(strangers_key())
    return _untimely(probe, claims, credentials, signing_key)


def _untimely(probe: Aim, claims: Claims, credentials: Credentials | None, signing_key: str) -> str | None:
    """Expired, not valid yet, or for others: signed by the issuer's key where we have it, else what a run comes by."""
    now = int(time.time())
    if signing_key:
        changes: dict[str, dict[str, object]] = {
            "expired": {"iat": now - 2 * _HOUR, "exp": now - _HOUR},
            "early": {"iat": now, "nbf": now + _HOUR, "exp": now + 2 * _HOUR},
            "audience": {"aud": "another-service"},
        }
        return claims.signed(Key.read(Path(signing_key)), **changes[probe.word])
    if not isinstance(credentials, FetchedToken):
        return None
    if probe.word == "audience":
        return credentials.refresh_token or None
    first = Claims.of(credentials.first)
    expires = first.claims.get("exp") if first and probe.word == "expired" else None
    return credentials.first if isinstance(expires, int) and now > expires + _LEEWAY_SECONDS else None
