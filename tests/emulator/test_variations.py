from __future__ import annotations

from random import Random
from typing import Any

import pytest

from conformance.emulator.settings import Settings
from conformance.emulator.variations import VARIATIONS, combined, varied

ROW = [{"dense_input": [0.5] * 29}]


def test_a_seed_takes_the_same_variations_each_time_and_others_take_others() -> None:
    def taken(seed: int) -> dict[str, int]:
        return {step: len(middleware) for step, middleware in varied(Settings(), seed)[1].items()}

    assert taken(7) == taken(7)
    assert len({str(taken(seed)) for seed in range(10)}) > 5
    assert varied(Settings(), 3)[0].start_seconds != varied(Settings(), 4)[0].start_seconds


def test_middleware_is_joined_with_the_first_outermost() -> None:
    first, second = object(), object()
    assert combined({"a": (first,)}, {"a": (second,), "b": (first,)}) == {"a": (first, second), "b": (first,)}  # type: ignore[dict-item]


def all_variations() -> dict[str, Any]:
    return combined(*[{step: (each,) for step, each in variation(Random(1)).items()} for variation in VARIATIONS])


def test_with_every_variation_taken_the_tutorials_flow_still_works(start: Any) -> None:
    instance = start(middleware=all_variations(), start_seconds=0.5)
    pipeline = instance.pipeline(instance.model())
    ids = {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}
    made = instance.ok("pipelines/deploy", {"deploy_id": "p", **ids, "models": pipeline["models"]})["id"]
    name = f"p-{made}"
    assert instance.call("status/get_deployment", {"name": name}).status_code == 404
    assert instance.infer(name, pipeline["name"], ROW).status_code == 404
    seen = set()
    while "Running" not in seen:
        response = instance.call("status/get_deployment", {"name": name})
        seen.add(response.json()["status"] if response.status_code == 200 else response.status_code)
    assert seen == {404, "Starting", "Error", "Running"}
    status = instance.ok("status/get_deployment", {"name": name})
    assert (len(status["engines"]), len(status["sidekicks"])) == (2, 1)
    (record,) = instance.infer(name, pipeline["name"], ROW).json()
    assert record["metadata"]["pipeline_version"] == pipeline["pipeline_variant_version"]
    assert "x_trace" in record
    (version,) = instance.ok("models/list_versions", {"model_id": "model"})
    assert version["owner_id"] == '""'
    refused = instance.call("pipelines/create", {})
    assert refused.status_code in (400, 422)
    assert refused.headers["content-type"].startswith("text/plain")
    instance.ok("pipelines/undeploy", {"deployment_id": made})


def test_a_plain_401_still_says_how_to_authenticate(start: Any) -> None:
    instance = start(middleware=all_variations())
    response = instance.http.post("/v1/api/workspaces/list", json={})
    assert (response.status_code, response.text) == (401, "Jwt is missing")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("host", "url"),
    [("x.api.example.test", "http://x.example.test/"), ("api.example.test", "http://example.test/")],
)
def test_the_urls_host_may_lack_its_label(start: Any, host: str, url: str) -> None:
    instance = start(middleware=all_variations())
    pipeline = instance.pipeline()
    ids = {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}
    instance.ok("pipelines/deploy", {"deploy_id": "p", **ids})
    body = {"workspace_id": 10, "pipeline_name": pipeline["name"]}
    headers = instance.headers | {"host": host}
    answer = instance.http.post("/v1/api/admin/get_pipeline_external_url", json=body, headers=headers).json()
    assert answer["url"].startswith(url)
