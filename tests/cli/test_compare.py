"""`conformance compare`: two instances asked the same, and what one answers otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from conformance import data
from conformance.targets.emulated import emulator_process

COMMAND = [sys.executable, "-m", "conformance"]
KNOWN = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFORMANCE_")} | KNOWN
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=600, env=environ)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A healthy release, recorded whole."""
    place = tmp_path_factory.mktemp("kept") / "release"
    with emulator_process([]) as url:
        done = ran("record", "--target", url, "--output", str(place), "--whole", "--journal", str(place.parent))
    assert done.returncode == 0, done.stderr
    return place


def compared(kept: Path, *arguments: str, report: Path, fault: str = "") -> tuple[int, dict[str, Any], str]:
    with emulator_process(["--fault", fault] if fault else []) as url:
        done = ran(
            *("compare", "--old", str(kept), "--new", url, "--report", f"json={report}"),
            *("--journal", str(report.parent), *arguments),
        )
    assert report.exists(), done.stderr
    return done.returncode, json.loads(report.read_text(encoding="utf-8")), done.stdout


def test_two_healthy_instances_answer_alike(tmp_path: Path) -> None:
    report = tmp_path / "comparison.json"
    done = ran("compare", "--old", "emulated", "--new", "emulated", "--report", f"json={report}")
    result = json.loads(report.read_text(encoding="utf-8"))
    assert (done.returncode, result["verdict"], result["differences"]) == (0, "same", []), done.stdout + done.stderr
    assert result["canary"] == "found"
    assert result["asked"] > 1000
    schema = json.loads((data.SPECS / "comparison.schema.json").read_text(encoding="utf-8"))
    jsonschema_rs.validator_for(schema).validate(result)


def test_a_release_that_was_recorded_is_compared_when_its_instance_is_gone(kept: Path, tmp_path: Path) -> None:
    code, result, said = compared(kept, report=tmp_path / "same.json")
    assert (code, result["verdict"], result["differences"]) == (0, "same", []), said


PLANTED = {
    "deploy-again-gives-a-new-id": ("pipelines.deploy", "response.200.body.id", "value"),
    "engine-without-ip": ("status.get-deployment", "response.200.body.engines[].ip", "gone"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_regression_stands_first_with_both_answers(kept: Path, tmp_path: Path, fault: str) -> None:
    reports = [f"{kind}={tmp_path / kind}" for kind in ("html", "junit", "markdown", "sarif")]
    options = [word for report in reports for word in ("--report", report)]
    code, result, said = compared(kept, *options, report=tmp_path / "comparison.json", fault=fault)
    assert (code, result["verdict"]) == (1, "breaking"), said
    first = result["differences"][0]
    assert (first["operation"], first["location"], first["kind"]) == PLANTED[fault]
    assert first["seen"] == "always"
    assert first["old_answer"]["body"] != first["new_answer"]["body"]
    assert "$TOKEN" in first["curl"]
    assert first["location"] in said
    for kind in ("html", "junit", "markdown", "sarif"):
        assert first["location"] in (tmp_path / kind).read_text(encoding="utf-8").replace("\\", "")


def test_an_accepted_difference_no_longer_gates_and_an_idle_entry_is_stale(kept: Path, tmp_path: Path) -> None:
    ignore = tmp_path / "ignore.toml"
    entries = (
        "status.get-deployment:response.200.body.engines[].ip:gone",
        "pipelines.deploy:response.200.body.id:type",
    )
    ignore.write_text(
        "\n".join(
            f'[[ignore]]\ndifference = "{entry}"\nreason = "known"\nowner = "the team"\nlast_day = 2999-12-31'
            for entry in entries
        )
    )
    options = ("--ignore", str(ignore))
    code, result, said = compared(kept, *options, report=tmp_path / "comparison.json", fault="engine-without-ip")
    assert (code, result["verdict"]) == (0, "same"), said
    assert "Nothing but accepted differences (1)" in result["reason"]
    assert [entry["difference"] for entry in result["stale"]] == [entries[1]]


def test_an_instance_compared_with_itself_has_no_verdict(instance: str) -> None:
    done = ran("compare", "--old", instance, "--new", f"{instance}/v1/api")
    assert done.returncode == 3
    assert "compared with itself" in done.stderr


def test_one_instance_under_two_addresses_has_no_verdict(instance: str, tmp_path: Path) -> None:
    other = instance.replace("127.0.0.1", "localhost")
    done = ran("compare", "--old", instance, "--new", other, "--journal", str(tmp_path))
    assert done.returncode == 3, done.stdout
    assert "lead to one instance" in done.stderr


@pytest.fixture(scope="module")
def instance() -> Iterator[str]:
    with emulator_process([]) as url:
        yield url


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--old", "nowhere", "--new", "emulated"), "neither a URL nor a folder"),
        (("--old", "emulated", "--new", "emulated", "--report", "pdf=x"), "no report kind 'pdf'"),
        (("--old", "emulated", "--new", "emulated", "--ignore", "missing.toml"), "cannot be read"),
        (("--old", "ftp://x", "--new", "emulated"), "uses ftp, not HTTP"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = ran("compare", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
