"""A target sends one request and returns one exchange, whatever comes back."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import httpx
import pytest

from conformance.errors import CredentialsRefusedError
from conformance.model import Headers, Request
from conformance.spec.document import Document
from conformance.targets.credentials import FixedToken
from conformance.targets.reception import Bounds
from conformance.targets.safety.guard import Guard, RefusedError
from conformance.targets.safety.holdings import Holdings
from conformance.targets.safety.limits import Breaker, Limits
from conformance.targets.target import Safeguards, Target

BASE = "https://api.a.example"
LIST = Request("POST", "/v1/api/workspaces/list", Headers({"Content-Type": "application/json"}), b"{}")


class Renewing:
    """Credentials whose first token is refused."""

    def __init__(self) -> None:
        self.tokens = iter(["old", "new", "newer"])
        self.token = next(self.tokens)

    def authorization(self) -> str:
        return f"Bearer {self.token}"

    def renew(self) -> bool:
        self.token = next(self.tokens)
        return True


def target(
    handler: Callable[[httpx.Request], httpx.Response],
    credentials: object = FixedToken("t"),
    safeguards: Safeguards | None = None,
    bounds: Bounds = Bounds(seconds=1.0, bytes=1000),  # noqa: B008  frozen
) -> Target:
    client = httpx.Client(transport=httpx.MockTransport(handler))
    return Target("live", BASE, client, Document.load().match, credentials, safeguards, bounds)  # type: ignore[arg-type]


def test_an_exchange_knows_its_operation_and_what_was_sent() -> None:
    exchange = target(lambda request: httpx.Response(200, json={"workspaces": []})).send(LIST)
    assert exchange.operation == "workspaces.list"
    assert exchange.status == 200
    assert exchange.answer == {"workspaces": []}
    assert exchange.request.url == BASE + "/v1/api/workspaces/list"
    assert exchange.request.headers["authorization"] == "Bearer t"


def test_a_header_that_was_given_is_sent_as_it_is() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(401)

    own = Request("POST", LIST.url, Headers({"Authorization": "Basic abc", "Accept": "x/y"}), b"")
    target(handler).send(own)
    assert seen[0].headers["authorization"] == "Basic abc"
    assert seen[0].headers["accept"] == "x/y"
    assert len(seen) == 1, "a refused stranger is not sent again with our token"


def test_without_authentication_no_token_is_sent() -> None:
    sent: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("authorization"))
        return httpx.Response(401)

    target(handler, Renewing()).send(LIST, authenticated=False)
    assert sent == [None]


def test_a_refused_token_is_renewed_once() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200 if seen[-1] == "Bearer new" else 401)

    assert target(handler, Renewing()).send(LIST).status == 200
    assert seen == ["Bearer old", "Bearer new"]


def test_a_token_that_one_operation_refuses_is_an_exchange() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401 if "status" in request.url.path else 200)

    status = Request("POST", "/v1/api/status/get_deployment", LIST.headers, b"{}")
    assert target(handler, Renewing()).send(status).status == 401


@pytest.mark.parametrize("credentials", [Renewing(), FixedToken("t")], ids=["renewed", "fixed"])
def test_a_token_that_everything_refuses_stops_the_run(credentials: object) -> None:
    with pytest.raises(CredentialsRefusedError, match="Check the credentials"):
        target(lambda request: httpx.Response(401), credentials).send(LIST)


def test_a_stranger_is_refused_without_another_question() -> None:
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(401)

    target(handler, Renewing()).send(LIST, authenticated=False)
    assert len(sent) == 1


def guarded(limits: Limits = Limits(), breaker: Breaker | None = None) -> Safeguards:  # noqa: B008  frozen
    holdings = Holdings("conformance-x-")
    return Safeguards(holdings, Guard(holdings), limits, breaker)


def test_a_redirect_is_not_followed() -> None:
    exchange = target(lambda request: httpx.Response(307, headers={"Location": "https://evil.example/"})).send(LIST)
    assert exchange.status == 307


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("refused"), "no connection could be made"),
        (httpx.ReadTimeout("slow"), "no answer came within 1 s"),
        (httpx.RemoteProtocolError("cut"), "broke off"),
    ],
)
def test_no_answer_is_an_exchange_that_says_why(error: Exception, said: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    exchange = target(handler).send(LIST)
    assert exchange.response is None
    assert said in exchange.failure


def test_an_answer_that_is_too_large_is_cut_off() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 400

    exchange = target(lambda request: httpx.Response(200, content=endless())).send(LIST)
    assert "larger than" in exchange.failure


def test_a_decompression_bomb_is_cut_off() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = {"Content-Encoding": "gzip"}
    exchange = target(
        lambda request: httpx.Response(200, headers=headers, stream=httpx.ByteStream(bomb)),
        bounds=Bounds(seconds=5.0, bytes=100_000),
    ).send(LIST)
    assert "larger than" in exchange.failure


def test_a_compressed_answer_is_read() -> None:
    headers = {"Content-Encoding": "gzip"}
    body = httpx.ByteStream(gzip.compress(b'{"workspaces": []}'))
    exchange = target(lambda request: httpx.Response(200, headers=headers, stream=body)).send(LIST)
    assert exchange.answer == {"workspaces": []}


def test_our_token_does_not_go_to_another_host() -> None:
    with pytest.raises(RefusedError, match="--allow-host evil"):
        target(lambda request: httpx.Response(200)).send(Request("POST", "https://evil.example/v1/api/workspaces/list"))


def test_what_the_guard_refuses_is_not_sent() -> None:
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    undeploy = Request("POST", "/v1/api/pipelines/undeploy", Headers(), b'{"deployment_id": 1}')
    with pytest.raises(RefusedError):
        target(handler, safeguards=guarded()).send(undeploy)
    assert not sent


def test_a_targets_own_text_never_shows_a_token() -> None:
    exchange = target(lambda request: httpx.Response(200), FixedToken("opensesame")).send(LIST)
    assert "opensesame" not in repr(exchange)


def _slowing(*answers: tuple[int, str]) -> tuple[Callable[[httpx.Request], httpx.Response], list[int]]:
    """Answers in turn, each a status and a Retry-After; what was answered is kept."""
    coming, given = iter(answers), list[int]()

    def handler(request: httpx.Request) -> httpx.Response:
        status, wait = next(coming)
        given.append(status)
        return httpx.Response(status, headers={"Retry-After": wait} if wait else {}, json={"workspaces": []})

    return handler, given


def test_a_429_is_sent_again_after_the_seconds_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("conformance.targets.target.time.sleep", pauses.append)
    handler, given = _slowing((429, "7"), (429, "2"), (200, ""))
    assert target(handler).send(LIST).status == 200
    assert (given, pauses) == ([429, 429, 200], [7.0, 2.0])


@pytest.mark.parametrize("wait", ["", "soon", "61"])
def test_a_429_that_names_no_time_or_too_long_a_one_is_what_came(wait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("conformance.targets.target.time.sleep", pauses.append)
    handler, given = _slowing((429, wait))
    assert target(handler).send(LIST).status == 429
    assert (given, pauses) == ([429], [])
