"""`conformance waivers`: what a commit hook is told, and what is proposed."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from tests.reporting import sample

REAL = "pipelines.deploy.again-returns-the-same-id"
TODAY = datetime.date.today()


def code(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def written(path: Path, requirement: str = REAL, days: int = 10) -> Path:
    day = TODAY + datetime.timedelta(days=days)
    path.write_text(f'[[waiver]]\nrequirement = "{requirement}"\nreason = "r"\nowner = "o"\nlast_day = {day}\n')
    return path


@pytest.mark.parametrize(
    ("days", "expected", "said"),
    [
        (10, 0, "1 waiver, all in order"),
        (0, 0, "all in order"),
        (-1, 1, "expired"),
        (181, 2, "more than 180 days ahead"),
    ],
)
def test_a_file_is_checked_by_its_days(days: int, expected: int, said: str, tmp_path: Path, capsys: Any) -> None:
    assert code("waivers", "check", written(tmp_path / "w.toml", days=days)) == expected
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_one_wrong_file_of_several_is_wrong_usage(tmp_path: Path, capsys: Any) -> None:
    good, bad = written(tmp_path / "good.toml"), written(tmp_path / "bad.toml", f"{REAL}s")
    assert code("waivers", "check", good, bad) == 2
    assert f"the nearest is '{REAL}'" in capsys.readouterr().err


def test_no_file_is_wrong_usage() -> None:
    assert code("waivers", "check") == 2


@pytest.fixture
def result(tmp_path: Path) -> Path:
    (tmp_path / "result.json").write_text(json.dumps(sample.result()), encoding="utf-8")
    return tmp_path / "result.json"


def test_a_proposal_is_printed_or_written_to_a_new_file(result: Path, tmp_path: Path, capsys: Any) -> None:
    assert code("waivers", "propose", result, "--days", 5) == 0
    printed = capsys.readouterr().out
    assert {entry["last_day"] for entry in tomllib.loads(printed)["waiver"]} == {TODAY + datetime.timedelta(days=5)}
    assert code("waivers", "propose", result, "--days", 5, "--output", tmp_path / "w.toml") == 0
    assert (tmp_path / "w.toml").read_text(encoding="utf-8") == printed


def test_a_proposal_overwrites_nothing(result: Path, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text("mine")
    assert code("waivers", "propose", result, "--output", tmp_path / "w.toml") == 2
    assert (tmp_path / "w.toml").read_text() == "mine"


@pytest.mark.parametrize("days", [0, 181])
def test_days_are_bounded(days: int, result: Path) -> None:
    assert code("waivers", "propose", result, "--days", days) == 2
