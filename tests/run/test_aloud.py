"""Each request in a line."""

from __future__ import annotations

from conformance.model import Exchange, Headers, Request, Response
from conformance.run.aloud import line_of

SENT = Request("POST", "https://a.example/v1/api/pipelines/create", Headers({"X-Request-Id": "r-7"}), b"{}")


def test_a_line_says_what_was_asked_what_came_and_by_which_id_it_is_found() -> None:
    line = line_of(Exchange(SENT, Response(200), started=1000.0, ended=1000.25), "gw1")
    assert line.partition(" ")[2] == "gw1 POST /v1/api/pipelines/create 200 250 ms r-7"


def test_a_gateways_answer_and_a_lost_one_are_told_apart() -> None:
    page = Response(502, Headers({"Content-Type": "text/html"}), b"<center>nginx</center>")
    assert "502 by nginx" in line_of(Exchange(SENT, page))
    assert "the answer broke off" in line_of(Exchange(SENT, None, failure="the answer broke off"))


def test_nothing_in_a_line_steers_a_terminal() -> None:
    odd = Request("POST", "https://a.example/\x1b[2J")
    assert "\x1b" not in line_of(Exchange(odd, Response(404)))
