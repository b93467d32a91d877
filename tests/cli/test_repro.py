"""A finding as a script and a test: exit 1 while it stands, 0 once it is mended, and nothing is left deployed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.model import Finding
from conformance.reporting.reproduction import write
from conformance.reporting.sequences import bash_of, pytest_of
from conformance.run.replay import Replay
from tests.reporting import sample
from tests.run.test_replay import AGAIN, USER, faulty, good, sequence  # noqa: F401

needs_curl = pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="curl is not installed")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main([*map(str, arguments)])
    out, err = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, out, err


def result(path: Path, *findings: dict[str, Any]) -> Path:
    whole = sample.result()
    row = next(row for row in whole["requirements"] if row["findings"])
    told = [row["findings"][0] | {"script": "", "pytest": ""} | finding for finding in findings]
    whole["requirements"] = [row | {"id": AGAIN, "outcome": "broken", "findings": told}]
    path.write_text(json.dumps(whole), "utf-8")
    return path


@needs_curl
def test_script_and_test_exit_1_where_it_stands_and_0_where_it_is_mended(
    sequence: Any,  # noqa: F811
    good: str,  # noqa: F811
    faulty: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    finding = Finding(AGAIN, False, "the same id", "another", tuple(sequence), "pipelines.deploy")
    made = {"fingerprint": "f", "script": bash_of(sequence), "pytest": pytest_of(sequence, finding)}
    script, test = write(tmp_path, [(AGAIN, made)])
    for url, code in ((good, 0), (faulty, 1)):
        with Replay.from_environment({**USER, "CONFORMANCE_TARGET": url}) as target:
            token = target.send("POST", "/v1/api/workspaces/list", json={}).request.headers["authorization"]
        environment = {**os.environ, **USER, "TARGET": url, "CONFORMANCE_TARGET": url, "PYTHON": sys.executable,
                       "TOKEN": token.partition(" ")[2], "NO_PROXY": "127.0.0.1"}  # fmt: skip
        for command in (["bash", str(script)], [sys.executable, str(test)]):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
            assert done.returncode == code, done.stdout + done.stderr
            assert ("The finding stands" in done.stdout) == bool(code)


def test_repro_writes_the_findings_of_a_requirement(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    findings = [{"fingerprint": f"{n:016}", "script": "#!/usr/bin/env bash\n", "pytest": f"# {n}\n"} for n in (1, 2)]
    file = result(tmp_path / "r.json", *findings)
    code, out, _ = run(capsys, "repro", file, AGAIN, "--output", tmp_path / "out")
    assert code == 0
    assert [Path(line).name for line in out.splitlines()] == [
        "pipelines_deploy_again_returns_the_same_id.sh",
        "test_pipelines_deploy_again_returns_the_same_id.py",
        "pipelines_deploy_again_returns_the_same_id_2.sh",
        "test_pipelines_deploy_again_returns_the_same_id_2.py",
    ]
    code, out, _ = run(capsys, "repro", file, f"{2:016}", "--output", tmp_path / "one")
    assert (code, len(out.splitlines())) == (0, 2)
    assert (tmp_path / "one" / "test_pipelines_deploy_again_returns_the_same_id.py").read_text("utf-8") == "# 2\n"


def test_what_cannot_be_written_again_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = result(tmp_path / "r.json", {"fingerprint": "f" * 16})
    code, _, err = run(capsys, "repro", file, "pipelines.deploy.nothing")
    assert (code, "it has findings on: pipelines.deploy.again-returns-the-same-id" in err) == (2, True)
    code, _, err = run(capsys, "repro", file, AGAIN, "--output", tmp_path / "out")
    assert (code, "invalid tokens" in err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_replay_that_was_answered_nothing_shows_nothing() -> None:
    nobody = {**USER, "CONFORMANCE_TARGET": "http://127.0.0.1:9", "CONFORMANCE_TOKEN": "t"}

    def test() -> None:
        with Replay.from_environment(nobody) as target:
            target.send("POST", "/v1/api/workspaces/list", json={})
        assert target.broken(AGAIN) == []

    assert Replay.main(test) == 3


def test_a_token_goes_to_a_shell_and_into_no_file(capsys: pytest.CaptureFixture[str], good: str) -> None:  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        for name, value in USER.items():
            patch.setenv(name, value)
        code, out, _ = run(capsys, "token", "--target", good, "--export")
        assert code == 0
        assert out.startswith(f"export TARGET={good}\nexport TOKEN=ey")
        code, out, err = run(capsys, "token", "--target", good)
        assert (code, out) == (2, "")
        assert "--export" in err
        assert run(capsys, "token", "--target", "emulated", "--export")[0] == 2
