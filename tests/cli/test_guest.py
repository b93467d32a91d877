"""Installed beside other people's tests the plugin is a guest, and run by pytest itself the verdict still counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.targets.emulated import emulator_process

OURS = ("--pyargs", "conformance.suites", "--conformance-budget", "quick")
THEIR_OPTION = """
def pytest_addoption(parser):
    parser.addoption("--target", default="dev")
"""
THEIR_TEST = """
def test_theirs(request):
    assert request.config.getoption("--target") == "staging"
"""
MAKES_GREEN = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.outcome == "failed":
        report.outcome = "passed"
    return report
"""


def asked_of_pytest(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """pytest as its own user starts it, in a folder of theirs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=240, check=False, env=clean | environ,
    )  # fmt: skip


def test_a_projects_own_target_option_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(THEIR_OPTION)
    (tmp_path / "test_theirs.py").write_text(THEIR_TEST)
    done = asked_of_pytest(tmp_path, "--target", "staging")
    assert done.returncode == 0, done.stdout + done.stderr


def test_beside_it_our_suites_are_asked_by_our_own_name(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(THEIR_OPTION)
    done = asked_of_pytest(tmp_path, *OURS, "--conformance-target", "emulated", "-k", "identity and garbage")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CONFORMANT" in done.stdout


def test_outside_our_suites_every_option_has_our_name(tmp_path: Path) -> None:
    said = asked_of_pytest(tmp_path, "--help").stdout.split("API conformance:")[1].split("\n\n")[0]
    options = [line.split()[0] for line in said.splitlines() if line.startswith("  --")]
    assert options
    assert [option for option in options if not option.startswith("--conformance-")] == []


def test_a_part_of_the_items_is_a_narrowed_scope_and_the_verdict_says_so(tmp_path: Path) -> None:
    done = asked_of_pytest(tmp_path, *OURS, "--target", "emulated", "-k", "identity and garbage")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scope items selected by pytest options" in done.stdout


def test_recordings_alone_need_no_target_and_leave_no_verdict(tmp_path: Path) -> None:
    done = asked_of_pytest(tmp_path, *OURS, "-k", "replayed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERDICT" not in done.stdout


@pytest.mark.parametrize("plugin", ["", MAKES_GREEN], ids=["as it is", "with items made green"])
def test_over_a_verdict_that_is_not_conformant_pytest_is_not_green(plugin: str, tmp_path: Path) -> None:
    (tmp_path / "green.py").write_text(plugin)
    with emulator_process(["--fault", "workspaces-id-as-text"]) as url:
        done = asked_of_pytest(
            tmp_path, *OURS, "-p", "green", "--target", url, "-k", "identity and grants", PYTHONPATH=str(tmp_path),
            CONFORMANCE_USERNAME="conformance", CONFORMANCE_PASSWORD="conformance",
        )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NOT CONFORMANT" in done.stdout
