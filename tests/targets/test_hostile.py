"""Whatever a target answers is an exchange, in bounded time (tests/soak measures the memory)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.model import Headers, Request
from conformance.spec.document import Document
from conformance.targets.credentials import FixedToken
from conformance.targets.emulated import emulator_process
from conformance.targets.reception import Bounds
from conformance.targets.target import Target
from conformance.targets.transport import http_client
from tests.hostile import PARTS, Part, hostile_server, redirects, self_signed

STATUS = Request(
    "POST", "/v1/api/status/get_deployment", Headers({"Content-Type": "application/json"}), b'{"name":"x"}'
)
SECONDS = 1.5


@pytest.fixture(scope="module")
def instance() -> Iterator[str]:
    with emulator_process() as url:
        yield url


def target(url: str) -> Target:
    return Target("live", url, http_client(), Document.load().match, FixedToken("opensesame"), bounds=Bounds(SECONDS))


ANSWERED = {
    "says_less_than_it_sends", "nests_deeply", "nests_as_far_as_can_be_read", "is_wide", "is_not_utf8",
    "holds_a_lone_surrogate", "writes_to_the_terminal", "asks_to_wait_for_ever",
}  # fmt: skip
SAID = {
    "never_ends": "the answer is larger than 12 MiB",
    "says_nothing": "no answer came within 1.5 s",
    "drips_its_head": "no answer came within 1.5 s",
    "drips_its_body": "within 1.5 s",
    "is_a_bomb": "the answer is larger than 12 MiB",
    "is_two_gigabytes": "the answer is larger than 12 MiB",
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_answer_is_an_exchange_in_bounded_time(instance: str, part: Part) -> None:
    with hostile_server(instance, part) as hostile:
        asked = target(hostile.url)
        began = time.monotonic()
        exchange = asked.send(STATUS)
        _ = exchange.answer
        elapsed = time.monotonic() - began
        asked.close()
    assert elapsed < SECONDS + 10, "ten more for a busy machine; dripping takes minutes"
    if part.__name__ in ANSWERED:
        assert exchange.response is not None
    else:
        assert exchange.response is None
        assert SAID.get(part.__name__, "the answer broke off or is not HTTP") in exchange.failure


def test_a_redirect_to_another_host_is_an_answer_and_nothing_goes_there(instance: str) -> None:
    with hostile_server(instance, redirects) as hostile:
        asked = target(hostile.url)
        assert asked.send(STATUS).status == 307
        asked.close()
    assert hostile.seen_elsewhere == []


def test_a_certificate_that_nobody_vouches_for_is_no_connection(instance: str, tmp_path: Path) -> None:
    with hostile_server(instance, redirects, tls=self_signed(tmp_path)) as hostile:
        asked = target(hostile.url)
        exchange = asked.send(STATUS)
        asked.close()
    assert exchange.response is None
    assert "its certificate is not trusted" in exchange.failure
    assert "--ca-file" in exchange.failure
