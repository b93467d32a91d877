"""`conformance run` by its exit codes: 0 conformant, 1 broken, 2 wrong usage, 3 no verdict; never a traceback."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from conformance import data
from conformance.spec.requirements import load
from conformance.targets.emulated import emulator_process
from tests.cli.conftest import Outcome, Run

CREDENTIALS = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
QUICK = ("--budget", "quick")


@pytest.fixture
def dead_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def stranger() -> Iterator[str]:
    """A web server that is not this API."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def assert_one_sentence(outcome: Outcome) -> None:
    assert "Traceback" not in outcome.stdout + outcome.stderr
    assert "NOT CONFORMANT" not in outcome.stdout
    said = [line for line in outcome.stderr.splitlines() if line.strip()]
    assert len(said) == 1, said
    assert said[0].endswith(".")


def test_the_emulated_instance_is_conformant(conformance: Run, tmp_path: Path) -> None:
    outcome = conformance("run", "--target", "emulated", *QUICK, "--report", "json=result.json")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert result["verdict"] == "conformant"
    assert result["coverage"]["short"] == []
    schema = json.loads((data.SPECS / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema_rs.validator_for({**schema, "additionalProperties": False}, validate_formats=True).validate(result)
    gating = [row["id"] for row in result["requirements"] if row["gates"] and row["outcome"] == "untested"]
    assert all(row["reason"] for row in result["requirements"] if row["id"] in gating)
    last = outcome.stdout.strip().splitlines()[-1]
    assert last.startswith("CONFORMANT")
    assert "2023.4" in last


def test_requests_are_drawn_of_a_release_that_lacks_an_operation_and_what_is_left_out_is_said(conformance: Run) -> None:
    """`--budget quick` draws little; what it draws must still be served, and reach what the release has."""
    outcome = conformance(
        "run", "--target", "emulated", "--profile", "2026.1", "--suite", "generated", "--budget", "quick", "--seed", "7"
    )
    assert outcome.returncode == 0, outcome.stdout
    rows = len(load("2026.1").left_out["pipelines.copy"])
    assert f"Release 2026.1 has no pipelines.copy. ({rows} requirements, 2 items)" in outcome.stdout
    assert "profile 2026.1" in outcome.stdout


def test_a_fault_is_reported_under_its_requirement(conformance: Run, tmp_path: Path) -> None:
    with emulator_process(["--fault", "deploy-again-gives-a-new-id"]) as url:
        outcome = conformance("run", "--target", url, "--suite", "lifecycle", "--report", "json=r.json", **CREDENTIALS)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    result = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    broken = [row for row in result["requirements"] if row["outcome"] == "broken" and row["gates"]]
    assert [row["id"] for row in broken] == ["pipelines.deploy.again-returns-the-same-id"]
    assert "$TOKEN" in broken[0]["findings"][0]["curl"]
    assert "seed-deployPipeline-001" in outcome.stdout


def test_no_target_is_wrong_usage_that_names_both_choices(conformance: Run) -> None:
    outcome = conformance("run")
    assert outcome.returncode == 2
    assert_one_sentence(outcome)
    assert "--target URL" in outcome.stderr
    assert "--target emulated" in outcome.stderr


def test_an_empty_variable_is_no_target(conformance: Run) -> None:
    assert conformance("run", CONFORMANCE_TARGET="").returncode == 2


def test_a_dead_port_is_no_verdict(conformance: Run, dead_port: str) -> None:
    outcome = conformance("run", "--target", dead_port, **CREDENTIALS)
    assert outcome.returncode == 3
    assert_one_sentence(outcome)


def test_a_dead_port_is_no_verdict_with_a_token_too(conformance: Run, dead_port: str) -> None:
    outcome = conformance("run", "--target", dead_port, CONFORMANCE_TOKEN="any")
    assert outcome.returncode == 3
    assert_one_sentence(outcome)


def test_a_wrong_password_is_no_verdict_and_is_not_shown(conformance: Run, instance: str) -> None:
    outcome = conformance(
        "run", "--target", instance, CONFORMANCE_USERNAME="conformance", CONFORMANCE_PASSWORD="opensesame"
    )
    assert outcome.returncode == 3
    assert_one_sentence(outcome)
    assert "opensesame" not in outcome.stdout + outcome.stderr


def test_a_server_that_is_not_this_api_is_no_verdict(conformance: Run, stranger: str) -> None:
    for environ in (CREDENTIALS, {"CONFORMANCE_TOKEN": "any"}):
        outcome = conformance("run", "--target", stranger, **environ)
        assert outcome.returncode == 3
        assert_one_sentence(outcome)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "nowhere"], "is not a URL"),
        (["--target", "ftp://x.example"], "uses ftp, not HTTP"),
        (["--target", "emulated", "--profile", "1999.1"], "known releases: 2023.4"),
        (["--target", "emulated", "--only", "pipelines.deploi"], "the nearest is 'pipelines.deploy'"),
        (["--target", "emulated", "--suite", "lifecicle"], "lifecycle"),
        (["--target", "emulated", "--report", "jsn=x"], "the nearest is 'json'"),
        (["--target", "emulated", "--report", "json=nowhere/x.json"], "no folder"),
        (["--target", "emulated", "--model", "absent.onnx"], "is not a file"),
        (["--target", "emulated", "--waivers", "absent.toml"], "absent.toml"),
        (["--target", "emulated", "--fail-on", "new"], "needs --baseline"),
        (["--target", "emulated", "--timeout", "0"], "more than 0"),
        (["--target", "https://x.example"], "No credentials"),
        (["--target", "emulated", "--no-such-option"], "no-such-option"),
    ],
)
def test_wrong_usage_is_a_sentence(conformance: Run, arguments: list[str], said: str) -> None:
    outcome = conformance("run", *arguments)
    assert outcome.returncode == 2, outcome.stdout + outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert said in " ".join(outcome.stderr.split())


def test_a_file_that_is_no_model_is_a_sentence(conformance: Run, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    outcome = conformance("run", "--target", "emulated", "--model", "model.onnx")
    assert outcome.returncode == 2
    assert_one_sentence(outcome)


def test_the_callers_pytest_configuration_takes_no_part(conformance: Run, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -k nothing --strict-markers\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    outcome = conformance(
        "run", "--target", "emulated", "--suite", "identity", PYTEST_ADDOPTS="-k nothing", PYTEST_PLUGINS="nowhere"
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_items_that_were_deselected_narrow_the_scope_and_the_verdict_says_so(conformance: Run) -> None:
    outcome = conformance("run", "--target", "emulated", "--suite", "lifecycle", "--", "-k", "workspaces")
    assert outcome.returncode == 0, outcome.stdout
    assert "scope items selected by pytest options; suite lifecycle" in outcome.stdout.strip().splitlines()[-1]


def test_a_narrowed_run_says_its_scope(conformance: Run) -> None:
    outcome = conformance("run", "--target", "emulated", "--suite", "identity")
    assert outcome.returncode == 0
    assert "suite identity" in outcome.stdout.strip().splitlines()[-1]


def test_a_run_whose_time_is_over_ends_with_the_verdict_of_what_was_reached(conformance: Run) -> None:
    outcome = conformance("run", "--target", "emulated", *QUICK, "--max-seconds", "4", "--report", "json=result.json")
    assert outcome.returncode == 3, outcome.stdout
    said = " ".join(outcome.stdout.split())
    assert "The time limit of --max-seconds ended the run" in said
    assert "The run never tested" not in said


def test_a_list_sends_nothing(conformance: Run) -> None:
    outcome = conformance("run", "--list")
    assert outcome.returncode == 0
    assert "test_lifecycle" in outcome.stdout
