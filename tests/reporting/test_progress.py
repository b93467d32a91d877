"""What a person sees of a run while it goes on."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.model import Exchange, Headers, Request, Response
from conformance.reporting.progress import Found, Progress, line_of
from conformance.targets import waits

NOTHING, TWO = Found(), Found(broken=2)


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb-256color")
    monkeypatch.setenv("COLUMNS", "80")


def clock_of(*moments: float) -> Callable[[], float]:
    remaining = list(moments)
    return lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0]


def seen(text: str) -> str:
    """What a terminal still shows of a line that was drawn in place, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text.rsplit("\x1b[2K", 1)[-1])


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_line_for_each_suite_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    progress = Progress(file)
    for done in range(5):
        progress.update("lifecycle", done, 4, TWO if done > 1 else NOTHING)
    progress.close()
    (line,) = file.getvalue().splitlines()
    assert line.split()[:3] == ["✗", "lifecycle", "4/4"]
    assert line.endswith("2 broken")


def test_a_warning_is_no_cross_and_what_is_excused_is_none() -> None:
    file = io.StringIO()
    progress = Progress(file)
    progress.update("identity", 1, 1, Found(warnings=2))
    progress.update("lifecycle", 1, 1, Found(excused=1))
    identity, lifecycle = file.getvalue().splitlines()
    assert (identity[0], lifecycle[0]) == ("!", "✓")
    assert identity.endswith("2 warnings")
    assert lifecycle.endswith("1 excused")


def test_each_suite_is_told_its_own_findings() -> None:
    file = io.StringIO()
    progress = Progress(file)
    progress.update("refusals", 1, 1, TWO)
    progress.update("identity", 1, 1, NOTHING)
    refusals, identity = file.getvalue().splitlines()
    assert refusals.endswith("2 broken")
    assert identity.endswith("nothing broken")


def test_a_terminal_is_redrawn_in_place() -> None:
    tty = Tty()
    progress = Progress(tty, clock=clock_of(*range(9)))
    for done in range(3):
        progress.update("lifecycle", done, 4, NOTHING)
    assert "\n" not in tty.getvalue()
    progress.close()
    assert seen(tty.getvalue()).endswith("nothing broken, not finished\n")


def test_a_half_done_line_does_not_stay_behind() -> None:
    tty = Tty()
    progress = Progress(tty)
    progress.update("identity", 1, 2, NOTHING)
    progress.update("generated", 1, 1, NOTHING)
    progress.update("identity", 2, 2, NOTHING)
    progress.close()
    stay = [seen(line) for line in tty.getvalue().split("\n") if seen(line)]
    assert [line.split()[1] for line in stay] == ["generated", "identity"]


def test_the_time_of_a_suite_is_that_of_its_own_items() -> None:
    file, moment = io.StringIO(), [0.0]
    progress = Progress(file, clock=lambda: moment[0])
    for at, suite, done, total in (
        (0, "identity", 0, 2),
        (1, "identity", 1, 2),
        (8, "generated", 1, 1),
        (10, "identity", 2, 2),
    ):
        moment[0] = float(at)
        progress.update(suite, done, total, NOTHING)
    generated, identity = file.getvalue().splitlines()
    assert "7.0 s" in generated
    assert identity.split()[4] == "3.0"


def test_the_clock_moves_while_an_item_runs() -> None:
    tty = Tty()
    progress = Progress(tty)
    progress.begin("asking http://127.0.0.1:1")
    progress.start("generated", 25)
    before = tty.getvalue()
    until(lambda: len(set(tty.getvalue()[len(before) :].split("\r"))) > 3)
    progress.close()
    times = {part.split()[4] for part in tty.getvalue().split("\x1b[2K") if "generated" in part}
    assert len(times) > 1


def test_a_wait_says_for_what_how_long_already_and_how_long_at_most() -> None:
    tty = Tty()
    name = "conformance-0123abcd-pipeline-7"
    wait = waits.Wait(f"{name} to run", time.monotonic() - 58, 300.0)
    progress = Progress(tty, wait=lambda: wait)
    progress.begin("asking")
    progress.update("lifecycle", 1, 41, NOTHING)
    progress.close()
    assert "58 of 300 s for pipeline-7 to run" in tty.getvalue()


def test_a_line_of_a_terminal_is_never_wider_than_it() -> None:
    tty = Tty()
    wait = waits.Wait("a deployment of a very long name to run " * 3, time.monotonic() - 58, 300.0)
    progress = Progress(tty, wait=lambda: wait)
    progress.update("lifecycle", 1, 41, NOTHING)
    assert len(seen(tty.getvalue())) <= 79


def test_a_silent_minute_gets_a_line_where_there_is_no_terminal() -> None:
    file, moment = io.StringIO(), [0.0]
    wait = waits.Wait("conformance-0123abcd-pipeline-7 to run", time.monotonic() - 61, 300.0)
    progress = Progress(file, clock=lambda: moment[0], wait=lambda: wait)
    progress.begin("asking")
    progress.update("lifecycle", 1, 41, NOTHING)
    assert file.getvalue() == ""
    moment[0] = 61.0
    until(lambda: file.getvalue().count("\n") >= 2)
    progress.close()
    text = " ".join(file.getvalue().split())
    assert "lifecycle 1/41 items" in text
    assert "waiting for conformance-0123abcd-pipeline-7 to run: 61 s of at most 300 s" in text
    assert all(len(line) <= 80 for line in file.getvalue().splitlines())


def test_a_descriptor_that_is_redirected_meanwhile_is_still_drawn_on(tmp_path: Path) -> None:
    with (tmp_path / "shown").open("w", encoding="latin-1") as file:
        progress = Progress(file)
    progress.update("lifecycle", 1, 1, NOTHING)
    progress.close()
    assert r"\u2713 lifecycle" in (tmp_path / "shown").read_text(encoding="latin-1")


def test_what_steers_a_terminal_is_escaped() -> None:
    file = io.StringIO()
    Progress(file).say("Undeploying \x1b[2J")
    assert "\x1b" not in file.getvalue()


def test_the_oldest_of_several_waits_is_the_one_that_is_told() -> None:
    assert waits.oldest() is None
    with waits.awaiting("a", 9.0, began=5.0), waits.awaiting("b", 9.0, began=4.0):
        assert waits.oldest() == waits.Wait("b", 4.0, 9.0)
    assert waits.oldest() is None


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
