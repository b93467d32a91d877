"""Whole runs against hostile targets: none hangs, none swells, none passes, none gives our token to another host."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.targets.emulated import emulator_process
from tests.cut_short import command, environment
from tests.hostile import PARTS, SHOUT, Hostile, Part, hands_out_a_foreign_url, hostile_server, redirects, self_signed

REQUEST_SECONDS = 3
MOST_SECONDS = 420
MOST_BYTES = 200 * 2**20

_PLACES = {
    "everywhere": (),
    "status": ("status/get_deployment",),
    "inference": ("pipelines/infer/",),
    "listing": ("models/list_versions",),
}


@dataclass(frozen=True)
class Ran:
    """How a run ended: exit code, all it said and wrote, its pages, most memory (bytes) and time (s)."""

    code: int
    said: str
    pages: str
    peak: int
    seconds: float


def ran(url: str, folder: Path) -> Ran:
    """A quick run of the lifecycle with every kind of report."""
    kinds = {"json": "r.json", "html": "r.html", "markdown": "r.md", "junit": "r.xml", "sarif": "r.sarif"}
    reports = [word for kind, name in kinds.items() for word in ("--report", f"{kind}={name}")]
    arguments = command("run", "--target", url, "--suite", "lifecycle", "--timeout", str(REQUEST_SECONDS), *reports)
    began = time.monotonic()
    with (folder / "said").open("wb") as out:
        process = subprocess.Popen(arguments, stdout=out, stderr=out, cwd=folder, env=environment(folder))
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() - began < MOST_SECONDS, "it hangs"
            time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    said = "".join(path.read_text(encoding="utf-8", errors="replace") for path in folder.iterdir() if path.is_file())
    pages = "".join(
        (folder / name).read_text(encoding="utf-8") for name in ("r.html", "r.md") if (folder / name).exists()
    )
    return Ran(process.returncode, said, pages, usage.ru_maxrss * unit, time.monotonic() - began)


@pytest.fixture(scope="module")
def instance() -> Iterator[str]:
    with emulator_process() as url:
        yield url


@pytest.fixture(scope="module")
def well(instance: str, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same run where nothing is hostile."""
    return ran(instance, tmp_path_factory.mktemp("well"))


def judge(run: Ran, well: Ran, hostile: Hostile) -> None:
    print(f"exit {run.code}, {run.seconds:.0f} s, {(run.peak - well.peak) / 2**20:+.0f} MB")
    assert run.code in (1, 3), run.said[-2000:]
    assert "Traceback" not in run.said
    assert "The suite itself failed" not in run.said, run.said[-3000:]
    assert run.peak - well.peak < MOST_BYTES
    assert "\x1b[2J" not in run.said
    assert SHOUT not in run.said
    assert "<script>alert(1)" not in run.pages
    for path, headers, body in hostile.seen_elsewhere:
        pytest.fail(f"another host was asked {path}, with {sorted(headers)} and {len(body)} bytes")


def _cast() -> Iterator[object]:
    """Each part everywhere, where the run ends early, and in one place, where it goes on around it."""
    for index, part in enumerate(PARTS):
        yield pytest.param(part, "everywhere", id=f"{part.__name__}-everywhere")
        place = list(_PLACES)[1 + index % 3]
        yield pytest.param(part, place, id=f"{part.__name__}-{place}")


@pytest.mark.parametrize(("part", "place"), list(_cast()))
def test_a_hostile_target_is_no_danger(instance: str, well: Ran, tmp_path: Path, part: Part, place: str) -> None:
    with hostile_server(instance, part, _PLACES[place]) as hostile:
        judge(ran(hostile.url, tmp_path), well, hostile)


@pytest.mark.parametrize("place", _PLACES)
def test_redirects_lead_nowhere(instance: str, well: Ran, tmp_path: Path, place: str) -> None:
    with hostile_server(instance, redirects, _PLACES[place]) as hostile:
        judge(ran(hostile.url, tmp_path), well, hostile)


def test_a_foreign_inference_url_is_reported_and_not_called(instance: str, well: Ran, tmp_path: Path) -> None:
    with hostile_server(instance, hands_out_a_foreign_url, ("get_pipeline_external_url",)) as hostile:
        run = ran(hostile.url, tmp_path)
        judge(run, well, hostile)
    assert run.code == 1
    assert "admin.get-pipeline-external-url.is-on-the-targets-host" in run.said


def test_a_certificate_that_nobody_vouches_for_is_no_verdict(instance: str, well: Ran, tmp_path: Path) -> None:
    with hostile_server(instance, redirects, tls=self_signed(tmp_path)) as hostile:
        run = ran(hostile.url, tmp_path)
        judge(run, well, hostile)
    assert run.code == 3
    assert "its certificate is not trusted" in run.said
