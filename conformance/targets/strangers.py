"""Credentials that must not open anything: tokens taken apart and signed anew (RFC 7515, 7519), and who shows them."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from conformance.model import Aim, Headers, Request
from conformance.targets.credentials import Credentials, FetchedToken


@dataclass(frozen=True)
class Claims:
    """A token's header and claims; what it was signed with is no part of it."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def of(cls, token: str) -> Claims | None:
        """The parts of a token; None where it is no JSON Web Token, as an opaque one is not."""
        try:
            header, claims = (json.loads(_bytes(part)) for part in token.split(".")[:2])
        except ValueError:
            return None
        return cls(header, claims) if isinstance(header, dict) and isinstance(claims, dict) else None

    def unsigned(self) -> str:
        """The same claims under alg none, with an empty signature."""
        return f"{_text({**self.header, 'alg': 'none'})}.{_text(self.claims)}."

    def signed(self, key: Key, **changes: Any) -> str:
        """The same header and claims, with `changes` among the claims, signed by RS256."""
        signing = f"{_text({**self.header, 'alg': 'RS256'})}.{_text({**self.claims, **changes})}"
        signature = key.private.sign(signing.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signing}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@dataclass(frozen=True)
class Key:
    """An RSA key that signs tokens."""

    private: rsa.RSAPrivateKey

    @classmethod
    def read(cls, path: Path) -> Key:
        """The key in a PEM file."""
        return cls(_private(path))


@lru_cache(maxsize=4)
def _private(path: Path) -> rsa.RSAPrivateKey:
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return private


@lru_cache(maxsize=1)
def strangers_key() -> Key:
    """A key that nobody trusts."""
    return Key(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@contextmanager
def issuers_key() -> Iterator[Path]:
    """A PEM file, readable by us alone, with a new key for an emulated instance to sign its tokens with.

    Whoever has it can make the tokens that no issuer would give: expired, not valid yet, for another audience.
    """
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with TemporaryDirectory(prefix="conformance-") as folder:
        path = Path(folder) / "signing-key.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        yield path


def _text(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


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
