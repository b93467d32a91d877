"""What a person sees at a terminal, and what they do not."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from conformance.reporting import terminal
from tests.reporting import sample


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def shown(result: dict[str, Any]) -> str:
    file = io.StringIO()
    terminal.show(result, file)
    return file.getvalue()


def test_a_broken_requirement_says_what_is_promised_where_it_stands_and_how_to_see_it() -> None:
    text = shown(sample.result())
    for part in (
        sample.SAME_ID.id,
        "must, shown: recordings of 2023.4",
        "15, not 14",
        'Bearer $TOKEN"',
        "pipelines/deploy",
    ):
        assert part in text
    assert text.index(sample.SAME_ID.id) < text.index("Warnings") < text.index(sample.ALLOW.id)


def test_the_last_line_sums_up_counts_target_profile_and_scope() -> None:
    last = shown(sample.result()).rstrip("\n").splitlines()[-1]
    assert last == (
        "NOT CONFORMANT  1 broken, 1 warning, 1 waived, 2 held, 1 untested"
        " · emulated http://127.0.0.1:8080 · profile 2023.4 · scope everything"
    )


def test_a_conformant_run_ends_with_the_counts_too() -> None:
    assert shown(sample.conformant()).rstrip("\n").splitlines()[-1].startswith("CONFORMANT  0 broken, 6 held · ")


def test_nothing_but_commands_and_the_last_line_is_wider_than_80_columns() -> None:
    lines = shown(sample.result()).splitlines()
    assert [line for line in lines[:-1] if len(line) > 80 and "--data-raw" not in line] == []


def test_a_file_gets_no_colour_and_a_terminal_does() -> None:
    assert "\x1b" not in shown(sample.result())
    tty = Tty()
    terminal.show(sample.result(), tty)
    assert "\x1b[" in tty.getvalue()


def test_no_color_is_honoured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    tty = Tty()
    terminal.show(sample.result(), tty)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", tty.getvalue())


def test_a_target_cannot_steer_the_terminal() -> None:
    result = sample.result()
    broken = next(r for r in result["requirements"] if r["outcome"] == "broken")
    broken["findings"][0]["actual"] = "\x1b[2J\x1b]0;owned\x07 [red]markup[/red]"
    text = shown(result)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert r"\x1b[2J" in text
    assert "[red]markup[/red]" in text


def test_what_was_not_tested_is_listed_under_its_reason() -> None:
    result = sample.result()
    untested = next(r for r in result["requirements"] if r["outcome"] == "untested")
    untested["reason"] = "A live target may not let us."
    text = shown(result)
    assert text.index("A live target may not let us.") < text.index(untested["id"])


def test_of_many_findings_the_first_are_shown_and_the_rest_counted() -> None:
    result = sample.result()
    broken = next(r for r in result["requirements"] if r["outcome"] == "broken")
    broken["findings"] *= 9
    assert "and 6 more" in shown(result)


def test_waivers_that_fail_a_run_are_named_with_their_owner() -> None:
    text = " ".join(shown(sample.result()).split())
    assert f"{sample.COPY.id}: stale, what it excuses holds (owner: platform)" in text
    assert f"{sample.SAME_ID.id}: expired, its last day was 2024-04-01" in text


def test_progress_writes_one_line_per_suite_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    progress = terminal.Progress(file)
    for done in range(5):
        progress.update("lifecycle", done, 4, done // 2)
    progress.close()
    (line,) = file.getvalue().splitlines()
    assert line.split()[:3] == ["✗", "lifecycle", "4/4"]
    assert line.endswith("2 broken")


def test_progress_redraws_in_place_on_a_terminal() -> None:
    tty, clock = Tty(), iter(range(100))
    progress = terminal.Progress(tty, clock=lambda: next(clock))
    for done in range(3):
        progress.update("lifecycle", done, 4, 0)
    assert "\n" not in tty.getvalue()
    assert tty.getvalue().count("\r") == 3
    progress.close()
    assert tty.getvalue().endswith("\n")


def test_the_time_of_a_suite_is_that_of_its_own_items() -> None:
    file, clock = io.StringIO(), iter((0.0, 1.0, 8.0, 10.0))
    progress = terminal.Progress(file, clock=lambda: next(clock))
    for suite, done, total in (("identity", 0, 2), ("identity", 1, 2), ("generated", 1, 1), ("identity", 2, 2)):
        progress.update(suite, done, total, 0)
    generated, identity = file.getvalue().splitlines()
    assert "7.0 s" in generated
    assert "3.0 s" in identity
