"""Tokens: where they come from, when they are fetched anew, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import httpx
import pytest

from conformance.errors import CredentialsRefusedError, TargetUnreachableError, UsageError
from conformance.targets.credentials import FetchedToken, FixedToken, from_environment, grant_from

URL = "https://keycloak.example/token"
USER = {"CONFORMANCE_USERNAME": "someone", "CONFORMANCE_PASSWORD": "opensesame"}


class Endpoint:
    """A token endpoint that counts what it is asked, and a clock."""

    def __init__(self, answer: Callable[[dict[str, list[str]]], httpx.Response]) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.authorization: list[str] = []
        self.now = 0.0
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(parse_qs(request.content.decode()))
        self.authorization.append(request.headers.get("authorization", ""))
        return self._answer(self.asked[-1])

    def credentials(self, environ: dict[str, str] = USER) -> FetchedToken:
        client = httpx.Client(transport=httpx.MockTransport(self))
        return FetchedToken(URL, grant_from(environ), client, lambda: self.now)


def token(form: dict[str, list[str]]) -> httpx.Response:
    body = {"access_token": f"t-{form['grant_type'][0]}", "expires_in": 60}
    return httpx.Response(200, json=body | {"refresh_token": "r", "refresh_expires_in": 1800})


def test_a_token_is_fetched_once_and_used_until_ten_seconds_remain() -> None:
    endpoint = Endpoint(token)
    credentials = endpoint.credentials()
    assert credentials.authorization() == "Bearer t-password"
    endpoint.now = 49.9
    credentials.authorization()
    assert len(endpoint.asked) == 1


def test_a_token_is_refreshed_before_it_expires() -> None:
    endpoint = Endpoint(token)
    credentials = endpoint.credentials()
    credentials.authorization()
    endpoint.now = 50.1
    assert credentials.authorization() == "Bearer t-refresh_token"
    assert endpoint.asked[1]["client_id"] == ["sdk-client"]


def test_a_refused_refresh_falls_back_to_the_first_grant() -> None:
    def only_passwords(form: dict[str, list[str]]) -> httpx.Response:
        return (
            token(form) if form["grant_type"] == ["password"] else httpx.Response(400, json={"error": "invalid_grant"})
        )

    endpoint = Endpoint(only_passwords)
    credentials = endpoint.credentials()
    credentials.authorization()
    endpoint.now = 55
    assert credentials.authorization() == "Bearer t-password"
    assert len(endpoint.asked) == 3


def test_a_short_lived_token_is_used_for_half_its_life() -> None:
    endpoint = Endpoint(lambda form: httpx.Response(200, json={"access_token": "t", "expires_in": 4}))
    credentials = endpoint.credentials()
    credentials.authorization()
    endpoint.now = 1.9
    credentials.authorization()
    assert len(endpoint.asked) == 1
    endpoint.now = 2.1
    credentials.authorization()
    assert len(endpoint.asked) == 2


def test_a_renewed_token_is_fetched_again() -> None:
    endpoint = Endpoint(token)
    credentials = endpoint.credentials()
    credentials.authorization()
    assert credentials.renew()
    credentials.authorization()
    assert len(endpoint.asked) == 2


def test_a_refusal_names_the_variables_and_not_their_values() -> None:
    endpoint = Endpoint(lambda form: httpx.Response(401, json={"error": "invalid_grant"}))
    with pytest.raises(CredentialsRefusedError) as caught:
        endpoint.credentials().authorization()
    assert "CONFORMANCE_USERNAME and CONFORMANCE_PASSWORD" in str(caught.value)
    assert "invalid_grant" in str(caught.value)
    assert "opensesame" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="<html>no</html>"),
        httpx.Response(200, json={"token": "x"}),
        httpx.Response(200, text="hello"),
        httpx.Response(200, json=["x"]),
    ],
    ids=["a web page", "another object", "text", "a list"],
)
def test_what_is_no_token_endpoint_is_said_to_be_none(answer: httpx.Response) -> None:
    with pytest.raises(CredentialsRefusedError, match="CONFORMANCE_TOKEN_URL"):
        Endpoint(lambda form: answer).credentials().authorization()


def test_an_endpoint_that_cannot_be_reached_is_an_outage() -> None:
    def refuse(form: dict[str, list[str]]) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(TargetUnreachableError, match="cannot be reached"):
        Endpoint(refuse).credentials().authorization()


def test_client_credentials_go_by_http_basic() -> None:
    endpoint = Endpoint(token)
    endpoint.credentials({"CONFORMANCE_CLIENT_SECRET": "s"}).authorization()
    assert endpoint.asked[0] == {"grant_type": ["client_credentials"]}
    assert endpoint.authorization[0].startswith("Basic ")


def test_a_token_of_the_environment_is_used_as_it_is() -> None:
    credentials = from_environment({"CONFORMANCE_TOKEN": "abc", **USER}, "https://x.example", httpx.Client())
    assert isinstance(credentials, FixedToken)
    assert credentials.authorization() == "Bearer abc"
    assert not credentials.renew()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "No credentials"),
        ({"CONFORMANCE_USERNAME": "x"}, "CONFORMANCE_PASSWORD is not set"),
        ({"CONFORMANCE_PASSWORD": "x"}, "CONFORMANCE_USERNAME is not set"),
        ({"CONFORMANCE_USERNAME": "", "CONFORMANCE_PASSWORD": ""}, "No credentials"),
    ],
)
def test_missing_credentials_are_wrong_usage(environ: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        grant_from(environ)


def test_nothing_shows_the_secret() -> None:
    shown = repr((FixedToken("opensesame"), Endpoint(token).credentials(), grant_from(USER)))
    assert "opensesame" not in shown
