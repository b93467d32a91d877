"""A kept sequence runs again elsewhere, as a pytest file and as a bash script, and finds the fault where it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from conformance.errors import UsageError
from conformance.model import Exchange, Finding
from conformance.reporting.sequences import bash_of, pytest_of
from conformance.run.replay import Replay

AGAIN = "pipelines.deploy.again-returns-the-same-id"
USER = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


@contextmanager
def instance(*faults: str) -> Iterator[str]:
    given = [argument for fault in faults for argument in ("--fault", fault)]
    command = [sys.executable, "-m", "conformance", "emulate", "--port", "0", "--start-seconds", "0.05", *given]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("Listening on ").strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def good() -> Iterator[str]:
    with instance() as url:
        yield url


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    with instance("deploy-again-gives-a-new-id") as url:
        yield url


@pytest.fixture(scope="module")
def sequence(good: str) -> list[Exchange]:
    """Workspace, pipeline, deployment, Running, deployed again: as a run would have seen it."""
    with Replay.from_environment({**USER, "CONFORMANCE_TARGET": good}) as target:
        made = target.send("POST", "/v1/api/workspaces/create", json={"workspace_name": f"conformance-{target.run}-w"})
        workspace = made.answer["workspace_id"]
        pipeline = f"conformance-{target.run}-p"
        named = {"pipeline_id": pipeline, "workspace_id": workspace, "definition": {"steps": []}}
        created = target.send("POST", "/v1/api/pipelines/create", json=named)
        ids = {
            "deploy_id": pipeline,
            "pipeline_id": created.answer["pipeline_pk_id"],
            "pipeline_version_pk_id": created.answer["pipeline_variant_pk_id"],
        }
        deployed = target.send("POST", "/v1/api/pipelines/deploy", json=ids)
        name = {"name": f"{pipeline}-{deployed.answer['id']}"}
        running = target.send("POST", "/v1/api/status/get_deployment", json=name, until="Running")
        again = target.send("POST", "/v1/api/pipelines/deploy", json=ids, intent="valid")
        assert target.broken(AGAIN) == []
    return [made, created, deployed, running, again]


@pytest.fixture
def file(sequence: list[Exchange], tmp_path: Path) -> Path:
    finding = Finding(AGAIN, False, "the same id", "another", tuple(sequence), "pipelines.deploy")
    (tmp_path / "test_kept.py").write_text(pytest_of(sequence, finding), encoding="utf-8")
    return tmp_path


def run_pytest(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **USER, "CONFORMANCE_TARGET": url}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_the_pytest_file_passes_where_the_promise_is_kept(file: Path, good: str) -> None:
    done = run_pytest(file, good)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pytest_file_fails_where_it_is_broken_and_says_how(file: Path, faulty: str) -> None:
    done = run_pytest(file, faulty)
    assert done.returncode == 1, done.stdout + done.stderr
    assert AGAIN in done.stdout
    assert "again; actual" in done.stdout


@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="curl is not installed")
def test_the_bash_script_shows_the_fault_on_a_real_instance(
    sequence: list[Exchange], faulty: str, tmp_path: Path
) -> None:
    form = {"grant_type": "password", "client_id": "sdk-client", "username": "conformance", "password": "conformance"}
    answer = httpx.post(f"{faulty}/auth/realms/master/protocol/openid-connect/token", data=form, trust_env=False)
    environment = {**os.environ, "TOKEN": answer.json()["access_token"], "TARGET": faulty, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-c", bash_of(sequence)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    ids = [line for line in done.stdout.splitlines() if line.startswith('{"id":')]
    assert len(ids) == len(set(ids)) == 2


def test_without_a_target_it_says_what_to_set() -> None:
    with pytest.raises(UsageError, match="set CONFORMANCE_TARGET"), Replay.from_environment({}):
        pass


def test_what_it_deployed_is_gone_when_it_is_done(good: str) -> None:
    with Replay.from_environment({**USER, "CONFORMANCE_TARGET": good, "CONFORMANCE_WORKSPACE_ID": "10"}) as target:
        pipeline = f"conformance-{target.run}-end"
        created = target.send("POST", "/v1/api/pipelines/create", json={"pipeline_id": pipeline, "workspace_id": 10})
        ids = {
            "deploy_id": pipeline,
            "pipeline_id": created.answer["pipeline_pk_id"],
            "pipeline_version_pk_id": created.answer["pipeline_variant_pk_id"],
        }
        name = f"{pipeline}-{target.send('POST', '/v1/api/pipelines/deploy', json=ids).answer['id']}"
    with Replay.from_environment({**USER, "CONFORMANCE_TARGET": good}) as target:
        gone = target.send("POST", "/v1/api/status/get_deployment", json={"name": name}, until="404")
    assert gone.status == 404
