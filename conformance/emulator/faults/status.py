"""Faults of what a deployment is said to be: its status, from deploy to after undeploy, and its URL."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from conformance.emulator.deployments import by_name
from conformance.emulator.faults.fault import asking, fault, late_once, question, succeeding, with_json
from conformance.emulator.state import Middleware, State, Step
from conformance.emulator.wire import Answer, Call, RefusalError, answered

_STATUS = "status.get-deployment"
_OTHER_SHA = "0" * 64
_STARTING = {"status": "Starting", "details": [], "engines": [], "engine_lbs": [], "sidekicks": []}


async def _unknown_deployment_is_a_400(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    never = answer.status == 404 and by_name(state, str(question(call).get("name"))) is None
    return Answer(400, b'{"msg":"Bad request: no such deployment","code":400}') if never else answer


async def _unknown_url_is_made_up(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    name = question(call).get("pipeline_name")
    known = state.store.one("SELECT 1 FROM pipeline WHERE name = ?", name)
    if answer.status != 404 or known:
        return answer
    return answered({"url": f"{call.base}/v1/api/pipelines/infer/{name}-0/{name}"})


async def _known_everywhere(call: Call, proceed: Step, state: State) -> Answer:
    """A pipeline's URL is told under any workspace."""
    answer = await proceed(call)
    body = question(call)
    query = "SELECT workspace_id FROM pipeline WHERE name = ?"
    row = state.store.one(query, body.get("pipeline_name")) if answer.status == 404 else None
    return await proceed(asking(call, body | {"workspace_id": row["workspace_id"]})) if row else answer


def _url(alter: Any) -> dict[str, Middleware]:
    return {"admin.get-pipeline-external-url": succeeding(lambda body: {"url": alter(body["url"])})}


def _next_deployment(url: str) -> str:
    head, deployment, pipeline = url.rsplit("/", 2)
    name, _, number = deployment.rpartition("-")
    return f"{head}/{name}-{int(number) + 1}/{pipeline}"


def _running(alter: Any) -> dict[str, Middleware]:
    """Middleware on the status of a deployment that runs."""
    return {_STATUS: succeeding(lambda body: alter(body) if body["status"] == "Running" else body)}


def _engines(alter: Any) -> dict[str, Middleware]:
    """Middleware on each engine of a deployment that runs."""
    return _running(lambda body: body | {"engines": [alter(engine) for engine in body["engines"]]})


def _models(change: dict[str, Any]) -> dict[str, Middleware]:
    """Middleware on what engines say of their models, but for copies: what those serve is a promise of its own."""

    async def remembered(call: Call, proceed: Step, state: State) -> Answer:
        state.memory.setdefault("copies", set()).add(question(call).get("name"))
        return await proceed(call)

    async def changed(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        deployment = by_name(state, str(question(call).get("name"))) if answer.status == 200 else None
        copied = deployment is not None and deployment.pipeline in state.memory.get("copies", ())
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


def _pipelines(change: dict[str, Any]) -> dict[str, Middleware]:
    def alter(engine: Any) -> Any:
        pipelines = [pipeline | change for pipeline in engine["pipeline_statuses"]["pipelines"]]
        return engine | {"pipeline_statuses": {"pipelines": pipelines}}

    return _engines(alter)


def _renames_engines() -> dict[str, Middleware]:
    """Middleware that gives each engine a new name with each status; an inference names the last one given."""

    async def renamed(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status != 200:
            return answer
        body, names = answer.json, state.memory.setdefault("engines renamed", {})
        for engine in body["engines"]:
            true = engine["name"]
            engine["name"] = names[true] = f"engine-{secrets.token_hex(5)}-{secrets.token_hex(3)[:5]}"
        return with_json(answer, body)

    async def named(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        body = answer.body
        for true, shown in state.memory.get("engines renamed", {}).items():
            body = body.replace(true.encode(), shown.encode())  # of one length, as Arrow's offsets need it
        return replace(answer, body=body)

    return {_STATUS: renamed, "pipelines.infer": named}


def _nested_models(engine: Any) -> Any:
    models = [
        {"config": {"name": model["name"]}, "model_version": {"sha": model["sha"]}, "status": model["status"]}
        for model in engine["model_statuses"]["models"]
    ]
    return engine | {"model_statuses": {"models": models}}


async def _error_for_ever(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    return with_json(answer, answer.json | {"status": "Error"}) if answer.status == 200 else answer


async def _forgotten(call: Call, proceed: Step, state: State) -> Answer:
    """Once it has run, every second question finds nothing."""
    answer = await proceed(call)
    if answer.status != 200 or answer.json["status"] != "Running":
        return answer
    key = f"asked-{question(call)['name']}"
    asked = state.memory[key] = state.memory.get(key, 0) + 1
    return answer if asked % 2 else RefusalError(404, "Deployment not found").answer()


async def _never_gone(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    was = by_name(state, str(question(call).get("name"))) if answer.status == 404 else None
    return answered(_STARTING) if was else answer


async def _comes_back(call: Call, proceed: Step, state: State) -> Answer:
    """Gone once, it is found again from the second question on."""
    answer = await proceed(call)
    name = str(question(call).get("name"))
    was = by_name(state, name) if answer.status == 404 else None
    if was is None:
        return answer
    asked = state.memory[f"gone-{name}"] = state.memory.get(f"gone-{name}", 0) + 1
    return answer if asked == 1 else answered(_STARTING)


async def _unknown_is_starting(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    unknown = answer.status == 404 and by_name(state, str(question(call).get("name"))) is None
    return answered(_STARTING) if unknown else answer


def _pod_pending(body: Any) -> Any:
    pending = body["engine_lbs"][0] | {"status": "Pending", "ip": None}
    return body | {"engine_lbs": [pending]}


def _one_name(body: Any) -> Any:
    return body | {"engine_lbs": [pod | {"name": body["engines"][0]["name"]} for pod in body["engine_lbs"]]}


async def _fails_once_running(call: Call, proceed: Step, state: State) -> Answer:
    """Who was told that a deployment runs is told no more of it."""
    answer = await proceed(call)
    if answer.status != 200 or answer.json["status"] != "Running":
        return answer
    key = f"told-{question(call)['name']}"
    again, state.memory[key] = state.memory.get(key, False), True
    return RefusalError(500, "Internal Server Error: asked before").answer() if again else answer


async def _told_once(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    if answer.status != 200:
        return answer
    key = f"told-{answer.body!r}"
    again, state.memory[key] = state.memory.get(key, False), True
    return RefusalError(400, "Bad request: asked before").answer() if again else answer


async def _by_id(call: Call, proceed: Step, state: State) -> Answer:
    """A deployment is found by `id` too, as the table of parameters has it."""
    body = question(call)
    return await proceed(asking(call, {"name": body["id"]}) if "id" in body and "name" not in body else call)


async def _by_deployment(call: Call, proceed: Step, state: State) -> Answer:
    """The URL is found by the deployment's name too."""
    body = question(call)
    query = """SELECT p.name FROM deployment_name n JOIN deployment d ON d.id = n.deployment_id
        JOIN pipeline p ON p.id = d.pipeline_id WHERE n.name = ? AND p.workspace_id = ? AND d.stopped IS NULL"""
    name, workspace = body.get("pipeline_name"), body.get("workspace_id")
    answer = await proceed(call)
    if answer.status != 404 or not isinstance(name, str) or not isinstance(workspace, int):
        return answer
    row = state.store.one(query, name, workspace)
    return await proceed(asking(call, body | {"pipeline_name": row["name"]})) if row else answer


async def _gone_is_410(call: Call, proceed: Step, state: State) -> Answer:
    answer = await proceed(call)
    was = by_name(state, str(question(call).get("name"))) if answer.status == 404 else None
    return RefusalError(410, "The deployment is stopped").answer() if was else answer


FAULTS = (
    fault(
        "status-of-the-unknown-is-400",
        "statuses",
        "The status of a deployment that never was is answered by 400.",
        _unknown_deployment_is_a_400,
        "status.get-deployment.knows-nothing-of-what-never-was",
    ),
    fault(
        "url-of-the-unknown-is-made-up",
        "statuses",
        "The URL of a pipeline that never was is answered all the same.",
        _unknown_url_is_made_up,
        "admin.get-pipeline-external-url.knows-nothing-of-what-never-was",
        "admin.get-pipeline-external-url.is-404-for-the-unknown",
    ),
    fault(
        "url-of-another-deployment",
        "relations",
        "The external URL names the deployment after the pipeline's own.",
        _url(_next_deployment),
        "admin.get-pipeline-external-url.names-deployment-and-pipeline",
    ),
    fault(
        "url-without-the-pipeline",
        "regressions",
        "The external URL lacks its last segment, as before 2023-04.",
        _url(lambda url: url.rsplit("/", 1)[0]),
        "admin.get-pipeline-external-url.names-deployment-and-pipeline",
    ),
    fault(
        "url-on-another-host",
        "relations",
        "The external URL is on a host that nobody asked.",
        _url(lambda url: "http://inference.invalid/" + url.split("/", 3)[3]),
        "admin.get-pipeline-external-url.is-on-the-targets-host",
    ),
    fault(
        "url-without-a-host",
        "relations",
        "The external URL is a path.",
        _url(lambda url: "/" + url.split("/", 3)[3]),
        "admin.get-pipeline-external-url.is-a-whole-url",
    ),
    fault(
        "url-for-any-workspace",
        "relations",
        "A pipeline's URL is told under a workspace that it is not in.",
        _known_everywhere,
        "admin.get-pipeline-external-url.keeps-to-its-workspace",
    ),
    fault(
        "status-error-for-ever",
        "relations",
        "A deployment stays in Error.",
        _error_for_ever,
        "status.get-deployment.reaches-running",
    ),
    fault(
        "status-forgets",
        "relations",
        "Every second status is a 404.",
        _forgotten,
        "status.get-deployment.finds-what-is-deployed",
    ),
    fault(
        "status-never-ends",
        "relations",
        "Undeploy never comes to 404.",
        _never_gone,
        "status.get-deployment.ends-in-404-after-undeploy",
    ),
    fault(
        "status-comes-back",
        "relations",
        "After a 404 it is found again.",
        _comes_back,
        "status.get-deployment.stays-gone-once-undeployed",
    ),
    fault(
        "status-of-the-unknown-is-starting",
        "relations",
        "A deployment that never was is said to be starting.",
        _unknown_is_starting,
        "status.get-deployment.knows-nothing-of-what-never-was",
    ),
    fault(
        "running-with-a-pending-pod",
        "relations",
        "A deployment is Running while its load balancer is Pending.",
        _running(_pod_pending),
        "status.get-deployment.running-means-every-pod-runs",
    ),
    fault(
        "running-without-a-balancer",
        "relations",
        "A running deployment lists no load balancer.",
        _running(lambda body: body | {"engine_lbs": []}),
        "status.get-deployment.running-means-an-engine-and-a-balancer",
    ),
    fault(
        "running-without-an-address",
        "relations",
        "An engine that runs has no address.",
        _engines(lambda engine: engine | {"ip": None}),
        "status.get-deployment.running-pods-have-an-address",
    ),
    fault(
        "pods-share-a-name",
        "relations",
        "Engine and balancer have one name.",
        _running(_one_name),
        "status.get-deployment.no-pod-has-anothers-name",
    ),
    fault(
        "pods-share-an-address",
        "relations",
        "Engine and balancer have one address.",
        _running(
            lambda body: body | {"engine_lbs": [pod | {"ip": body["engines"][0]["ip"]} for pod in body["engine_lbs"]]}
        ),
        "status.get-deployment.no-pod-has-anothers-address",
    ),
    fault(
        "running-for-a-reason",
        "relations",
        "An engine that runs says why its last pod ended.",
        _engines(lambda engine: engine | {"reason": "OOMKilled"}),
        "status.get-deployment.running-pods-give-no-reason",
    ),
    fault(
        "engines-have-new-names-each-time",
        "relations",
        "Status makes up another name for each engine, each time.",
        _renames_engines(),
        "status.get-deployment.goes-on-naming-its-engines",
    ),
    fault(
        "engines-list-models-twice",
        "relations",
        "An engine lists each of its models twice.",
        _engines(lambda engine: engine | {"model_statuses": {"models": engine["model_statuses"]["models"] * 2}}),
        "status.get-deployment.engines-name-nothing-twice",
    ),
    fault(
        "engine-names-another-pipeline",
        "relations",
        "The engines name a pipeline that is not served.",
        _pipelines({"id": "another"}),
        "status.get-deployment.engines-name-the-pipeline",
    ),
    fault(
        "engine-names-another-model",
        "relations",
        "The engines name a model that is not served.",
        _models({"name": "another"}),
        "status.get-deployment.engines-name-the-models",
    ),
    fault(
        "engine-shows-another-sha",
        "relations",
        "The engines show the sha of a model that was not deployed.",
        _models({"sha": _OTHER_SHA}),
        "status.get-deployment.model-sha-is-the-deployed",
    ),
    fault(
        "engine-shows-another-version",
        "relations",
        "The engines show a version of the model that was not deployed.",
        _models({"version": "00000000-0000-4000-8000-000000000000"}),
        "status.get-deployment.model-version-is-the-deployed",
    ),
    fault(
        "running-with-a-starting-model",
        "relations",
        "A deployment is Running while its model is said to be starting.",
        _models({"status": "Starting"}),
        "status.get-deployment.what-runs-says-it-runs",
    ),
    fault(
        "engine-nests-its-models",
        "regressions",
        "The engines' models are nested, as in 2024.1.",
        _engines(_nested_models),
        "status.get-deployment.tells-each-engines-models",
    ),
    fault(
        "status-is-late",
        "timing",
        "The first status that is found takes six seconds.",
        late_once(6),
        "status.get-deployment.answers-within-five-seconds",
    ),
    fault(
        "status-fails-once-running",
        "service",
        "A status that was Running is a 500 after.",
        _fails_once_running,
        "status.get-deployment.serves-valid-requests",
    ),
    fault(
        "url-is-told-once",
        "service",
        "The URL of a deployment is told once.",
        _told_once,
        "admin.get-pipeline-external-url.serves-valid-requests",
    ),
    fault(
        "status-is-asked-by-id",
        "contradictions",
        "A deployment is found by id as well as by name.",
        _by_id,
        "status.get-deployment.reads-name-rather-than-id",
    ),
    fault(
        "url-by-the-deployments-name",
        "contradictions",
        "The URL is found by the deployment's name as well.",
        _by_deployment,
        "admin.get-pipeline-external-url.is-asked-by-the-pipelines-name",
    ),
    fault(
        "status-details-are-objects",
        "contradictions",
        "The details of a status are objects.",
        succeeding(lambda body: body | {"details": [{"reason": "Scaling"}]}),
        "status.get-deployment.lists-the-details",
        "status.get-deployment.lists-details-as-texts",
    ),
    fault(
        "status-of-the-gone-is-410",
        "contradictions",
        "The status of what was undeployed is a 410.",
        _gone_is_410,
        "status.get-deployment.ends-in-404-after-undeploy",
        "status.get-deployment.is-404-once-gone",
    ),
)
