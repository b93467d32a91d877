"""A verdict survives its surroundings: what becomes of the output changes neither the exit code nor the reports."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import data
from conformance.cli.streams import SafeStream, unfailing

CREATE = data.FIXTURES / "recordings" / "pipelines.create"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A recording in which a promise that gates is broken, by a text that few encodings have."""
    recording = json.loads(next(iter(sorted(CREATE.glob("*.json")))).read_text(encoding="utf-8"))
    body = recording["response"]["body"]
    recording["response"]["body"] = body | {"pipeline_pk_id": "名前 ✓ 😀"}
    recording["response"].pop("sha256", None)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(recording), encoding="utf-8")
    return path


def checked(shell: str, broken: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """`conformance check` of that recording, its command line completed by a shell."""
    command = f'"{sys.executable}" -m conformance check "{broken}" --report json="{broken.parent}/r.json" {shell}'
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=broken.parent, capture_output=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(data.ROOT), **environ},
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8"])
def test_what_an_encoding_lacks_is_escaped(encoding: str, broken: Path) -> None:
    done = checked("", broken, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 1, done.stderr
    assert b"NOT CONFORMANT" in done.stdout
    assert b"failed" not in done.stderr


@pytest.mark.parametrize(
    "shell",
    ["> /dev/full", "2> /dev/full", "> /dev/full 2>&1", ">&-", "<&-", "2>&-", "<&- >&- 2>&-", "| true; exit 1"],
)
def test_whatever_becomes_of_the_output_the_exit_code_is_the_verdicts(shell: str, broken: Path) -> None:
    assert checked(shell, broken).returncode == 1
    assert json.loads((broken.parent / "r.json").read_text())["verdict"] == "not-conformant"


def test_a_pipe_that_closes_leaves_the_exit_code(broken: Path) -> None:
    command = f'"{sys.executable}" -m conformance check "{broken}"'
    done = subprocess.run(
        ["/bin/bash", "-c", f"{command} | head -c 1 > /dev/null; exit ${{PIPESTATUS[0]}}"], timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(data.ROOT)},
    )  # fmt: skip
    assert done.returncode == 1


def test_a_report_that_cannot_be_written_is_said_and_the_others_are_there(broken: Path) -> None:
    done = checked("--report html=/dev/full", broken)
    assert done.returncode == 1
    assert b"The html report cannot be written to /dev/full" in done.stderr
    assert json.loads((broken.parent / "r.json").read_text())["exit_code"] == 1


class _Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_stream_that_broke_stays_silent() -> None:
    stream = SafeStream(_Full())
    assert stream.write("a") == 1
    stream.flush()
    assert stream.broken
    assert not stream.isatty()  # all else is the stream's own


def test_streams_are_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with unfailing():
        print("said")
        assert sys.stdout is not before
    assert sys.stdout is before
    assert capsys.readouterr().out == "said\n"
