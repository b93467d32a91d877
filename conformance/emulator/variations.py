"""What an instance may do otherwise without breaking a promise, drawn from a seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import orjson

from conformance.emulator.deployments import Deployment, by_name
from conformance.emulator.settings import Settings
from conformance.emulator.state import RESPOND, Middleware, State, Step
from conformance.emulator.wire import JSON, Answer, Call

Advice = Mapping[str, Middleware]
STATUS, INFER = "status.get-deployment", "pipelines.infer"
_MAKERS = ("workspaces.create", "models.upload-and-convert", "pipelines.create", "pipelines.copy", "pipelines.deploy")


def _changing(change: Callable[[Call, Answer, State], Answer]) -> Middleware:
    async def around(call: Call, proceed: Step, state: State) -> Answer:
        return change(call, await proceed(call), state)

    return around


def _changing_json(change: Callable[[Any], Any]) -> Middleware:
    """Middleware on the JSON of an operation's successes."""

    def changed(call: Call, answer: Answer, state: State) -> Answer:
        if answer.status // 100 == 2 and answer.media_type == JSON:
            return replace(answer, body=orjson.dumps(change(answer.json)))
        return answer

    return _changing(changed)


def unknown_fields(chance: Random) -> Advice:
    """Objects carry fields that nothing describes; a row and its outputs have their own names alone."""

    own = {"x_trace": f"{chance.getrandbits(32):08x}", "x_more": None}

    def widened(value: Any) -> Any:
        if isinstance(value, list):
            return [widened(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: item if key in ("in", "out") else widened(item) for key, item in value.items()} | own

    def change(call: Call, answer: Answer, state: State) -> Answer:
        known = call.operation and answer.status // 100 == 2 and answer.media_type.startswith(JSON)
        return replace(answer, body=orjson.dumps(widened(answer.json))) if known else answer

    return {RESPOND: _changing(change)}


def lists_in_another_order(chance: Random) -> Advice:
    """Lists whose order means nothing come in any."""

    def shuffled(items: list[Any]) -> list[Any]:
        return chance.sample(items, len(items))

    def workspaces(body: Any) -> Any:
        listed = [each | {key: shuffled(each[key]) for key in ("models", "pipelines")} for each in body["workspaces"]]
        return body | {"workspaces": shuffled(listed)}

    return {"models.list-versions": _changing_json(shuffled), "workspaces.list": _changing_json(workspaces)}


def spaced_json(chance: Random) -> Advice:
    """JSON is written with spaces, and its media type with a charset."""

    def change(call: Call, answer: Answer, state: State) -> Answer:
        if answer.media_type != JSON or not call.operation or len(answer.body) > 100_000:
            return answer
        body = orjson.dumps(orjson.loads(answer.body), option=orjson.OPT_INDENT_2)
        return replace(answer, body=body, media_type="application/json; charset=utf-8")

    return {RESPOND: _changing(change)}


def gateway_headers(chance: Random) -> Advice:
    """Answers carry the headers of a gateway (recorded: these two)."""

    def change(call: Call, answer: Answer, state: State) -> Answer:
        added = {"server": "opscenter-https", "x-envoy-upstream-service-time": str(chance.randint(1, 90))}
        return replace(answer, headers={**answer.headers, **added})

    return {RESPOND: _changing(change)}


def plain_refusals(chance: Random) -> Advice:
    """Where nothing is recorded, bad requests are refused as a web framework would: 400, 415 or 422 in plain text."""

    def change(call: Call, answer: Answer, state: State) -> Answer:
        if answer.status not in (400, 415) or not call.operation or call.operation == INFER:
            return answer
        status = chance.choice((400, 422)) if answer.status == 400 else chance.choice((400, 415, 422))
        return Answer(status, b"Failed to deserialize the request", "text/plain; charset=utf-8", answer.headers)

    return {RESPOND: _changing(change)}


def plain_unauthorized(chance: Random) -> Advice:
    """The gateway refuses for want of a token, in plain text."""

    def change(call: Call, answer: Answer, state: State) -> Answer:
        if answer.status != 401 or not call.operation:
            return answer
        return replace(answer, body=b"Jwt is missing", media_type="text/plain")

    return {RESPOND: _changing(change)}


def _share(deployment: Deployment, state: State) -> float:
    """How far a deployment is on its way to Running: 0 when deployed, 1 and more once it runs."""
    return (state.clock() - deployment.started) / max(state.settings.start_seconds, 1e-9)


def _on_the_way(change: Callable[[Answer, float], Answer], first: float, last: float) -> Advice:
    """Middleware on status while a deployment is between these shares of its way, and was not deployed again."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        name = call.json.get("name") if answer.status == 200 else None
        deployment = by_name(state, name) if isinstance(name, str) else None
        if deployment is None or deployment.stopped is not None:
            return answer
        share = _share(deployment, state)
        return change(answer, share) if first <= share < last else answer

    return {STATUS: around}


def missing_at_first(chance: Random) -> Advice:
    """For a moment after a deploy, its status is not found yet."""

    def change(answer: Answer, share: float) -> Answer:
        return Answer(404, b"not found", "text/plain")

    return _on_the_way(change, 0, 0.2)


def ready_before_running(chance: Random) -> Advice:
    """A deployment is Starting although all of its pods run already (recorded)."""

    def change(answer: Answer, share: float) -> Answer:
        body = answer.json
        pods = body["engines"] + body["engine_lbs"]
        running = {"status": "Running", "ip": "10.244.9.9", "details": []}
        for pod in pods:
            pod.update(running)
        return replace(answer, body=orjson.dumps(body | {"details": ["Scaling"]}))

    return _on_the_way(change, 0.8, 1)


def passing_error(chance: Random) -> Advice:
    """On its way a deployment is in Error for a moment, for want of room (recorded)."""
    reason = "0/4 nodes are available: 4 Insufficient cpu."

    def change(answer: Answer, share: float) -> Answer:
        body = answer.json
        for engine in body["engines"]:
            engine.update({"status": "Pending", "ip": None, "reason": reason, "required_cpu": "1"})
        return replace(answer, body=orjson.dumps(body | {"status": "Error"}))

    return _on_the_way(change, 0.5, 0.65)


def more_pods(chance: Random) -> Advice:
    """A running deployment has a second engine and a sidekick."""

    def change(body: Any) -> Any:
        if body["status"] != "Running":
            return body
        first = body["engines"][0]
        second = first | {"name": first["name"][:-5] + "zzzzz", "ip": "10.244.9.10"}
        plain = {key: body["engine_lbs"][0][key] for key in ("status", "reason", "details")}
        sidekick = {"ip": "10.244.9.11", "name": "helm-runner-zzzzz", **plain, "statuses": "\n"}
        return body | {"engines": [second, first], "sidekicks": [sidekick]}

    return {STATUS: _changing_json(change)}


def owners_as_quotes(chance: Random) -> Advice:
    """The owner of a model version is two quotation marks (recorded)."""
    return {"models.list-versions": _changing_json(lambda found: [each | {"owner_id": '""'} for each in found])}


def models_not_ready_at_once(chance: Random) -> Advice:
    """The state of a version is one of those recorded, and what a client may go without is left out."""
    states = ("uploading", "pending_load_native", "attempting_load_native", "ready")

    def change(found: Any) -> Any:
        for each in found:
            if each["status"] == "ready":
                each["status"] = chance.choice(states)
            del each["image_path"]
        return found

    return {"models.list-versions": _changing_json(change)}


def ids_far_apart(chance: Random) -> Advice:
    """Ids leap, as they do where others use the same service."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        for table in ("workspace", "model", "model_version", "pipeline", "variant", "deployment"):
            leap = chance.randint(0, 999)
            state.store.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = ?", leap, table)
        return await proceed(call)

    return dict.fromkeys(_MAKERS, around)


def host_without_its_label(chance: Random) -> Advice:
    """The external URL's host lacks the `api.` label that the API's own has."""

    def change(body: Any) -> Any:
        return body | {"url": re.sub(r"^(\w+://(?:[^/]*\.)?)api\.", r"\1", body["url"])}

    return {"admin.get-pipeline-external-url": _changing_json(change)}


def version_in_metadata(chance: Random) -> Advice:
    """An inference names the version of its pipeline, where the recordings leave that empty."""

    async def around(call: Call, proceed: Step, state: State) -> Answer:
        answer = await proceed(call)
        if answer.status != 200 or answer.media_type != JSON or call.query:
            return answer
        deployment = by_name(state, call.parameters["deployment"])
        version = deployment.variant if deployment else ""
        records = answer.json
        for record in records:
            record["metadata"]["pipeline_version"] = version
        return replace(answer, body=orjson.dumps(records))

    return {INFER: around}


def unrouted_before_running(chance: Random) -> Advice:
    """Until a deployment runs, its URL is not routed: 404 where others say 503."""

    def change(call: Call, answer: Answer, state: State) -> Answer:
        return replace(answer, status=404) if answer.status == 503 else answer

    return {INFER: _changing(change)}


VARIATIONS: tuple[Callable[[Random], Advice], ...] = (
    unknown_fields,
    lists_in_another_order,
    spaced_json,
    gateway_headers,
    plain_refusals,
    plain_unauthorized,
    missing_at_first,
    ready_before_running,
    passing_error,
    more_pods,
    owners_as_quotes,
    models_not_ready_at_once,
    ids_far_apart,
    host_without_its_label,
    version_in_metadata,
    unrouted_before_running,
)
"""All there are; a seed takes each with a chance of three in four."""


def varied(settings: Settings, seed: int) -> tuple[Settings, dict[str, tuple[Middleware, ...]]]:
    """The settings of an instance that starts and stops more slowly, and the middleware of its variations, by step."""
    chance = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    steps: dict[str, tuple[Middleware, ...]] = {}
    for variation in VARIATIONS:
        drawn, own = chance.random() < 0.75, Random(chance.random())  # noqa: S311
        for step, around in (variation(own) if drawn else {}).items():
            steps[step] = (*steps.get(step, ()), around)
    slower = replace(
        settings,
        start_seconds=settings.start_seconds + chance.uniform(0, 1),
        stop_seconds=settings.stop_seconds + chance.uniform(0, 1),
    )
    return slower, steps


def combined(*middleware: Mapping[str, tuple[Middleware, ...]]) -> dict[str, tuple[Middleware, ...]]:
    """Several sets of middleware as one; the first is outermost."""
    steps: dict[str, Any] = {}
    for each in middleware:
        for step, own in each.items():
            steps[step] = (*steps.get(step, ()), *own)
    return steps
