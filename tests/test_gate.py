"""The gate as the sample project has it: its CI script, waivers and baseline, against an instance that is broken."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

SAMPLE = Path(__file__).resolve().parent.parent / "tests/sample-project"
COMMAND = [sys.executable, "-m", "conformance"]
AGAIN, SHA = "deploy-again-gives-a-new-id", "list-versions-another-sha"
AGAIN_BREAKS, SHA_BREAKS = (
    "pipelines.deploy.again-returns-the-same-id",
    "models.list-versions.sha-is-of-the-uploaded-bytes",
)

pytestmark = pytest.mark.skipif(
    not SAMPLE.is_dir(), reason="the sample project is part of the checkout, not of the package"
)

Gate = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def instance(*faults: str) -> Iterator[str]:
    """An emulated instance with faults, on a port of its own."""
    given = [argument for fault in faults for argument in ("--fault", fault)]
    process = subprocess.Popen(
        [*COMMAND, "emulate", "--port", "0", *given], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("Listening on ").strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the sample whose waiver is not past its day, whenever this runs."""
    shutil.copytree(SAMPLE, tmp_path / "project")
    waivers = tmp_path / "project/conformance-waivers.toml"
    day = datetime.date.today() + datetime.timedelta(days=30)
    lines = [f"last_day = {day}" if line.startswith("last_day") else line for line in waivers.read_text().splitlines()]
    waivers.write_text("\n".join(lines) + "\n")
    return tmp_path / "project"


@pytest.fixture
def gate(project: Path) -> Gate:
    """Runs the sample's CI script, narrowed to what the faults break, with arguments left out where a test says so."""

    def run(target: str, *, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        (script,) = yaml.safe_load((project / ".gitlab-ci.yml").read_text())["conformance"]["script"]
        for text in without:
            assert text in script
            script = script.replace(text, "")
        command = " ".join(map(str, COMMAND))
        narrowed = f"{command} run --budget quick --only {AGAIN_BREAKS} --only {SHA_BREAKS}"
        script = script.replace("conformance run", narrowed, 1)
        environment = {
            **os.environ, "CONFORMANCE_TARGET": target, "CONFORMANCE_USERNAME": "conformance",
            "CONFORMANCE_PASSWORD": "conformance", "COLUMNS": "80",
        }  # fmt: skip
        environment.pop("GITHUB_STEP_SUMMARY", None)
        return subprocess.run(
            ["bash", "-c", script], cwd=project, env=environment, capture_output=True, text=True, timeout=120
        )

    return run


WAIVERS, BASELINE = "--waivers conformance-waivers.toml", "--baseline conformance-baseline.json --fail-on new"


def broken(project: Path) -> set[str]:
    result = json.loads((project / "conformance.json").read_text())
    return {row["id"] for row in result["requirements"] if row["outcome"] == "broken" and row["gates"]}


def test_a_broken_instance_fails_and_its_waiver_lets_it_pass_until_it_is_mended(gate: Gate, project: Path) -> None:
    with instance(AGAIN) as url:
        refused = gate(url, without=(WAIVERS, BASELINE))
        assert refused.returncode == 1, refused.stdout + refused.stderr
        assert broken(project) == {AGAIN_BREAKS}
        job = yaml.safe_load((project / ".gitlab-ci.yml").read_text())["conformance"]["artifacts"]
        for name in [*job["paths"], job["reports"]["junit"]]:
            assert (project / name).stat().st_size > 1_000
        excused = gate(url, without=(BASELINE,))
        assert excused.returncode == 0, excused.stdout + excused.stderr
        assert "1 waived" in excused.stdout.splitlines()[-1]
    with instance() as url:
        stale = gate(url, without=(BASELINE,))
        assert stale.returncode == 1, stale.stdout + stale.stderr
        assert "stale" in stale.stdout


def test_an_inherited_instance_fails_for_what_is_new_alone(gate: Gate, project: Path) -> None:
    with instance(AGAIN) as url:
        assert gate(url, without=(WAIVERS, BASELINE)).returncode == 1
        shutil.copy(project / "conformance.json", project / "conformance-baseline.json")
        inherited = gate(url, without=(WAIVERS,))
        assert inherited.returncode == 0, inherited.stdout + inherited.stderr
    with instance(AGAIN, SHA) as url:
        worse = gate(url, without=(WAIVERS,))
        assert worse.returncode == 1, worse.stdout + worse.stderr
        assert broken(project) == {SHA_BREAKS}


def test_what_a_run_found_becomes_waivers_once_a_person_has_written_them(gate: Gate, project: Path) -> None:
    waivers = project / "conformance-waivers.toml"
    with instance(AGAIN, SHA) as url:
        assert gate(url, without=(WAIVERS, BASELINE)).returncode == 1
        proposed = subprocess.run(
            [*COMMAND, "waivers", "propose", "conformance.json"],
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        waivers.write_text(proposed.replace('"TODO"', '"Known."'))
        checked = subprocess.run(
            [*COMMAND, "waivers", "check", waivers.name], cwd=project, capture_output=True, text=True
        )
        assert (checked.returncode, checked.stderr) == (0, "")
        excused = gate(url, without=(BASELINE,))
        assert excused.returncode == 0, excused.stdout + excused.stderr
