"""Run the command line as a user does, in a process of its own and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.targets.emulated import emulator_process

Outcome = subprocess.CompletedProcess[str]
Run = Callable[..., Outcome]


@pytest.fixture
def conformance(tmp_path: Path) -> Run:
    """Runs `conformance …` in an empty folder, with nothing of ours in the environment but what is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "PYTEST_"))}
    clean["XDG_STATE_HOME"] = str(tmp_path / "state")

    def run(*arguments: str, timeout: float = 120, **environ: str) -> Outcome:
        command = [sys.executable, "-P", "-m", "conformance", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, cwd=tmp_path, env=clean | environ, check=False
        )

    return run


@pytest.fixture(scope="session")
def instance() -> Iterator[str]:
    """An emulated instance to be called as if it were somebody's live one."""
    with emulator_process() as url:
        yield url
