"""The sample project's own tests, in a copy of it and a pytest of its own, as somebody would run them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).with_name("sample-project")


def test_the_sample_projects_tests_pass(tmp_path: Path) -> None:
    shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--strict-markers", "-rA"]
    done = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "8 passed" in done.stdout
