"""The vendor's SDKs, unchanged, against the emulated instance of their release; each in an environment of its own.

They are installed, and these tests run, only where CONFORMANCE_SDKS names a folder for the environments: `tox -e sdk`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from conformance.data import FIXTURES
from conformance.emulator.settings import PROFILES

HERE = Path(__file__).parent
MODEL = FIXTURES / "models" / "fraud.onnx"
SDKS = tomllib.loads((HERE / "sdks.toml").read_text(encoding="utf-8"))["sdk"]
FOLDER = os.environ.get("CONFORMANCE_SDKS", "")

pytestmark = pytest.mark.skipif(not FOLDER, reason="tox -e sdk installs the SDKs and runs these")


@dataclass(frozen=True)
class Flow:
    """What one SDK saw, the release it was answered by, and the instance that answered."""

    release: str
    saw: dict[str, Any]
    url: str


@pytest.fixture(scope="module", params=SDKS, ids=lambda sdk: str(sdk["version"]))
def flow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    sdk = request.param
    python = installed(sdk["version"], sdk.get("requirements"))
    folder = tmp_path_factory.mktemp("sdk")
    with emulated(sdk["release"]) as url:
        yield Flow(sdk["release"], ran(python, url, folder), url)


def installed(version: str, requirements: list[str] | None) -> Path:
    """The interpreter of an environment that has this SDK; made where it is not there yet."""
    environment = Path(FOLDER) / version
    python = environment / "bin" / "python"
    if not (environment / "complete").exists():
        run = [sys.executable, "-m", "venv", "--clear", str(environment)]
        subprocess.run(run, check=True, timeout=120)
        pip = [str(python), "-m", "pip", "install", "-q"]
        if requirements:
            subprocess.run([*pip, *requirements], check=True, timeout=900, env=unconstrained())
            subprocess.run([*pip, "--no-deps", f"wallaroo=={version}"], check=True, timeout=300, env=unconstrained())
        else:
            subprocess.run([*pip, f"wallaroo=={version}"], check=True, timeout=900, env=unconstrained())
        (environment / "complete").touch()
    return python


def unconstrained() -> dict[str, str]:
    """The SDKs have pins of their own."""
    return {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}


class emulated:  # noqa: N801 - reads as what it gives
    """An emulated instance of a release, as a process; its URL while the block lasts."""

    def __init__(self, release: str) -> None:
        command = [sys.executable, "-P", "-m", "conformance", "emulate", "--port", "0", "--profile", release]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip().removeprefix("Listening on ")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()


def ran(python: Path, url: str, folder: Path) -> dict[str, Any]:
    """What the flow saw. A token is cached for any server, so each run has a cache of its own."""
    login = {"WALLAROO_USER": "conformance", "WALLAROO_PASSWORD": "conformance"}
    environment = os.environ | login | {"XDG_CACHE_HOME": str(folder), "MPLCONFIGDIR": str(folder)}
    command = [str(python), str(HERE / "flow.py"), url, str(MODEL)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    saw: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return saw


def test_the_user_logs_in_by_password_and_by_device_and_has_a_workspace(flow: Flow) -> None:
    assert flow.saw["default workspace"].endswith("Default Workspace")
    assert flow.saw["default workspace again"] is True
    assert flow.saw["workspace"] == "sdk-flow"
    assert "sdk-flow" in flow.saw["workspaces"]
    assert flow.saw["members"] is True


def test_a_model_is_uploaded_configured_listed_and_found(flow: Flow) -> None:
    assert [*flow.saw["model"][:1], *flow.saw["model"][2:]] == ["sdk-model", "ready", "fraud.onnx"]
    assert flow.saw["config"] == ["onnx", ["tensor"]]
    assert (flow.saw["models"], flow.saw["versions"]) == (["sdk-model"], [True])
    assert (flow.saw["found models"], flow.saw["found nothing"]) == ([True], [])


def test_a_pipeline_is_deployed_listed_and_found(flow: Flow) -> None:
    assert flow.saw["status"] == flow.saw["deployed again"] == "Running"
    assert flow.saw["pipelines"] == flow.saw["found pipelines"] == flow.saw["pipeline by name"] == ["sdk-pipeline"]
    assert flow.saw["found deployed"] is True
    assert flow.saw["definition"] == "sdk-model"
    assert flow.saw["url"] == "/v1/api/pipelines/infer/sdk-pipeline-ID/sdk-pipeline"
    assert flow.saw["shown"] == [True, True]


def test_inferences_are_what_the_model_computes_in_every_form(flow: Flow) -> None:
    session = onnxruntime.InferenceSession(MODEL.read_bytes(), providers=["CPUExecutionProvider"])
    rows = np.array([[0.5] * 29, [-1.25] * 29, [2.0] * 29], np.float32)
    (expected,) = session.run(None, {session.get_inputs()[0].name: rows})
    wanted = pytest.approx(expected[:, 0].tolist(), abs=1e-6)
    assert flow.saw["outputs"] == wanted
    assert flow.saw["arrow outputs"] == wanted
    assert flow.saw["dict outputs"] == pytest.approx([expected[0, 0]], abs=1e-6)
    checks = "anomaly.count" if PROFILES[flow.release].anomaly else "check_failures"
    assert flow.saw["columns"] == flow.saw["arrow columns"] == ["time", "in.tensor", "out.dense_1", checks]
    assert "metadata.last_model" in flow.saw["metadata"]


def test_inferences_are_logged(flow: Flow) -> None:
    assert flow.saw["logged"] == 8
    assert flow.saw["logged outputs"][:4] == pytest.approx([flow.saw["outputs"][0]] * 4, abs=1e-6)


def test_errors_come_as_the_sdks_exceptions(flow: Flow) -> None:
    assert flow.saw["inference error"] == "InferenceError"
    assert flow.saw["gone"] == flow.saw["not found"] == "EntityNotFoundError"
    assert "Exception" in flow.saw["beyond"]


def test_tags_lead_to_what_has_them(flow: Flow) -> None:
    assert (flow.saw["tagged"], flow.saw["tagged models"]) == (["sdk-pipeline"], ["sdk-model"])


def test_the_instance_that_served_the_sdk_is_conformant(flow: Flow, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "conformance", "run", "--target", flow.url, "--profile", flow.release]
    login = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}
    command += ["--budget", "quick", "--report", f"json={tmp_path / 'result.json'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=os.environ | login, cwd=tmp_path)
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert (result["verdict"], done.returncode) == ("conformant", 0), done.stdout[-3000:]
