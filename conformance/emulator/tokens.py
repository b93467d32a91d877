"""Tokens: RS256, shaped as Keycloak's, signed by a key of this instance's own."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from conformance.errors import UsageError

REALM_PATH = "/auth/realms/master"
AUDIENCE = "account"
CLAIMS = "https://hasura.io/jwt/claims"
REFRESH_SECONDS = 1800
_REMEMBERED = 4096
_LONGEST = 8192
_NAMES = 64
"""Most names that an instance can be reached by at once."""

_KEPT = "signing-key.pem"


class TokenIssuer:
    """Issues and verifies tokens. `issuer` is the realm's URL; `seconds` how long an access token lives.

    Verified access tokens are remembered until they expire, since a signature costs more than most operations.
    """

    def __init__(
        self, base_url: str, seconds: int, folder: Path | None, signing_key: Path | None = None, username: str = "user"
    ) -> None:
        self.issuer = base_url + REALM_PATH
        self.seconds = seconds
        self.subject = str(uuid.uuid5(uuid.NAMESPACE_URL, "conformance"))
        self.user = {
            "id": self.subject,
            "username": username,
            "email": username if "@" in username else f"{username}@example.invalid",
            "enabled": True,
            "emailVerified": True,
            "createdTimestamp": int(time.time() * 1000),
        }
        self.key = _key(folder, signing_key)
        self.key_id = self.key.thumbprint()
        self._verified: dict[str, int] = {}
        self._issuers = {self.issuer}

    def issuer_at(self, base_url: str) -> str:
        """The realm's URL under a base URL that requests were forwarded from; its own where that is empty."""
        issuer = base_url + REALM_PATH if base_url else self.issuer
        if len(self._issuers) < _NAMES:
            self._issuers.add(issuer)
        return issuer if issuer in self._issuers else self.issuer

    @property
    def jwks(self) -> dict[str, Any]:
        """The public half of the key, as a JSON Web Key Set (RFC 7517)."""
        public = self.key.as_dict(private=False)
        return {"keys": [public | {"use": "sig", "alg": "RS256", "kid": self.key_id}]}

    def access_token(self, client: str, now: float | None = None, issuer: str = "") -> str:
        """A bearer token for `client` (`sdk-client`), good from `now` (epoch seconds)."""
        roles = {"x-hasura-user-id": self.subject, "x-hasura-default-role": "user", "x-hasura-allowed-roles": ["user"]}
        claims = self.claims("Bearer", AUDIENCE, client, self.seconds, now)
        return self.sign(claims | {"iss": issuer or self.issuer, CLAIMS: roles})

    def refresh_token(self, client: str, now: float | None = None, issuer: str = "") -> str:
        """A token that buys a new access token, and serves for nothing else."""
        issuer = issuer or self.issuer
        return self.sign(self.claims("Refresh", issuer, client, REFRESH_SECONDS, now) | {"iss": issuer})

    def claims(self, kind: str, audience: str, client: str, seconds: int, now: float | None) -> dict[str, Any]:
        """The claims every token carries; the address is there because the vendor's SDK does not start without one."""
        issued = int(time.time() if now is None else now)
        return {
            "iss": self.issuer,
            "aud": audience,
            "sub": self.subject,
            "typ": kind,
            "azp": client,
            "iat": issued,
            "exp": issued + seconds,
            "jti": str(uuid.uuid4()),
            "scope": "openid",
            "email": self.user["email"],
        }

    def sign(self, claims: Mapping[str, Any]) -> str:
        """These claims under this instance's key."""
        return jwt.encode({"alg": "RS256", "kid": self.key_id}, dict(claims), self.key)

    def is_good(self, token: str) -> bool:
        """Whether `token` is an access token of ours that is valid now."""
        expires = self._verified.get(token)
        if expires is None:
            claims = self._read(token, "Bearer", AUDIENCE)
            if claims is None:
                return False
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            expires = self._verified[token] = claims["exp"]
        return time.time() < expires

    def refreshed(self, token: str, client: str) -> bool:
        """Whether `token` is a refresh token of ours, made for `client` and valid now."""
        claims = self._read(token, "Refresh", None)
        return claims is not None and claims["azp"] == client

    def _read(self, token: str, kind: str, audience: str | None) -> dict[str, Any] | None:
        """The claims of a token of ours that is valid now; `audience` None stands for its issuer."""
        if len(token) > _LONGEST:
            return None
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256"]).claims
        except (JoseError, ValueError, TypeError):
            return None
        now = time.time()
        whole = all(isinstance(claims.get(name), int) for name in ("exp", "iat"))
        issuer = claims.get("iss")
        meant = (claims.get("typ"), claims.get("aud")) == (kind, audience or issuer) and issuer in self._issuers
        starts = claims.get("nbf", claims.get("iat"))
        good = whole and meant and isinstance(starts, int) and starts <= now + 1 and now < claims["exp"]
        return claims if good else None


def _key(folder: Path | None, given: Path | None) -> RSAKey:
    """The key given, or the one kept in the data folder, so that a restart honours its tokens; else a new one."""
    path = given or (folder / _KEPT if folder else None)
    if path is None or (not given and not path.exists()):
        key = RSAKey.generate_key(2048, private=True)
        if path:
            _keep(path, key.as_pem(private=True))
        return key
    try:
        return _read(path.read_bytes())
    except (OSError, ValueError, JoseError):
        raise UsageError(f"{path} is no PEM file with an RSA key.") from None


@lru_cache(maxsize=4)
def _read(pem: bytes) -> RSAKey:
    """The key of a PEM file; reading it proves its numbers, which takes a tenth of a second."""
    return RSAKey.import_key(pem)


def _keep(path: Path, pem: bytes) -> None:
    """Write the key where nobody else can read it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
