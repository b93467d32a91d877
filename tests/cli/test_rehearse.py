"""`conformance rehearse`: exit codes and sentences; what it finds is tested beside the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

COPY = """\
import os

import httpx

token = httpx.post(
    os.environ["WALLAROO_AUTH_URL"] + "/auth/realms/master/protocol/openid-connect/token",
    data={"grant_type": "password", "client_id": "sdk-client", "username": os.environ["WALLAROO_USER"],
          "password": os.environ["WALLAROO_PASSWORD"]},
).json()["access_token"]
api = httpx.Client(base_url=os.environ["WALLAROO_URL"] + "/v1/api", headers={"Authorization": f"Bearer {token}"})
made = api.post("/pipelines/create", json={"pipeline_id": "tool", "workspace_id": 10, "definition": {}}).json()
copy = {"name": "tool-copy", "workspace_id": 10, "source_pipeline": made["pipeline_pk_id"]}
print(api.post("/pipelines/copy", json=copy).raise_for_status().status_code)
"""


def test_a_file_that_works_ends_in_0_and_its_report_is_written(conformance: Run, tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text('print("the same everywhere")\n', encoding="utf-8")
    done = conformance("rehearse", "--release", "2026.1", "--report", "json=r.json", "tool.py")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    result = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [file["path"] for file in result["files"]] == ["tool.py"]


def test_a_script_that_calls_what_a_release_lacks_ends_in_1_and_names_it(conformance: Run, tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(COPY, encoding="utf-8")
    done = conformance("rehearse", "--from", "2023.4", "--release", "2026.1", "tool.py")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "pipelines.copy" in done.stdout or "pipelines/copy" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--release", "1999.1", "tool.py"), "There is no release '1999.1'"),
        (("--release", "2026.1", "missing.py"), "missing.py"),
        (("--release", "2026.1", "--python", "no-such-python", "tool.py"), "is no program that can be run"),
        (("--release", "2026.1", "--report", "sarif=x", "tool.py"), "no report kind 'sarif'"),
        (("--release", "2026.1", "--host", "a b", "tool.py"), "is no host"),
    ],
)
def test_wrong_usage_is_one_sentence(conformance: Run, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "tool.py").write_text("print(1)\n", encoding="utf-8")
    done = conformance("rehearse", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nothing_can_be_run_there_is_no_verdict(conformance: Run, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Only prose\n", encoding="utf-8")
    assert conformance("rehearse", "--release", "2026.1", "page.md").returncode == 3
