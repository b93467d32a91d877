"""What a verdict says of what stood between a run and the API."""

from __future__ import annotations

from conformance.reporting.facts import Troubles
from conformance.targets.target import GATEWAY, HASTE, LOST


def test_each_kind_is_a_sentence_with_count_share_and_an_example() -> None:
    troubles = Troubles()
    troubles.add([(GATEWAY, "502 by nginx", 2, "POST /v1/api/x (request id a-1)")])
    troubles.add(
        [(GATEWAY, "502 by nginx", 1, "POST /v1/api/y (request id a-9)"), (HASTE, "429 by nginx", 1, "POST /z")]
    )
    troubles.add([(LOST, "the answer broke off", 4, "POST /w")])
    gateway, haste, lost = troubles.notes(300)
    assert "3 of 300 answers (1.0 %)" in gateway
    assert "3 × 502 by nginx, first to POST /v1/api/x (request id a-1)" in gateway
    assert "1 request was refused because of a rate limit" in haste
    assert "--rate N" in haste
    assert "4 answers were lost" in lost
    assert troubles.as_json(300) == {
        "answers": 3, "share": 0.01, "kinds": {"502 by nginx": 3}, "throttled": 1, "lost": 4, "unknown": 0,
    }  # fmt: skip


def test_a_few_answers_of_a_gateway_are_no_incident_and_many_are() -> None:
    few, many = Troubles(), Troubles()
    few.add([(GATEWAY, "502 by nginx", 10, "POST /x")])
    many.add([(GATEWAY, "403 by nginx", 107, "POST /x")])
    assert few.incident(20) == ""
    assert many.incident(3000) == "", "they are told of, and the rest says enough"
    assert "107 of 1000 answers (10.7 %)" in many.incident(1000)
    assert "first to POST /x" in many.incident(1000)


def test_refusals_for_haste_never_keep_a_run_from_its_verdict() -> None:
    troubles = Troubles()
    troubles.add([(HASTE, "429 by nginx", 900, "POST /x")])
    assert troubles.incident(1000) == ""
