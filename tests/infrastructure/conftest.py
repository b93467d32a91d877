"""One emulated instance, and the command line as a user runs it, under names that lead to this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.targets.emulated import emulator_process
from tests.infrastructure.programs import Authority, needed

Outcome = subprocess.CompletedProcess[str]
Run = Callable[..., Outcome]
Refused = Callable[..., tuple[int, str]]

# Every name under wallaroo.test is this machine; nothing else of the program is touched.
_RESOLVING = """
import socket, sys
resolve = socket.getaddrinfo
def here(host, *rest, **more):
    return resolve("127.0.0.1" if isinstance(host, str) and host.endswith(".wallaroo.test") else host, *rest, **more)
socket.getaddrinfo = here
from conformance.cli import main
main(sys.argv[1:])
"""

USER = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


def conformance_in(folder: Path) -> Run:
    """Runs `conformance …` in a folder; of the environment only what is given, but for the user."""
    ours = ("CONFORMANCE_", "PYTEST_", "SSL")
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) and not name.lower().endswith("_proxy")
    }
    clean["XDG_STATE_HOME"] = str(folder / "state")

    def run(*arguments: str, timeout: float = 300, **environ: str) -> Outcome:
        return subprocess.run(
            [sys.executable, "-P", "-c", _RESOLVING, *arguments],
            capture_output=True, text=True, timeout=timeout, cwd=folder, env=clean | USER | environ, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def conformance(tmp_path: Path) -> Run:
    """`conformance …` in an empty folder."""
    return conformance_in(tmp_path)


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """`conformance …` in this process, for runs that end before anything is judged: its exit code and what it said."""
    for name in list(os.environ):
        if name.startswith(("CONFORMANCE_", "SSL")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environ: str) -> tuple[int, str]:
        with monkeypatch.context() as during:
            for name, value in (USER | environ).items():
                during.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        said = capsys.readouterr().err
        assert isinstance(ended.value.code, int)
        return ended.value.code, said

    return run


@pytest.fixture(scope="session")
def instance() -> Iterator[str]:
    """An emulated instance, to stand behind what a test puts before it."""
    with emulator_process(["--token-seconds", "3600"]) as url:
        yield url


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority."""
    needed("openssl")
    return Authority.made(tmp_path_factory.mktemp("authority"))
