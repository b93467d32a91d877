"""Runs that are cut short at a chosen moment, on an instance whose disk tells what is deployed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.api.client import PipelineClient
from conformance.spec.document import Document
from conformance.targets.emulated import emulated_at, emulator_process

NEIGHBOUR = "conformance-00000000-pipeline"
"""A pipeline of somebody else's, named much like ours."""

CREDENTIALS = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


@dataclass(frozen=True)
class Instance:
    """An emulated instance with state on disk."""

    url: str
    state: Path

    def deployed(self) -> list[str]:
        """Names of the pipelines that are deployed now."""
        with sqlite3.connect(f"file:{self.state / 'state.sqlite'}?mode=ro", uri=True) as database:
            query = "SELECT p.name FROM deployment d JOIN pipeline p ON p.id = d.pipeline_id WHERE d.stopped IS NULL"
            return sorted(row[0] for row in database.execute(query))


@contextmanager
def instance_beside_a_neighbour(folder: Path, *options: str) -> Iterator[Instance]:
    """An instance on which somebody else's pipeline is deployed."""
    with emulator_process(["--data-dir", str(folder), *options]) as url:
        target = emulated_at(url, Document.load(), {})
        client = PipelineClient(lambda request, **_: target.send(request))
        client.deploy(NEIGHBOUR, client.create_pipeline(NEIGHBOUR, 10, {}).value).value  # noqa: B018
        target.close()
        yield Instance(url, folder)


def command(*arguments: str) -> list[str]:
    """`conformance …` as the installed one runs."""
    return [sys.executable, "-P", "-m", "conformance", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """An environment with credentials, and a state folder of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "PYTEST_"))}
    return clean | CREDENTIALS | {"XDG_STATE_HOME": str(folder / "state")}


@dataclass
class Cut:
    """A run in a process group of its own."""

    process: subprocess.Popen[str]
    journal: Path

    def lines(self) -> list[dict[str, object]]:
        """What its journal holds so far."""
        files = list(self.journal.glob("*.jsonl")) if self.journal.is_dir() else []
        text = files[0].read_text(encoding="utf-8") if files else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def wait_for_lines(self, count: int, seconds: float = 120) -> bool:
        """Until its journal has so many lines; False where the run ended before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if len(self.lines()) >= count:
                return True
            time.sleep(0.005)
        return False

    def wait_for_deployment(self, seconds: float = 120) -> bool:
        """Until it has something deployed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if any("deployment" in line for line in self.lines()):
                return True
            time.sleep(0.005)
        return False

    def kill(self) -> None:
        """SIGKILL to all of it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ended(self, seconds: float = 120) -> tuple[int, str]:
        """Its exit code and what it said."""
        said, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, said


@contextmanager
def run(instance: Instance, folder: Path, *options: str) -> Iterator[Cut]:
    """A run of the lifecycle against an instance; killed if it still runs at the end."""
    journal = folder / "journal"
    arguments = command("run", "--target", instance.url, "--suite", "lifecycle", "--journal", str(journal), *options)
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=environment(folder),
        start_new_session=True,
    )  # fmt: skip
    cut = Cut(process, journal)
    try:
        yield cut
    finally:
        if process.poll() is None:
            cut.kill()
        assert process.stdout is not None
        process.stdout.close()


def clean(instance: Instance, folder: Path) -> subprocess.CompletedProcess[str]:
    """`conformance clean` of all that journals in the folder show."""
    arguments = command("clean", "--target", instance.url, "--journal", str(folder / "journal"))
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=120, cwd=folder, env=environment(folder), check=False
    )
