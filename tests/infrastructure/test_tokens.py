"""Tokens of a real OpenID provider, and a token endpoint that is away for a moment."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conformance.errors import CredentialsRefusedError
from conformance.targets.credentials import FetchedToken, grant_from
from conformance.targets.transport import http_client
from tests.infrastructure.programs import absent, found, free_port, needed, nginx, started

SECRET = "secret+with:odd%characters & spaces"
CLIENT = {"CONFORMANCE_CLIENT_ID": "conformance client", "CONFORMANCE_CLIENT_SECRET": SECRET}
USER = CLIENT | {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with http_client() as one:
        yield one


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The token endpoint of an oidc-provider."""
    needed("node")
    npm = found("npm")
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, timeout=60).stdout.strip() if npm else ""
    package = Path(root) / "oidc-provider" / "lib" / "index.js"
    if not root or not package.is_file():
        absent("oidc-provider is not installed: npm install --global oidc-provider@8.8.1")
    port = free_port()
    script = Path(__file__).parent / "provider.mjs"
    with started(["node", str(script), str(package), str(port)], port, tmp_path_factory.mktemp("provider")):
        yield f"http://127.0.0.1:{port}/token"


def test_a_client_whose_name_and_secret_are_odd_is_known_by_them(provider: str, client: httpx.Client) -> None:
    token = FetchedToken(provider, grant_from(CLIENT), client)
    assert token.authorization().startswith("Bearer ")
    wrong = FetchedToken(provider, grant_from(CLIENT | {"CONFORMANCE_CLIENT_SECRET": "another"}), client)
    with pytest.raises(CredentialsRefusedError, match="invalid_client"):
        wrong.authorization()


def test_rotated_refresh_tokens_are_kept_though_nothing_says_how_long_they_last(
    provider: str, client: httpx.Client
) -> None:
    clock = Clock()
    token = FetchedToken(provider, grant_from(USER), client, clock)
    given = [token.authorization()]
    refreshing = [token.refresh_token]
    for _ in range(3):
        clock.now += 60
        given.append(token.authorization())
        refreshing.append(token.refresh_token)
    assert len(set(given)) == 4
    assert len(set(refreshing)) == 4, "each refresh gave another refresh token, which the next one used"
    anew = token.refreshed()
    assert anew
    assert token.authorization() == f"Bearer {anew}", "the run goes on with the token that a probe fetched"
    clock.now += 60
    assert token.authorization() not in (*given, f"Bearer {anew}")


def test_a_token_endpoint_that_is_away_for_a_moment_is_asked_again(
    instance: str, client: httpx.Client, tmp_path: Path
) -> None:
    needed("nginx")
    port = free_port()
    http = (
        "limit_req_zone $server_port zone=one:1m rate=1r/s; limit_req_status 503;"
        f"server {{ listen 127.0.0.1:{port}; location / {{ limit_req zone=one; proxy_pass {instance}; }} }}"
    )
    environ = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    with nginx(tmp_path, port, http):
        url = f"http://127.0.0.1:{port}/auth/realms/master/protocol/openid-connect/token"
        for _ in range(2):  # the second is too soon
            assert FetchedToken(url, grant_from(environ), client).authorization()
