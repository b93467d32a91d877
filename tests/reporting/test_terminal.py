"""What a person sees at a terminal, and what they do not."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from conformance.reporting import terminal
from conformance.reporting.result import result_of
from conformance.run import baseline
from conformance.run.verdict import conclude
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
    assert text.index("Warnings") < text.index(sample.ALLOW.id) < text.index("\nBroken\n")


ABOUT = "emulated http://127.0.0.1:8080 · profile 2023.4 · scope everything"


def test_the_last_line_of_a_log_sums_up_counts_target_profile_and_scope() -> None:
    last = shown(sample.result()).rstrip("\n").splitlines()[-1]
    assert last == f"NOT CONFORMANT  1 broken, 1 warning, 1 waived, 2 held, 1 untested · {ABOUT}"


def test_on_a_terminal_what_the_verdict_is_about_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    tty = Tty()
    terminal.show(sample.result(), tty)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", tty.getvalue()).rstrip("\n").splitlines()
    assert lines[-2:] == [ABOUT, "NOT CONFORMANT  1 broken, 1 warning, 1 waived, 2 held, 1 untested"]
    assert [line for line in lines if len(line) > 80 and "--data-raw" not in line] == []


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


@pytest.mark.parametrize("change", [{"verdict": "none"}, {"target": {"kind": "recorded", "url": ""}}], ids=str)
def test_what_keeps_a_verdict_away_and_what_traffic_does_not_show_is_listed(change: dict[str, Any]) -> None:
    result = sample.result() | change
    untested = next(r for r in result["requirements"] if r["outcome"] == "untested")
    untested["reason"] = "A live target may not let us."
    text = shown(result)
    assert text.index("A live target may not let us.") < text.index(untested["id"])


def test_beside_a_verdict_the_untested_are_counted_and_listed_under_v() -> None:
    result = sample.result()
    untested = next(r for r in result["requirements"] if r["outcome"] == "untested")
    assert "Untested (-v says why): 1." in shown(result)
    assert untested["id"] not in shown(result)
    loud = io.StringIO()
    terminal.show(result, loud, verbose=True)
    assert untested["id"] in loud.getvalue()


def test_of_many_findings_the_first_are_shown_and_the_rest_counted() -> None:
    result = sample.result()
    broken = next(r for r in result["requirements"] if r["outcome"] == "broken")
    broken["findings"] *= 9
    assert "and 6 more" in shown(result)


def test_waivers_that_fail_a_run_are_named_with_their_owner() -> None:
    text = " ".join(shown(sample.result()).split())
    assert f"{sample.COPY.id}: stale, what it excuses holds (owner: platform)" in text
    assert f"{sample.SAME_ID.id}: expired, its last day was 2024-04-01" in text


def test_what_gates_stands_nearest_to_the_verdict() -> None:
    text = shown(sample.result())
    order = ("Waived", "Warnings", "\nBroken\n", sample.SAME_ID.id, "For details", "NOT CONFORMANT")
    places = [text.rindex(part) if part == sample.SAME_ID.id else text.index(part) for part in order[:3]]
    assert places == sorted(places)
    assert text.index("\nBroken\n") < text.index("For details") < text.index("NOT CONFORMANT")


def test_a_promise_that_no_instance_can_be_tested_on_is_named_under_v_alone() -> None:
    result = sample.result()
    untested = next(r for r in result["requirements"] if r["outcome"] == "untested")
    untested |= {"untestable": True, "reason": "It is about a caption."}
    quiet = shown(result)
    assert untested["id"] not in quiet
    assert "1 sentence that cannot be tested on any instance" in quiet
    loud = io.StringIO()
    terminal.show(result, loud, verbose=True)
    assert untested["id"] in loud.getvalue()
    assert "It is about a caption." in loud.getvalue()


def test_promises_that_were_left_out_are_said_and_items_are_counted_and_explained_under_v() -> None:
    groups = [
        {"reason": "Release 2026.1 has no a.b.", "items": 1, "requirements": ["a.b.c"]},
        {"reason": "Only Arrow here.", "items": 2, "requirements": []},
    ]
    result = sample.result(extra={"left_out": groups})
    assert "- Release 2026.1 has no a.b. (1 requirement, 1 item)" in shown(result)
    assert "Left out (-v says why): 2 items" in shown(result)
    assert "Only Arrow here." not in shown(result)
    loud = io.StringIO()
    terminal.show(result, loud, verbose=True)
    assert "- Only Arrow here. (2 items)" in loud.getvalue()


def test_what_was_broken_before_is_not_called_conformant_with_nothing_broken() -> None:
    known = baseline.inherited(sample.result())
    verdict = conclude(sample.ROWS, sample.findings(), (), sample.TODAY, inherited=known)
    text = shown(result_of(verdict, sample.RUN, sample.FACTS))
    assert text.rstrip().splitlines()[-1].startswith("CONFORMANT  2 broken as before, nothing new, ")
    assert "Broken as before: in the baseline too" in text
    assert "0 broken" not in text


def test_an_instance_of_another_release_is_pointed_out_beside_the_verdict() -> None:
    note = "The description that this instance serves matches release 2026.1."
    lines = shown(sample.result(extra={"notes": [note]})).splitlines()
    assert note in lines[-8:]
