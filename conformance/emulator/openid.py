"""Tokens, RS256 and shaped as Keycloak's, and the endpoints of the realm `master` that an OpenID client asks."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import time
import uuid
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from conformance.emulator.settings import Settings
from conformance.emulator.wire import Answer, Call, answered
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


OPENID = f"{REALM_PATH}/protocol/openid-connect"
TOKEN_PATH = f"{OPENID}/token"
CERTS_PATH = f"{OPENID}/certs"
DEVICE_PATH = f"{OPENID}/auth/device"
USERS_PATH = "/auth/admin/realms/master/users"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_DEVICE_SECONDS = 600
DISCOVERY_PATH = f"{REALM_PATH}/.well-known/openid-configuration"
CONFIDENTIAL_CLIENT = "api-client"
_MOST_DEVICES = 1000
_UNCACHED = {"cache-control": "no-store", "pragma": "no-cache"}


class OpenID:
    """Answers the realm's URLs for one user, one public client and one confidential client."""

    def __init__(self, settings: Settings, tokens: TokenIssuer) -> None:
        self._settings = settings
        self._tokens = tokens
        self._device_codes: set[str] = set()
        self._public_clients = {settings.client_id, "sdk-client"} - {CONFIDENTIAL_CLIENT}

    async def token(self, call: Call) -> Answer:
        """Grants `password`, `refresh_token`, `client_credentials` (RFC 6749 4.3, 6, 4.4) and a device's (RFC 8628)."""
        if call.media_type != "application/x-www-form-urlencoded":
            return _error(400, "invalid_request", "The token endpoint takes application/x-www-form-urlencoded.")
        form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
        client, secret = _client(call.headers.get("authorization", ""), form)
        if client not in self._public_clients and client != CONFIDENTIAL_CLIENT:
            return _error(401, "invalid_client", "Invalid client or Invalid client credentials")
        if client == CONFIDENTIAL_CLIENT and not _equal(secret, self._settings.client_secret):
            return _error(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        return self._grant(form, client, self._tokens.issuer_at(call.forwarded_from))

    def _grant(self, form: Mapping[str, str], client: str, issuer: str) -> Answer:
        grant = form.get("grant_type", "")
        if grant == "password":
            known = _equal(form.get("username", ""), self._settings.username)
            if not (_equal(form.get("password", ""), self._settings.password) and known):
                return _error(401, "invalid_grant", "Invalid user credentials")
            return self._granted(client, issuer, refreshable=True)
        if grant == "refresh_token":
            if not self._tokens.refreshed(form.get("refresh_token", ""), client):
                return _error(400, "invalid_grant", "Invalid refresh token")
            return self._granted(client, issuer, refreshable=True)
        if grant == "client_credentials":
            if client != CONFIDENTIAL_CLIENT:
                return _error(401, "unauthorized_client", "Public client not allowed to retrieve service account")
            return self._granted(client, issuer, refreshable=False)
        if grant == _DEVICE_GRANT:
            if form.get("device_code", "") not in self._device_codes:
                return _error(400, "invalid_grant", "Device code not valid")
            self._device_codes.discard(form["device_code"])
            return self._granted(client, issuer, refreshable=True)
        if not grant:
            return _error(400, "invalid_request", "Missing form parameter: grant_type")
        return _error(400, "unsupported_grant_type", "Unsupported grant_type")

    def _granted(self, client: str, issuer: str, *, refreshable: bool) -> Answer:
        body = {
            "access_token": self._tokens.access_token(client, issuer=issuer),
            "expires_in": self._tokens.seconds,
            "refresh_expires_in": REFRESH_SECONDS if refreshable else 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": "openid",
        }
        if refreshable:
            body["refresh_token"] = self._tokens.refresh_token(client, issuer=issuer)
        return Answer(200, orjson.dumps(body), headers=_UNCACHED)

    async def device(self, call: Call) -> Answer:
        """A device's code, granted at once (RFC 8628): nobody has to open the address that is shown."""
        form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("client_id") not in self._public_clients:
            return _error(401, "invalid_client", "Invalid client or Invalid client credentials")
        code, shown = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
        if len(self._device_codes) >= _MOST_DEVICES:
            self._device_codes.clear()
        self._device_codes.add(code)
        address = f"{self._tokens.issuer_at(call.forwarded_from)}/device"
        body = {
            "device_code": code,
            "user_code": shown,
            "verification_uri": address,
            "verification_uri_complete": f"{address}?user_code={shown}",
            "expires_in": _DEVICE_SECONDS,
            "interval": 1,
        }
        return Answer(200, orjson.dumps(body), headers=_UNCACHED)

    async def users(self, call: Call) -> Answer:
        """Keycloak's list of users by e-mail address: the one that this instance has, where it is asked for."""
        asked = call.asked("email")
        return answered([self._tokens.user] if not asked or self._tokens.user["email"] in asked else [])

    async def user(self, call: Call) -> Answer:
        """One of Keycloak's users by id."""
        if call.parameters["user"] != self._tokens.subject:
            return answered({"error": "User not found"}, 404)
        return answered(self._tokens.user)

    async def certs(self, call: Call) -> Answer:
        """The keys that tokens are signed with."""
        return answered(self._tokens.jwks)

    async def discovery(self, call: Call) -> Answer:
        """OpenID Connect Discovery 1.0, what this instance has of it."""
        issuer = self._tokens.issuer_at(call.forwarded_from)
        base = issuer.removesuffix(REALM_PATH)
        return answered(
            {
                "issuer": issuer,
                "token_endpoint": base + TOKEN_PATH,
                "device_authorization_endpoint": base + DEVICE_PATH,
                "jwks_uri": base + CERTS_PATH,
                "grant_types_supported": ["password", "refresh_token", "client_credentials", _DEVICE_GRANT],
                "response_types_supported": [],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            }
        )


def _client(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    """Id and secret, from HTTP Basic (RFC 6749 2.3.1: form-encoded halves) or from the form."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _equal(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), kept.encode())


def _error(status: int, error: str, description: str) -> Answer:
    challenge = {"www-authenticate": 'Basic realm="master"'} if error == "invalid_client" else {}
    body = {"error": error, "error_description": description}
    return Answer(status, orjson.dumps(body), headers=_UNCACHED | challenge)
