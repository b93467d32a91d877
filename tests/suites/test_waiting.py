"""Waiting ends as soon as it may, and no later than it must."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from conformance.api.client import ApiError, PipelineClient
from conformance.model import Exchange, Headers, Mark, Request, Response
from conformance.suites import waiting
from conformance.suites.waiting import ROUTED, RUNNING, until_gone, until_routed, until_running
from conformance.targets.waits import WaitBudget

STARTING, RUNS = b'{"status": "Starting"}', b'{"status": "Running"}'


class Answers:
    """A send that answers in turn, the last for ever; what it was asked is kept."""

    def __init__(self, answers: Iterable[tuple[int, bytes]]) -> None:
        self.answers, self.asked = list(answers), list[frozenset[str]]()

    def __call__(self, request: Request, *, intent: str = "", labels: frozenset[str] = frozenset()) -> Exchange:
        self.asked.append(labels)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Exchange(request, Response(status, Headers({"Content-Type": "application/json"}), body))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(waiting, "_LONGEST_PAUSE", 0.005)


def test_what_is_not_found_and_then_starts_comes_to_run() -> None:
    send = Answers([(404, b""), (200, STARTING), (200, RUNS)])
    until_running(PipelineClient(send), "p-1", WaitBudget(5))
    assert len(send.asked) == 3
    assert not any(Mark.DEADLINE in labels for labels in send.asked)


def test_a_wait_counts_from_when_a_deployment_was_asked_for() -> None:
    send, budget = Answers([(200, STARTING)]), WaitBudget(60)
    with pytest.raises(ApiError, match="did not become Running"):
        until_running(PipelineClient(send), "p-1", budget, time.monotonic() - 61)
    assert send.asked == [frozenset({Mark.DEADLINE})]
    assert budget.gave_up(RUNNING)


def test_what_never_goes_is_told_once_the_wait_is_over() -> None:
    budget = WaitBudget(0.02)
    with pytest.raises(ApiError, match="was not gone"):
        until_gone(PipelineClient(Answers([(200, RUNS)])), "p-1", budget)
    assert budget.gave_up("404")


@pytest.mark.parametrize("status", [404, 503])
def test_a_deployment_that_is_not_routed_yet_is_asked_until_it_is(status: int) -> None:
    send = Answers([(status, b""), (status, b""), (200, b"[]")])
    until_routed(PipelineClient(send), "/v1/api/pipelines/infer/p-1/p", "x", [1.0], WaitBudget(5))
    assert len(send.asked) == 3


def test_any_other_answer_is_taken_as_it_comes() -> None:
    send = Answers([(500, b"")])
    until_routed(PipelineClient(send), "/v1/api/pipelines/infer/p-1/p", "x", [1.0], WaitBudget(5))
    assert len(send.asked) == 1


def test_what_is_never_routed_is_waited_for_once() -> None:
    send, budget = Answers([(503, b"")]), WaitBudget(0.02)
    for _ in range(2):
        asked = len(send.asked)
        until_routed(PipelineClient(send), "/v1/api/pipelines/infer/p-1/p", "x", [1.0], budget)
    assert budget.gave_up(ROUTED)
    assert len(send.asked) == asked + 1
