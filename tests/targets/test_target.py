"""A target sends one request and returns one exchange, whatever comes back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from conformance.checks import Rules, judge
from conformance.errors import CredentialsRefusedError
from conformance.ledger import Ledger
from conformance.model import Headers, Mark, Request
from conformance.spec.document import Document
from conformance.targets.credentials import FixedToken
from conformance.targets.reception import Bounds
from conformance.targets.safety.guard import CircuitBreaker, Guard, Limits, RefusedError
from conformance.targets.safety.holdings import Holdings
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


def guarded(limits: Limits = Limits(), breaker: CircuitBreaker | None = None) -> Safeguards:  # noqa: B008  frozen
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


def test_a_429_that_asks_for_too_long_a_wait_is_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("conformance.targets.target.time.sleep", pauses.append)
    handler, given = _slowing((429, "61"))
    assert target(handler).send(LIST).status == 429
    assert (given, pauses) == ([429], [])


@pytest.mark.parametrize("wait", ["", "soon"])
def test_a_429_that_names_no_time_is_sent_again_after_growing_pauses(
    wait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("conformance.targets.target.time.sleep", pauses.append)
    handler, given = _slowing((429, wait), (429, wait), (429, wait), (200, ""))
    assert target(handler).send(LIST).status == 200
    assert (given, pauses) == ([429, 429, 429, 200], [0.25, 0.5, 1.0])


CREATE = Request(
    "POST", "/v1/api/workspaces/create", LIST.headers, json.dumps({"workspace_name": "conformance-1-w"}).encode()
)
LOST, NGINX = None, "<html><head><title>x</title></head><body><hr><center>nginx</center></body></html>"


class Before:
    """What stands before an instance: loses answers or gives its own, in turn; what was asked is kept by its path."""

    def __init__(self, *answers: int | None, workspaces: tuple[str, ...] = (), done: bool = True) -> None:
        self.answers, self.asked = list(answers), list[str]()
        self.workspaces, self.done = list(workspaces), done

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path.removeprefix("/v1/api/"))
        if request.url.path.endswith("list"):
            named = [{"name": name, "id": number} for number, name in enumerate(self.workspaces)]
            return httpx.Response(200, json={"workspaces": named})
        came = self.answers.pop(0) if self.answers else 200
        if came is LOST:
            self.workspaces += ["conformance-1-w"] if self.done else []
            raise httpx.ReadError("reset", request=request)
        if came == 400:
            return httpx.Response(400, json={"msg": "Bad request: it is there", "code": 400})
        return httpx.Response(came, json={"workspace_id": 7}) if came == 200 else httpx.Response(came, text=NGINX)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("conformance.targets.target.time.sleep", pauses.append)
    return pauses


STATUS = Request("POST", "/v1/api/status/get_deployment", LIST.headers, b'{"name": "p-1"}')


@pytest.mark.parametrize("came", [LOST, 502, 504], ids=str)
def test_what_only_reads_is_asked_again(came: int | None, unhurried: list[float]) -> None:
    before = Before(came)
    exchange = target(before).send(STATUS)
    assert (exchange.status, before.asked) == (200, ["status/get_deployment"] * 2)
    assert Mark.UNKNOWN not in exchange.labels


def test_a_read_that_is_never_answered_is_told_as_it_is(unhurried: list[float]) -> None:
    exchange = target(Before(LOST, LOST, LOST)).send(STATUS)
    assert (exchange.response, Mark.UNKNOWN in exchange.labels) == (None, False)


def test_what_was_lost_and_not_done_is_asked_again_after_a_look(unhurried: list[float]) -> None:
    before = Before(LOST, 400, done=False)
    exchange = target(before).send(CREATE)
    assert before.asked == ["workspaces/create", "workspaces/list", "workspaces/create"]
    assert (exchange.status, Mark.UNKNOWN in exchange.labels) == (400, False), (
        "the refusal is of a request never done before"
    )


def test_what_was_lost_and_done_is_unknown_where_it_is_refused_then(unhurried: list[float]) -> None:
    exchange = target(Before(LOST, 400)).send(CREATE)
    assert (exchange.status, Mark.UNKNOWN in exchange.labels) == (400, True)
    assert judge(exchange, Ledger(), Rules.of()) == []


def test_what_was_lost_and_is_served_then_is_judged(unhurried: list[float]) -> None:
    exchange = target(Before(LOST, 200)).send(CREATE)
    assert (exchange.status, exchange.labels) == (200, frozenset())


def test_what_no_connection_carried_was_not_done(unhurried: list[float]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    exchange = target(handler).send(CREATE)
    assert Mark.UNKNOWN not in exchange.labels
    assert "no connection" in exchange.failure


def test_a_gateways_503_is_waited_out_and_the_apis_own_is_judged(unhurried: list[float]) -> None:
    before = Before(503, 503, 503)
    assert target(before).send(CREATE).status == 200
    assert unhurried == [0.25, 0.5, 1.0]
    own = target(lambda request: httpx.Response(503, json={"msg": "down", "code": 503})).send(STATUS)
    assert own.status == 503
    assert judge(replace(own, intent="valid"), Ledger(), Rules.of())


def test_what_stands_between_is_counted_with_an_example(unhurried: list[float]) -> None:
    one = target(Before(502, LOST, 200, 503, 200))
    one.send(STATUS)
    one.send(STATUS)
    told = {(kind, what.partition(" (")[0]): count for kind, what, count, _ in one.troubles()}
    assert told == {
        ("gateway", "502 by nginx"): 1,
        ("lost", "the answer broke off or is not HTTP"): 1,
        ("haste", "503 by nginx"): 1,
    }
    assert one.troubles() == []


def test_each_request_has_an_id_of_its_own() -> None:
    sent: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["x-request-id"])
        return httpx.Response(200, json={"workspaces": []})

    one = target(handler, safeguards=guarded())
    kept = one.send(LIST)
    one.send(kept.request)
    assert len(set(sent)) == 2
    assert all(number.startswith("x-") for number in sent), "an operator knows the run by it"


def test_a_base_path_is_kept_and_nothing_is_asked_beside_it() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"workspaces": []})

    client = httpx.Client(transport=httpx.MockTransport(handler))
    one = Target("live", "https://a.example/tenant-b", client, Document.load().match, FixedToken("t"))
    exchange = one.send(LIST)
    assert (exchange.operation, asked) == ("workspaces.list", ["https://a.example/tenant-b/v1/api/workspaces/list"])
    with pytest.raises(RefusedError, match="beneath"):
        one.send(replace(LIST, url="https://a.example/v1/api/workspaces/list"))
    assert len(asked) == 1


def test_a_copy_that_was_lost_is_unknown_where_it_is_refused_then(unhurried: list[float]) -> None:
    copy = b'{"name": "conformance-1-c", "workspace_id": 1, "source_pipeline": 1}'
    exchange = target(Before(LOST, 400)).send(Request("POST", "/v1/api/pipelines/copy", LIST.headers, copy))
    assert (exchange.status, Mark.UNKNOWN in exchange.labels) == (400, True)
