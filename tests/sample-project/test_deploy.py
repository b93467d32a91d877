"""How the two tools are tested: against an emulated instance, through its outages, and from recordings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from deploy import Api, deploy

from conformance.data import FIXTURES

MODEL = FIXTURES / "models" / "fraud.onnx"
ROW = [{"tensor": [0.5] * 29}]


@pytest.fixture
def api(wallaroo_instance):
    return Api(wallaroo_instance.url, wallaroo_instance.username, wallaroo_instance.password, pause=0.02)


def test_a_model_is_served(api):
    url = deploy(api, MODEL, "fraud")
    headers = {"Authorization": f"Bearer {api.token()}", "Content-Type": "application/json; format=pandas-records"}
    (record,) = requests.post(url, json=ROW, headers=headers, timeout=30).json()
    assert record["out"]["dense_1"] == pytest.approx([0.00075737], abs=1e-6)


def test_the_command_finds_the_instance_by_its_environment(wallaroo_instance):
    command = [sys.executable, str(Path(__file__).with_name("deploy.py")), str(MODEL), "by-command"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert shown.startswith(f"{wallaroo_instance.url}/v1/api/pipelines/infer/by-command-")


@pytest.mark.parametrize("kind", ["429", "503"])
def test_it_comes_back_when_it_is_told_to(api, wallaroo_instance, kind):
    with wallaroo_instance.outage(kind, "pipelines.deploy", times=2) as outage:
        assert "/infer/patient-" in deploy(api, MODEL, "patient")
    assert outage.met == 2


def test_it_gives_up_on_what_never_runs(api, wallaroo_instance):
    with wallaroo_instance.outage("never running"), pytest.raises(TimeoutError, match="does not run after 1 seconds"):
        deploy(api, MODEL, "never", patience=1)


def test_a_lost_connection_is_an_error_of_requests(api, wallaroo_instance):
    with wallaroo_instance.outage("reset"), pytest.raises(requests.ConnectionError):
        deploy(api, MODEL, "lost")


@pytest.mark.wallaroo(faults=["deploy-answers-202"])
def test_a_fault_that_it_can_live_with(api):
    assert deploy(api, MODEL, "accepted").endswith("/accepted")


@pytest.mark.recorded("pipelines.undeploy")
def test_an_undeploy_is_answered_from_a_recording(monkeypatch):
    api = Api("https://instance.example", "nobody", "nothing")
    monkeypatch.setattr(api, "token", lambda: "none is needed")
    assert api.call("pipelines/undeploy", {"pipeline_id": 28, "deployment_id": 14}).json() is None


@pytest.mark.wallaroo(release=os.environ.get("WALLAROO_RELEASE", "2026.1"))
def test_the_sdk_is_served(wallaroo_instance):
    pytest.importorskip("wallaroo")
    import pandas as pd
    from deploy_by_sdk import deploy as deploy_by_sdk

    pipeline = deploy_by_sdk(MODEL, "by-sdk")
    assert pipeline.infer(pd.DataFrame(ROW))["out.dense_1"][0] == pytest.approx([0.00075737], abs=1e-6)
    pipeline.undeploy()
