from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

COMMAND = [sys.executable, "-P", "-m", "conformance", "emulate"]


def test_the_first_line_says_where_and_connections_are_accepted_by_then() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().removeprefix("Listening on ").strip()
        assert url.startswith("http://127.0.0.1:")
        document = httpx.get(f"{url}/v1/api/openapi.json", trust_env=False).json()
        assert document["info"]["version"] == "2023.4"
        child.send_signal(signal.SIGINT)
        assert child.wait(10) in (0, -signal.SIGINT, 3)


def test_it_ends_with_its_parent_even_by_sigkill() -> None:
    parent = (
        "import subprocess, sys, time;"
        f"child = subprocess.Popen({[*COMMAND, '--port', '0', '--exit-with-parent']!r}, stdin=subprocess.PIPE);"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("Listening on ").strip()
        assert httpx.get(f"{url}/v1/api/docs", trust_env=False).status_code == 200
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/v1/api/docs", trust_env=False)
        except httpx.TransportError:
            return
        time.sleep(0.05)
    pytest.fail("it outlived its parent")


def test_it_says_so_when_others_can_reach_it() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = [*COMMAND, "--port", "0", "--host", "0.0.0.0", "--exit-with-parent"]
    with subprocess.Popen(arguments, text=True, **pipes) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdin.close()
        child.wait(10)
        assert "Other machines can reach this instance" in child.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "infer-of-by"], "the nearest is 'infer-off-by-a-thousandth'"),
        (["--profile", "1999.1"], "'1999.1' is not one of"),
        (["--port", "70000"], "70000"),
        (["--start-seconds", "-1"], "-1"),
        (["--host", "no.such.host.invalid", "--port", "0"], "Cannot listen on"),
        (["--data-dir", __file__], "is a file"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_2(arguments: list[str], said: str) -> None:
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=20)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_data_folder_that_cannot_be_used_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"this is no database" * 100)
    result = subprocess.run(
        [*COMMAND, "--port", "0", "--data-dir", str(tmp_path)], capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 2
    assert "is no database of an emulated instance" in result.stderr
