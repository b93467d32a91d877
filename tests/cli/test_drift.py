from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from conformance.cli import main
from tests.drift.pairs import description


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    paths = []
    for name, schema in (("base", {"type": "string"}), ("revision", {"type": "string", "maxLength": 3})):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(description(schema, "request", {})), encoding="utf-8")
        paths.append(str(path))
    return paths[0], paths[1]


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["drift", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(
    ("fail_on", "breaking", "loosened", "same"), [("breaking", 1, 0, 0), ("any", 1, 1, 0), ("never", 0, 0, 0)]
)
def test_the_exit_code_is_what_fail_on_says(
    files: tuple[str, str], fail_on: str, breaking: int, loosened: int, same: int
) -> None:
    base, revision = files
    assert _run(base, revision, "--fail-on", fail_on) == breaking
    assert _run(revision, base, "--fail-on", fail_on) == loosened
    assert _run(base, base, "--fail-on", fail_on) == same


def test_json_goes_to_standard_output_alone(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*files, "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "breaking"
    assert told["changes"][0]["witness"] == "aaaa"


def test_an_ignored_change_does_not_fail(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ignore = tmp_path / "ignore.toml"
    ignore.write_text(
        '[[ignore]]\noperation = "do"\nreason = "r"\nowner = "o"\nlast_day = 2099-01-01\n', encoding="utf-8"
    )
    assert _run(*files, "--ignore", str(ignore)) == 0
    assert "Ignored until 2099-01-01" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [(), ("only-one.yaml",), ("none.yaml", "none.yaml"), ("a", "b", "--format", "pdf")]
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err
