"""Events of deployments, as exchanges tell them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.model import Exchange
from conformance.reporting import lifecycle
from conformance.reporting.lifecycle import condensed, event_of
from tests.reporting import sample


def at(exchange: Exchange, started: float, took: float = 0.01) -> Exchange:
    return replace(exchange, started=started, ended=started + took)


def status(word: str, code: int = 200) -> Exchange:
    body = f'{{"status": "{word}"}}'.encode()
    return sample.exchange("status.get-deployment", "/v1/api/status/get_deployment", b'{"name": "p-14"}', code, body)


UNDEPLOY = sample.exchange("pipelines.undeploy", "/v1/api/pipelines/undeploy", b'{"deployment_id": 14}', 200, b"null")
INFER = sample.exchange("pipelines.infer", "/v1/api/pipelines/infer/p%2D14/p", b"[]", 200, b"[]")


def events(*exchanges: Exchange) -> list[dict[str, Any]]:
    return condensed(event for exchange in exchanges if (event := event_of(exchange)))


def test_a_lifecycle_is_told_from_its_exchanges() -> None:
    told = events(
        at(sample.DEPLOY, 100.0), at(status("Starting"), 100.1), at(status("Starting"), 100.2),
        at(status("Running"), 100.3), at(INFER, 100.4, 0.02), at(UNDEPLOY, 100.5), at(status("x", 404), 100.7),
    )  # fmt: skip
    assert [(event["event"], event["deployment"], event["status"]) for event in told] == [
        ("deploy", "p-14", "200"),
        ("status", "p-14", "Starting"),
        ("status", "p-14", "Running"),
        ("infer", "p-14", "200"),
        ("undeploy", "p-14", "200"),
        ("status", "p-14", "404"),
    ]
    assert told[0]["at"] == 0
    (lane,) = lifecycle.lanes_of(told)
    assert (round(lane.to_running or 0, 6), round(lane.to_gone or 0, 6)) == (0.3, 0.2)


def test_a_change_that_nobody_watched_is_not_timed() -> None:
    told = events(at(sample.DEPLOY, 0), at(status("Running"), 0.5), at(UNDEPLOY, 1.0), at(status("x", 404), 61.0))
    (lane,) = lifecycle.lanes_of(told)
    assert (lane.to_running, lane.to_gone) == (0.5, None)


def test_what_says_nothing_of_a_deployment_or_has_no_time_is_no_event() -> None:
    assert event_of(sample.DEPLOY) is None
    assert event_of(at(sample.CREATE, 1.0)) is None
    refused = replace(sample.DEPLOY, response=replace(sample.DEPLOY.response, status=400))  # type: ignore[type-var]
    assert event_of(at(refused, 1.0)) is None


def test_deployments_that_were_not_seen_to_be_deployed_are_left_out() -> None:
    assert events(at(status("Running"), 1.0), at(INFER, 2.0)) == []
