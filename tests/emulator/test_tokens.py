from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.emulator.app import OPERATIONS
from conformance.emulator.openid import AUDIENCE

TOKEN = "/auth/realms/master/protocol/openid-connect/token"
CERTS = "/auth/realms/master/protocol/openid-connect/certs"
DISCOVERY = "/auth/realms/master/.well-known/openid-configuration"
PASSWORD = {"grant_type": "password", "username": "conformance", "password": "conformance", "client_id": "sdk-client"}


def token(instance: Any, **form: str) -> Any:
    return instance.http.post(TOKEN, data=form)


def test_an_independent_library_verifies_the_tokens_by_the_published_keys(start: Any) -> None:
    instance = start()
    answer = token(instance, **PASSWORD).json()
    keys = jwt.PyJWKSet.from_dict(instance.http.get(CERTS).json())
    header = jwt.get_unverified_header(answer["access_token"])
    expected = {"audience": AUDIENCE, "issuer": instance.state.tokens.issuer}
    claims = jwt.decode(answer["access_token"], keys[header["kid"]], ["RS256"], **expected)
    assert (header["alg"], claims["azp"], claims["typ"]) == ("RS256", "sdk-client", "Bearer")
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 60
    assert "https://hasura.io/jwt/claims" in claims
    assert not {"name", "preferred_username"} & claims.keys()
    assert claims["email"] == "conformance@example.invalid"
    assert "d" not in instance.http.get(CERTS).json()["keys"][0]


def test_discovery_leads_to_the_token_endpoint_and_the_keys(instance: Any) -> None:
    found = instance.http.get(DISCOVERY).json()
    assert found["issuer"] + "/.well-known/openid-configuration" == instance.url + DISCOVERY
    assert found["token_endpoint"] == instance.url + TOKEN
    assert instance.http.get(found["jwks_uri"]).status_code == 200


def test_the_token_answer_is_shaped_as_keycloaks_and_not_to_be_cached(instance: Any) -> None:
    response = token(instance, **PASSWORD)
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body["token_type"] == "Bearer"
    assert {"access_token", "expires_in", "refresh_token", "refresh_expires_in", "scope"} <= body.keys()


def test_a_refresh_token_buys_a_new_token_and_serves_for_nothing_else(instance: Any) -> None:
    first = token(instance, **PASSWORD).json()
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": "sdk-client"}
    second = token(instance, **refresh)
    assert second.status_code == 200
    assert second.json()["access_token"] != first["access_token"]
    headers = {"authorization": f"Bearer {first['refresh_token']}"}
    assert instance.http.post("/v1/api/workspaces/list", json={}, headers=headers).status_code == 401
    stolen = token(instance, **refresh | {"refresh_token": first["access_token"]})
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    other_client = {"client_id": "api-client", "client_secret": "conformance"}
    assert token(instance, **refresh | other_client).status_code == 400


def test_the_confidential_client_gets_tokens_by_form_and_by_basic(instance: Any) -> None:
    form = {"grant_type": "client_credentials", "client_id": "api-client", "client_secret": "conformance"}
    by_form = token(instance, **form)
    by_basic = instance.http.post(TOKEN, data={"grant_type": "client_credentials"}, auth=("api-client", "conformance"))
    with_password = instance.http.post(TOKEN, data=PASSWORD, auth=("api-client", "conformance"))
    for response in (by_form, by_basic, with_password):
        headers = {"authorization": f"Bearer {response.json()['access_token']}"}
        assert instance.http.post("/v1/api/workspaces/list", json={}, headers=headers).status_code == 200
    assert "refresh_token" not in by_form.json()


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"password": "wrong"}, 401, "invalid_grant"),
        ({"username": "wrong"}, 401, "invalid_grant"),
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"client_id": "api-client"}, 401, "unauthorized_client"),
        ({"client_id": "api-client", "client_secret": "wrong"}, 401, "unauthorized_client"),
        ({"grant_type": "client_credentials"}, 401, "unauthorized_client"),
        ({"grant_type": "refresh_token", "refresh_token": "x.y.z"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token"}, 400, "invalid_grant"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
def test_refused_grants_are_shaped_as_keycloaks(instance: Any, change: Any, status: int, error: str) -> None:
    response = token(instance, **PASSWORD | change)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert "conformance" not in response.text


def test_the_token_endpoint_refuses_what_is_no_form(instance: Any) -> None:
    assert instance.http.post(TOKEN, json=PASSWORD).status_code == 400
    form = {"grant_type": "client_credentials"}
    assert instance.http.post(TOKEN, data=form, headers={"authorization": "Basic ???"}).status_code == 401
    assert instance.http.get(TOKEN).status_code == 405


def signed(instance: Any, key: Any = None, algorithm: str = "RS256", **change: Any) -> str:
    tokens = instance.state.tokens
    claims = tokens.claims("Bearer", AUDIENCE, "sdk-client", 60, None) | change
    return jwt.encode(claims, key or tokens.key.as_pem(private=True), algorithm, headers={"kid": tokens.key_id})


@pytest.fixture(scope="module")
def strangers(instance: Any) -> dict[str, dict[str, Any]]:
    """What a request carries that has no good token."""
    good = instance.login()["access_token"]
    head, body, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    other_key = rsa.generate_private_key(65537, 2048)
    now = int(time.time())
    tokens = {
        "garbage": "garbage",
        "empty": "",
        "truncated": good[:-5],
        "prefixed": "x" + good,
        "without a signature": f"{head}.{body}.",
        "alg none": f"{none}.{body}.",
        "alg none with the signature": f"{none}.{body}.{signature}",
        "an hmac keyed with the public key": signed(instance, b"k" * 64, "HS256"),
        "another key": signed(instance, other_key),
        "expired": signed(instance, iat=now - 120, exp=now - 60),
        "not yet valid": signed(instance, nbf=now + 600, exp=now + 1200),
        "issued in the future": signed(instance, iat=now + 600, exp=now + 1200),
        "another audience": signed(instance, aud="another"),
        "another issuer": signed(instance, iss="https://keycloak.example.test/auth/realms/master"),
        "no expiry": signed(instance, exp=None),
        "enormous": "a." * 20_000,
    }
    bad = {name: {"headers": {"authorization": f"Bearer {value}".strip()}} for name, value in tokens.items()}
    basic = base64.b64encode(b"conformance:conformance").decode()
    return bad | {
        "none": {},
        "basic": {"headers": {"authorization": f"Basic {basic}"}},
        "the token without a scheme": {"headers": {"authorization": good}},
        "the token in the query": {"params": {"access_token": good, "token": good}},
        "the token in a cookie": {"headers": {"cookie": f"access_token={good}"}},
    }


@pytest.mark.parametrize("path", [path.replace("{rest:path}", "a-1/a") for _, path, _ in OPERATIONS])
def test_no_operation_serves_without_a_good_token(instance: Any, strangers: Any, path: str) -> None:
    for name, options in strangers.items():
        response = instance.http.post(path, json={}, **options)
        assert response.status_code == 401, name
        assert response.json() == {"msg": "Unauthorized", "code": 401}
        assert response.headers["www-authenticate"].startswith('Bearer realm="master"'), name
    assert instance.http.post(path, json={}, headers=instance.headers).status_code != 401


def test_the_scheme_is_read_without_regard_to_case(instance: Any) -> None:
    value = instance.headers["authorization"].replace("Bearer", "bEARER")
    assert instance.http.post("/v1/api/workspaces/list", json={}, headers={"authorization": value}).status_code == 200


def test_a_token_that_was_good_is_refused_once_it_has_expired(start: Any) -> None:
    instance = start(token_seconds=3)
    for _ in range(20):  # a loaded machine may take longer for one of them than its token lives
        instance.login()
        if instance.call("workspaces/list", {}).status_code == 200:
            break
    else:
        pytest.fail("no token was good when it was fresh")
    while instance.call("workspaces/list", {}).status_code == 200:
        time.sleep(0.2)
    assert instance.call("workspaces/list", {}).status_code == 401


def test_credentials_are_those_of_the_settings_and_never_shown(start: Any) -> None:
    instance = start(username="u", password="p w+é", client_secret="s&=")
    assert token(instance, **PASSWORD).status_code == 401
    assert token(instance, **PASSWORD | {"username": "u", "password": "p w+é"}).status_code == 200
    form = {"grant_type": "client_credentials"}
    assert instance.http.post(TOKEN, data=form, auth=("api-client", "s%26%3D")).status_code == 200
    assert "p w+é" not in repr(instance.state.settings)
    assert "s&=" not in json.dumps(repr(instance.state.settings))


def test_a_device_is_granted_at_once_and_once(instance: Any) -> None:
    found = instance.http.get(DISCOVERY).json()
    asked = instance.http.post(found["device_authorization_endpoint"], data={"client_id": "sdk-client"}).json()
    assert {"user_code", "verification_uri_complete", "expires_in", "interval"} <= asked.keys()
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": asked["device_code"]}
    given = token(instance, client_id="sdk-client", **form)
    assert given.status_code == 200
    headers = {"authorization": f"Bearer {given.json()['access_token']}"}
    assert instance.http.post("/v1/api/workspaces/list", json={}, headers=headers).status_code == 200
    assert token(instance, client_id="sdk-client", **form).json()["error"] == "invalid_grant"
    device = found["device_authorization_endpoint"]
    assert instance.http.post(device, data={"client_id": "nobody"}).status_code == 401
