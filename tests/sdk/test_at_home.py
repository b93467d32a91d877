"""One environment holds this package and the vendor's SDK, installed together as a user would.

Installed, and so run, only where CONFORMANCE_SDKS names a folder for the environments: `tox -e sdk`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = os.environ.get("CONFORMANCE_SDKS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="tox -e sdk installs the SDKs and runs these")


@pytest.fixture(scope="module", params=["2024.4.4", "2025.1.6", "2026.1.3"])
def home(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A version of the SDK, and the interpreter of an environment that has both."""
    environment = Path(FOLDER) / f"home-{request.param}"
    python = environment / "bin" / "python"
    if not (environment / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True, timeout=120)
        unpinned = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
        both = [f"wallaroo=={request.param}", f"{ROOT}[emulated]", "requests"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *both], check=True, timeout=1200, env=unpinned)
        (environment / "complete").touch()
    return request.param, python


def test_nothing_that_either_requires_is_missing(home: tuple[str, Path]) -> None:
    done = subprocess.run([str(home[1]), "-m", "pip", "check"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "No broken requirements found.")


def test_recordings_are_judged_there(home: tuple[str, Path], tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--pyargs", "conformance.suites", "-k", "replayed"]
    command = [str(home[1]), "-P", "-m", "pytest", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_the_sample_project_is_tested_there_with_the_sdk(home: tuple[str, Path], tmp_path: Path) -> None:
    version, python = home
    if version != "2026.1.3":
        pytest.skip("the sample project's SDK test is of release 2026.1")
    shutil.copytree(ROOT / "tests" / "sample-project", tmp_path / "project")
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path / "project")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "9 passed" in done.stdout
