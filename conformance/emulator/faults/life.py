"""Faults of a deployment's life: what status says of it, from deploy to after undeploy."""

from __future__ import annotations

from typing import Any

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import Fault, question, succeeding, with_json
from conformance.emulator.wire import Answer, Call, RefusalError, answered
from conformance.emulator.world import Around, Step, World

KIND = "relations"
_STATUS = "status.get-deployment"
_OTHER_SHA = "0" * 64
_STARTING = {"status": "Starting", "details": [], "engines": [], "engine_lbs": [], "sidekicks": []}


def _running(alter: Any) -> dict[str, Around]:
    """Advice on the status of a deployment that runs."""
    return {_STATUS: succeeding(lambda body: alter(body) if body["status"] == "Running" else body)}


def _engines(alter: Any) -> dict[str, Around]:
    """Advice on each engine of a deployment that runs."""
    return _running(lambda body: body | {"engines": [alter(engine) for engine in body["engines"]]})


def _models(change: dict[str, Any]) -> dict[str, Around]:
    """Advice on what engines say of their models, but for copies: what those serve is a promise of its own."""

    async def remembered(call: Call, proceed: Step, world: World) -> Answer:
        world.memory.setdefault("copies", set()).add(question(call).get("name"))
        return await proceed(call)

    async def changed(call: Call, proceed: Step, world: World) -> Answer:
        answer = await proceed(call)
        deployment = by_name(world, str(question(call).get("name"))) if answer.status == 200 else None
        copied = deployment is not None and deployment.pipeline in world.memory.get("copies", ())
        if copied or answer.status != 200 or answer.json["status"] != "Running":
            return answer
        return with_json(answer, _with_models(answer.json, change))

    return {"pipelines.copy": remembered, _STATUS: changed}


def _with_models(body: Any, change: dict[str, Any]) -> Any:
    engines = [
        engine | {"model_statuses": {"models": [model | change for model in engine["model_statuses"]["models"]]}}
        for engine in body["engines"]
    ]
    return body | {"engines": engines}


def _pipelines(change: dict[str, Any]) -> dict[str, Around]:
    def alter(engine: Any) -> Any:
        pipelines = [pipeline | change for pipeline in engine["pipeline_statuses"]["pipelines"]]
        return engine | {"pipeline_statuses": {"pipelines": pipelines}}

    return _engines(alter)


def _nested_models(engine: Any) -> Any:
    models = [
        {"config": {"name": model["name"]}, "model_version": {"sha": model["sha"]}, "status": model["status"]}
        for model in engine["model_statuses"]["models"]
    ]
    return engine | {"model_statuses": {"models": models}}


async def _error_for_ever(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    return with_json(answer, answer.json | {"status": "Error"}) if answer.status == 200 else answer


async def _forgotten(call: Call, proceed: Step, world: World) -> Answer:
    """Once it has run, every second question finds nothing."""
    answer = await proceed(call)
    if answer.status != 200 or answer.json["status"] != "Running":
        return answer
    key = f"asked-{question(call)['name']}"
    asked = world.memory[key] = world.memory.get(key, 0) + 1
    return answer if asked % 2 else RefusalError(404, "Deployment not found").answer()


async def _never_gone(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    was = by_name(world, str(question(call).get("name"))) if answer.status == 404 else None
    return answered(_STARTING) if was else answer


async def _comes_back(call: Call, proceed: Step, world: World) -> Answer:
    """Gone once, it is found again from the second question on."""
    answer = await proceed(call)
    name = str(question(call).get("name"))
    was = by_name(world, name) if answer.status == 404 else None
    if was is None:
        return answer
    asked = world.memory[f"gone-{name}"] = world.memory.get(f"gone-{name}", 0) + 1
    return answer if asked == 1 else answered(_STARTING)


async def _unknown_is_starting(call: Call, proceed: Step, world: World) -> Answer:
    answer = await proceed(call)
    unknown = answer.status == 404 and by_name(world, str(question(call).get("name"))) is None
    return answered(_STARTING) if unknown else answer


def _pod_pending(body: Any) -> Any:
    pending = body["engine_lbs"][0] | {"status": "Pending", "ip": None}
    return body | {"engine_lbs": [pending]}


def _one_name(body: Any) -> Any:
    return body | {"engine_lbs": [pod | {"name": body["engines"][0]["name"]} for pod in body["engine_lbs"]]}


def _fault(fault_id: str, slug: str, sentence: str, arounds: dict[str, Around], kind: str = KIND) -> Fault:
    return Fault(fault_id, (f"{_STATUS}.{slug}",), kind, sentence, arounds)


FAULTS = (
    _fault("status-error-for-ever", "reaches-running", "A deployment stays in Error.", {_STATUS: _error_for_ever}),
    _fault("status-forgets", "finds-what-is-deployed", "Every second status is a 404.", {_STATUS: _forgotten}),
    _fault("status-never-ends", "ends-in-404-after-undeploy", "Undeploy never comes to 404.", {_STATUS: _never_gone}),
    _fault("status-comes-back", "stays-gone-once-undeployed", "After a 404 it is found again.", {_STATUS: _comes_back}),
    _fault(
        "status-of-the-unknown-is-starting",
        "knows-nothing-of-what-never-was",
        "A deployment that never was is said to be starting.",
        {_STATUS: _unknown_is_starting},
    ),
    _fault(
        "running-with-a-pending-pod",
        "running-means-every-pod-runs",
        "A deployment is Running while its load balancer is Pending.",
        _running(_pod_pending),
    ),
    _fault(
        "running-without-a-balancer",
        "running-means-an-engine-and-a-balancer",
        "A running deployment lists no load balancer.",
        _running(lambda body: body | {"engine_lbs": []}),
    ),
    _fault(
        "running-without-an-address",
        "running-pods-have-an-address",
        "An engine that runs has no address.",
        _engines(lambda engine: engine | {"ip": None}),
    ),
    _fault("pods-share-a-name", "no-pod-has-anothers-name", "Engine and balancer have one name.", _running(_one_name)),
    _fault(
        "engine-names-another-pipeline",
        "engines-name-the-pipeline",
        "The engines name a pipeline that is not served.",
        _pipelines({"id": "another"}),
    ),
    _fault(
        "engine-names-another-model",
        "engines-name-the-models",
        "The engines name a model that is not served.",
        _models({"name": "another"}),
    ),
    _fault(
        "engine-shows-another-sha",
        "model-sha-is-the-deployed",
        "The engines show the sha of a model that was not deployed.",
        _models({"sha": _OTHER_SHA}),
    ),
    _fault(
        "engine-shows-another-version",
        "model-version-is-the-deployed",
        "The engines show a version of the model that was not deployed.",
        _models({"version": "00000000-0000-4000-8000-000000000000"}),
    ),
    _fault(
        "running-with-a-starting-model",
        "what-runs-says-it-runs",
        "A deployment is Running while its model is said to be starting.",
        _models({"status": "Starting"}),
    ),
    _fault(
        "engine-nests-its-models",
        "tells-each-engines-models",
        "The engines' models are nested, as in 2024.1.",
        _engines(_nested_models),
        "regressions",
    ),
)
