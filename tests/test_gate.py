"""The gate as the sample project has it: its CI script, waivers and baseline, against an instance that is broken."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

SAMPLE = Path(__file__).resolve().parent / "sample-project"
COMMAND = [sys.executable, "-m", "conformance"]
AGAIN, SHA = "pipelines.deploy.again-returns-the-same-id", "models.list-versions.sha-is-of-the-uploaded-bytes"
WAIVERS = "--waivers conformance-waivers.toml"

Done = subprocess.CompletedProcess[str]


def ran(command: list[str], **options: object) -> Done:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload, no-any-return]


@contextmanager
def instance(*breaking: str) -> Iterator[str]:
    """An emulated instance with the faults that break these requirements, on a port of its own."""
    listed = json.loads(ran([*COMMAND, "faults", "--json"], check=True).stdout)
    faults = [next(fault["id"] for fault in listed if fault["breaks"] == [requirement]) for requirement in breaking]
    command = [*COMMAND, "emulate", "--port", "0", *(word for fault in faults for word in ("--fault", fault))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("Listening on ").strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def copied(folder: Path) -> Path:
    """A copy of the sample whose waiver is not past its day, whenever this runs."""
    shutil.copytree(SAMPLE, folder / "project")
    waivers = folder / "project/conformance-waivers.toml"
    day = datetime.date.today() + datetime.timedelta(days=30)
    lines = [f"last_day = {day}" if line.startswith("last_day") else line for line in waivers.read_text().splitlines()]
    waivers.write_text("\n".join(lines) + "\n")
    return folder / "project"


def gate(project: Path, target: str, *, without: tuple[str, ...] = (), baseline: str = "") -> Done:
    """Run the sample's CI script, narrowed to what the faults break, with arguments left out where a test says so."""
    (script,) = yaml.safe_load((project / ".gitlab-ci.yml").read_text())["conformance"]["script"]
    for text in without:
        assert text in script
        script = script.replace(text, "")
    assert script.startswith("conformance run ")
    script = (
        f"{' '.join(COMMAND)} run --budget quick --only {AGAIN} --only {SHA} {script.removeprefix('conformance run')}"
    )
    user = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    environment = {**os.environ, **user, "CONFORMANCE_TARGET": target, "COLUMNS": "80"}
    environment["CONFORMANCE_BASELINE"] = baseline
    environment.pop("GITHUB_STEP_SUMMARY", None)
    return ran(["bash", "-c", f"{script} -- -k 'again or listed'"], cwd=project, env=environment)


def broken(project: Path) -> set[str]:
    result = json.loads((project / "conformance.json").read_text())
    return {row["id"] for row in result["requirements"] if row["outcome"] == "broken" and row["gates"]}


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    with instance(AGAIN) as url:
        yield url


@pytest.fixture(scope="module")
def refused(faulty: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after a first run, without waivers and baseline, that the broken instance failed."""
    project = copied(tmp_path_factory.mktemp("refused"))
    done = gate(project, faulty, without=(WAIVERS,))
    assert done.returncode == 1, done.stdout + done.stderr
    return project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copied(tmp_path)


def test_a_broken_instance_fails_and_every_file_the_job_keeps_is_written(refused: Path) -> None:
    assert broken(refused) == {AGAIN}
    job = yaml.safe_load((refused / ".gitlab-ci.yml").read_text())["conformance"]["artifacts"]
    for name in [*job["paths"], job["reports"]["junit"]]:
        assert (refused / name).stat().st_size > 1_000


def test_a_waiver_lets_it_pass_until_it_is_mended(project: Path, faulty: str) -> None:
    excused = gate(project, faulty)
    assert excused.returncode == 0, excused.stdout + excused.stderr
    assert "1 waived" in excused.stdout.splitlines()[-1]
    with instance() as url:
        stale = gate(project, url)
    assert stale.returncode == 1, stale.stdout + stale.stderr
    assert "stale" in stale.stdout


def test_an_inherited_instance_fails_for_what_is_new_alone(project: Path, refused: Path, faulty: str) -> None:
    shutil.copy(refused / "conformance.json", project / "conformance-baseline.json")
    inherited = gate(project, faulty, without=(WAIVERS,), baseline="conformance-baseline.json")
    assert inherited.returncode == 0, inherited.stdout + inherited.stderr
    with instance(AGAIN, SHA) as url:
        worse = gate(project, url, without=(WAIVERS,), baseline="conformance-baseline.json")
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert broken(project) == {SHA}


def test_what_a_run_found_becomes_waivers_once_a_person_has_written_them(
    project: Path, refused: Path, faulty: str
) -> None:
    waivers = project / "conformance-waivers.toml"
    proposed = ran([*COMMAND, "waivers", "propose", str(refused / "conformance.json")], check=True).stdout
    waivers.write_text(proposed)
    assert ran([*COMMAND, "waivers", "check", str(waivers)]).returncode == 2
    waivers.write_text(proposed.replace('"TODO"', '"Known."'))
    checked = ran([*COMMAND, "waivers", "check", str(waivers)])
    assert (checked.returncode, checked.stdout) == (0, "1 waiver, all in order.\n")
    excused = gate(project, faulty)
    assert excused.returncode == 0, excused.stdout + excused.stderr
