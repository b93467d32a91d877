"""How fast a target is asked, and how long a refusal for haste is waited out."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from conformance.model import Headers, Response
from conformance.targets.manners import LONGEST_PAUSE, Pace, pause, retry_after


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_pauses_grow_and_stay_bounded() -> None:
    pauses = [pause(attempt) for attempt in range(8)]
    assert pauses == sorted(pauses)
    assert pauses[:3] == [0.25, 0.5, 1.0]
    assert pause(10_000) == LONGEST_PAUSE


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("0", 0.0), ("", None), ("soon", None), ("-1", None)])
def test_seconds_are_honoured(said: str, seconds: float | None) -> None:
    assert retry_after(Response(429, Headers({"Retry-After": said} if said else {}))) == seconds


def test_a_date_is_honoured_and_one_that_is_past_is_now() -> None:
    later = retry_after(Response(503, Headers({"Retry-After": formatdate(time.time() + 30, usegmt=True)})))
    assert later is not None
    assert 25 < later <= 30
    assert retry_after(Response(503, Headers({"Retry-After": formatdate(time.time() - 30, usegmt=True)}))) == 0.0


def test_a_rate_is_kept_from_the_first_request_on() -> None:
    clock = Clock()
    pace = Pace(20, clock, clock.sleep)
    for _ in range(41):
        pace.await_turn()
        pace.answered()
    assert clock.now - 100.0 == pytest.approx(2.0)


def test_without_a_rate_or_a_refusal_nothing_is_waited_for() -> None:
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    for _ in range(100):
        pace.await_turn()
        pace.answered()
    assert clock.now == 100.0


def test_it_settles_under_what_a_target_takes() -> None:
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    refused, last = 0, 0.0
    for number in range(1000):
        pace.await_turn()
        sent, soon = clock.now, clock.now - last < 0.05  # twenty a second, and none kept waiting
        last = sent
        if soon:
            refused += number >= 100
            pace.slow_down(sent)
            clock.sleep(0.25)
        else:
            pace.answered()
    assert refused < 40, "few are refused once it has slowed down"
    assert clock.now - 100.0 < 1000 * 0.1, "and it is not much slower than it must be"


def test_of_several_sent_at_once_the_first_refusal_alone_counts() -> None:
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    sent = clock.now
    clock.sleep(0.01)
    for _ in range(8):
        pace.slow_down(sent)
    before = clock.now
    pace.await_turn()
    pace.await_turn()
    assert clock.now - before == pytest.approx(0.02)
