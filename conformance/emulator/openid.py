"""The token endpoint and what an OpenID client reads beside it, shaped as Keycloak's realm `master`."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

import orjson

from conformance.emulator.settings import Settings
from conformance.emulator.tokens import REALM_PATH, REFRESH_SECONDS, TokenIssuer
from conformance.emulator.wire import Answer, Call, answered

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
