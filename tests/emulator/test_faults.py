from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from conformance.emulator.app import create_app
from conformance.emulator.faults import FAULTS, find, middleware_of
from conformance.emulator.faults.fault import OPERATIONS
from conformance.emulator.settings import Settings
from conformance.errors import UsageError
from conformance.spec.requirements import load

ROW = [{"dense_input": [0.5] * 29}]
KINDS = {
    "response schema",
    "statuses",
    "media types and headers",
    "identity",
    "relations",
    "idempotence",
    "inference values and row order",
    "robustness",
    "leaks",
    "timing",
    "regressions",
    "service",
    "contradictions",
    "under load",
}


def test_every_class_has_faults_and_every_id_is_one_of_its_own() -> None:
    assert {fault.kind for fault in FAULTS} == KINDS
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) >= 60


def test_every_fault_breaks_requirements_that_the_catalogue_has() -> None:
    known = {row.id for row in load()}
    assert {broken for fault in FAULTS for broken in fault.breaks} - known == set()
    assert all(fault.breaks and fault.sentence.endswith(".") for fault in FAULTS)


def test_every_operation_has_faults() -> None:
    assert {broken.rsplit(".", 1)[0] for fault in FAULTS for broken in fault.breaks} >= set(OPERATIONS)


def test_an_unknown_fault_is_refused_with_the_nearest_one() -> None:
    assert find("infer-after-undeploy").id == "infer-after-undeploy"
    with pytest.raises(UsageError, match="the nearest is 'infer-after-undeploy'"):
        find("infer-after-undeployed")


def test_the_command_lists_them_in_both_forms() -> None:
    def listed(*arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "conformance", "faults", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    rows = json.loads(listed("--json"))
    assert [row["id"] for row in rows] == [fault.id for fault in FAULTS]
    assert set(rows[0]) == {"id", "breaks", "class", "sentence"}
    table = listed()
    assert all(fault.id in table and fault.breaks[0] in table for fault in FAULTS)


def test_a_second_deploy_gives_a_new_id_and_the_first_lives_on(start: Any) -> None:
    instance = start(find("deploy-again-gives-a-new-id"))
    pipeline = instance.pipeline(instance.model())
    first, second, third = (instance.deployed(pipeline) for _ in range(3))
    assert len({first, second, third}) == 3
    for name in (first, second, third):
        assert instance.infer(name, pipeline["name"], ROW).status_code == 200


def test_inference_is_answered_after_undeploy(start: Any) -> None:
    instance = start(find("infer-after-undeploy"))
    pipeline = instance.pipeline(instance.model())
    name = instance.deployed(pipeline)
    instance.ok("pipelines/undeploy", {"pipeline_id": pipeline["pipeline_pk_id"]})
    instance.until(name, 404)
    assert instance.infer(name, pipeline["name"], ROW).status_code == 200
    assert instance.infer(name, "another", ROW).status_code == 404


def test_outputs_are_off_in_json_and_in_arrow(start: Any, instance: Any) -> None:
    import pyarrow as pa

    faulty = start(find("infer-off-by-a-thousandth"))
    headers = {"accept": "application/vnd.apache.arrow.file"}
    outputs = []
    for each in (instance, faulty):
        pipeline = each.pipeline(each.model(name="off"), name="off")
        name = each.deployed(pipeline)
        by_json = each.infer(name, "off", ROW).json()[0]["out"]["dense_1"][0]
        table = pa.ipc.open_file(each.infer(name, "off", ROW, headers=headers).content).read_all()
        outputs.append((by_json, table.column("out").to_pylist()[0]["dense_1"][0]))
    assert outputs[1] == pytest.approx([value + 1e-3 for value in outputs[0]], abs=1e-8)


def test_faults_are_composed(start: Any) -> None:
    instance = start(find("create-answers-201"), find("create-null-version-id"), find("no-date"))
    response = instance.call("pipelines/create", {"pipeline_id": "p", "workspace_id": 10})
    assert response.status_code == 201
    assert response.json()["pipeline_variant_pk_id"] is None
    assert "date" not in response.headers


CALLS: tuple[tuple[str, Any], ...] = (
    ("workspaces/list", {}),
    ("workspaces/create", {"workspace_name": "w"}),
    ("pipelines/create", {"pipeline_id": "p", "workspace_id": 10, "definition": {}}),
    ("pipelines/create", {"pipeline_id": "p", "workspace_id": 10, "definition": {}}),
    ("pipelines/deploy", {"deploy_id": "p", "pipeline_id": 25, "pipeline_version_pk_id": 26}),
    ("pipelines/deploy", {"deploy_id": "p", "pipeline_id": "25", "models": 5}),
    ("pipelines/deploy", {}),
    ("status/get_deployment", {"name": "p-14"}),
    ("status/get_deployment", {"name": None}),
    ("admin/get_pipeline_external_url", {"workspace_id": 10, "pipeline_name": "p"}),
    ("admin/get_pipeline_external_url", {"workspace_id": 11}),
    ("models/list_versions", {"model_id": "none", "models_pk_id": "x"}),
    ("pipelines/copy", {"name": "c", "workspace_id": 10, "source_pipeline": 25}),
    ("pipelines/copy", {"workspace_id": 11, "source_pipeline": 99}),
    ("pipelines/undeploy", {"deployment_id": 14}),
    ("pipelines/undeploy", {"deployment_id": "14"}),
    ("pipelines/undeploy", []),
    ("pipelines/infer/p-14/p", [{"x": ["1"]}]),
)


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, private=True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_faulty_instance_does_not_fail_for_reasons_of_its_own(
    fault: Any, key: RSAKey, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.kind == "timing":
        pytest.skip("it is late on purpose")
    monkeypatch.setattr("conformance.emulator.openid._key", lambda *_: key)  # making one costs more than the walk
    asyncio.run(_walk(create_app(Settings(start_seconds=0), middleware=middleware_of((fault,)))))
    assert "An operation of the emulated instance failed" not in caplog.text


async def _walk(app: Any) -> None:
    state = app.state.emulated
    headers = {"authorization": f"Bearer {state.tokens.access_token('sdk-client')}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://emulated", headers=headers, trust_env=False
    ) as http:
        for path, body in CALLS:
            await http.post(f"/v1/api/{path}", json=body)
        await http.post("/v1/api/pipelines/create", content=b"{", headers={"content-type": "application/json"})
        await http.request("QUERY", "/v1/api/pipelines/create/more")
    state.close()
