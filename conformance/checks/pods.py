"""What status says of a deployment's pods: which run, where, and which pipeline and models they serve."""

from __future__ import annotations

import ipaddress
from typing import Any

import numpy as np

from conformance.api.tensors import expected_outputs, rows_answered, rows_sent
from conformance.checks.deployments import asked_for
from conformance.checks.rules import Findings, Rules, came, objects, seen, told
from conformance.ledger import Deployment, Ledger
from conformance.model import Exchange, Finding, Mark

_GROUPS = ("engines", "engine_lbs", "sidekicks")


def running_pods(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """While a deployment is Running, each engine, load balancer and sidekick is (480 of 480 recordings)."""
    answer = _running(exchange)
    if answer is None:
        return
    pods = [pod for group in _GROUPS for pod in objects(answer.get(group))]
    stated = [pod for pod in pods if isinstance(pod.get("status"), str)]
    idle = [f"{pod.get('name')}: {pod['status']}" for pod in stated if pod["status"] != "Running"]
    yield seen(exchange, "running-means-every-pod-runs", not idle, "every pod Running", idle)
    if isinstance(answer.get("engines"), list) and isinstance(answer.get("engine_lbs"), list):
        both = bool(answer["engines"]) and bool(answer["engine_lbs"])
        counts = f"{len(answer['engines'])} engines, {len(answer['engine_lbs'])} load balancers"
        yield seen(exchange, "running-means-an-engine-and-a-balancer", both, "one of each at least", counts)
    up = [pod for pod in stated if pod["status"] == "Running" and isinstance(pod.get("ip", ""), str | None)]
    lost = [f"{pod.get('name')}: {pod.get('ip')}" for pod in up if "ip" in pod and not _is_address(pod["ip"])]
    yield seen(exchange, "running-pods-have-an-address", not lost, "an IP address for each pod that runs", lost)
    names = [pod["name"] for pod in pods if isinstance(pod.get("name"), str)]
    yield seen(exchange, "no-pod-has-anothers-name", len(set(names)) == len(names), "each name once", sorted(names))
    ips = [pod["ip"] for pod in up if pod.get("ip")]
    if len(set(names)) == len(names):
        held = len(set(ips)) == len(ips)
        yield seen(exchange, "no-pod-has-anothers-address", held, "each address once", sorted(ips))
    reasons = [f"{pod.get('name')}: {pod['reason']}" for pod in up if isinstance(pod.get("reason"), str)]
    yield seen(exchange, "running-pods-give-no-reason", not reasons, "reason null of each pod that runs", reasons)
    yield from _keeps_its_engines(exchange, ledger, answer)


def _keeps_its_engines(exchange: Exchange, ledger: Ledger, answer: dict[str, Any]) -> Findings:
    """Pods are replaced now and then, each time under another name, but not from one question to the next."""
    deployment = asked_for(exchange, ledger)
    now = {pod["name"] for pod in objects(answer.get("engines")) if isinstance(pod.get("name"), str)}
    if deployment is not None and deployment.running and now:
        ever = deployment.engines | now
        held, expected = len(ever) <= _ENGINES_EACH * len(now), "the engines that status named before"
        yield seen(exchange, "goes-on-naming-its-engines", held, expected, f"{len(ever)} names so far, now {min(now)}")


_ENGINES_EACH = 4
"""Names that an engine may have had, one after another: more replacements than any short run should see."""


def running_contents(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """While a deployment is Running, its engines say so of their pipelines and models (no other value was recorded)."""
    answer = _running(exchange)
    rows = [row for engine in objects((answer or {}).get("engines")) for row in (*_pipelines(engine), *_models(engine))]
    stated = [row for row in rows if isinstance(row.get("status"), str)]
    if stated:
        idle = [f"{row.get('id', row.get('name'))}: {row['status']}" for row in stated if row["status"] != "Running"]
        yield seen(exchange, "what-runs-says-it-runs", not idle, "Running of each pipeline and model", idle)
    groups = [[str(row) for row in of(engine)] for engine in objects((answer or {}).get("engines")) for of in _INNER]
    if any(groups):
        twice = [row for rows in groups for row in set(rows) if rows.count(row) > 1]
        yield seen(exchange, "engines-name-nothing-twice", not twice, "each pipeline and model once an engine", twice)


def status_contents(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The engines of a Running deployment name its pipeline, and its models with their version and sha."""
    deployment, answer = asked_for(exchange, ledger), _running(exchange)
    if deployment is None or answer is None:
        return
    engines = objects(answer.get("engines"))
    pipelines = [row for engine in engines for row in _pipelines(engine)]
    named = {str(row.get("id")) for row in pipelines}
    if deployment.pipeline_name and _whole(engines, "pipeline_statuses") and _texts(pipelines, "id"):
        expected = f"pipeline '{deployment.pipeline_name}'"
        held = named == {deployment.pipeline_name}
        yield seen(exchange, "engines-name-the-pipeline", held, expected, sorted(named))
    models = [row for engine in engines for row in _models(engine)]
    if deployment.shas and _whole(engines, "model_statuses") and _texts(models, "name", "version", "sha"):
        yield from _served(exchange, ledger, deployment, models)


def version_swapped(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Status names the models of the version that was deployed last, and inference computes them."""
    deployment = asked_for(exchange, ledger) or ledger.deployment_served_by(exchange)
    if Mark.SWAPPED not in exchange.labels or deployment is None or not deployment.due or exchange.status is None:
        return
    operation, slug, due = "pipelines.deploy", "serves-the-version-deployed-last", sorted(set(deployment.due))
    answer = exchange.answer
    if exchange.operation == "status.get-deployment" and exchange.ok and isinstance(answer, dict):
        shas = sorted({str(row.get("sha")) for engine in objects(answer.get("engines")) for row in _models(engine)})
        yield elsewhere(exchange, operation, slug, shas == due, f"models of sha {due}", shas)
    elif exchange.operation == "pipelines.infer":
        content = ledger.contents.get(due[0]) if len(due) == 1 else None
        sent, answered = rows_sent(exchange.request), rows_answered(exchange.response)[1] if exchange.response else None
        expected = expected_outputs(content, sent) if content is not None and sent is not None else None
        if expected is None or (exchange.ok and answered is None):
            return
        held = (
            answered is not None and expected.shape == answered.shape and bool(np.allclose(answered, expected, 0, 1e-6))
        )
        told = came(exchange) if answered is None else f"{answered[0].tolist()}"
        yield elsewhere(exchange, operation, slug, held, f"{expected[0].tolist()} of the version deployed last", [told])


def _whole(engines: list[dict[str, Any]], group: str) -> bool:
    """Whether there are engines and each has the group, if only as null; what is malformed is told by its schema."""
    return bool(engines) and all(group in engine and isinstance(engine[group], dict | None) for engine in engines)


def _texts(rows: list[dict[str, Any]], *names: str) -> bool:
    return all(isinstance(row.get(name), str) for row in rows for name in names)


def _served(exchange: Exchange, ledger: Ledger, deployment: Deployment, rows: list[dict[str, Any]]) -> Findings:
    """One wrong model is one broken promise: of the copy, of the version, or else of the field that shows it."""
    shas = {str(row.get("sha")) for row in rows}
    right, expected = shas == set(deployment.shas), f"models of sha {sorted(set(deployment.shas))}"
    if deployment.copied:
        yield elsewhere(exchange, "pipelines.copy", "copies-the-definition", right, expected, sorted(shas))
    others = shas_of_other_versions(ledger, deployment)
    mistaken = bool(shas) and not right and shas <= others
    if others and not deployment.copied:
        if is_alone(ledger, deployment):
            slug = "serves-the-version-deployed"
            yield elsewhere(exchange, "pipelines.deploy", slug, not mistaken, expected, sorted(shas))
        if mistaken:
            return
    if right or not deployment.copied:
        yield from _fields(exchange, deployment, rows, right)


def _fields(exchange: Exchange, deployment: Deployment, rows: list[dict[str, Any]], right: bool) -> Findings:
    names, due = {str(row.get("name")) for row in rows}, set(deployment.models)
    yield seen(exchange, "engines-name-the-models", names == due, f"models {sorted(due)}", sorted(names))
    if names != due:
        return
    shas = sorted({str(row.get("sha")) for row in rows})
    yield seen(exchange, "model-sha-is-the-deployed", right, f"sha {sorted(set(deployment.shas))}", shas)
    versions = {str(row.get("version")) for row in rows}
    if right and any(deployment.versions):
        held = versions == set(deployment.versions)
        expected = f"version {sorted(set(deployment.versions))}"
        yield seen(exchange, "model-version-is-the-deployed", held, expected, sorted(versions))


def is_alone(ledger: Ledger, deployment: Deployment) -> bool:
    """Whether it is the only live deployment of its pipeline. Of two nobody knows which serves what: that there are two
    is told by its own row."""
    return sum(other.pipeline_pk == deployment.pipeline_pk for other in ledger.live()) == 1


def shas_of_other_versions(ledger: Ledger, deployment: Deployment) -> set[str]:
    """The shas that other versions of the deployed pipeline have, and the deployed one has not."""
    pipeline = ledger.pipelines.get(deployment.pipeline_pk) if deployment.pipeline_pk is not None else None
    versions = pipeline.versions if pipeline else ()
    shas = {sha for version in versions if version.pk != deployment.variant_pk for sha in version.shas}
    return shas - set(deployment.shas)


def elsewhere(exchange: Exchange, operation: str, slug: str, held: bool, expected: str, actual: list[str]) -> Finding:
    """A finding on a row of another operation than the one it showed at."""
    shown = "" if held else f"{actual}"
    return Finding(f"{operation}.{slug}", held, expected, shown, (exchange,), operation)


def _running(exchange: Exchange) -> dict[str, Any] | None:
    answer = exchange.answer
    if not told(exchange, "status.get-deployment") or not isinstance(answer, dict):
        return None
    return answer if answer.get("status") == "Running" else None


def _pipelines(engine: dict[str, Any]) -> list[dict[str, Any]]:
    inner = engine.get("pipeline_statuses")
    return objects(inner.get("pipelines")) if isinstance(inner, dict) else []


def _models(engine: dict[str, Any]) -> list[dict[str, Any]]:
    inner = engine.get("model_statuses")
    return objects(inner.get("models")) if isinstance(inner, dict) else []


_INNER = (_pipelines, _models)


def _is_address(text: str | None) -> bool:
    try:
        ipaddress.ip_address(text or "")
    except ValueError:
        return False
    return True
