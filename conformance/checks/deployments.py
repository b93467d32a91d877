"""Relations of deployments: deploying again, status and engines, the inference URL, undeploying."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from conformance.checks.rules import Findings, Rules, came, is_id, seen
from conformance.ledger import Deployment, Ledger, Stage
from conformance.model import Exchange

DEADLINE = "deadline"
"""The label of a status poll after which a wait gave up."""


def deployed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Deploying what is deployed returns the same id (recorded: 14, 14); anything else gets an id of its own."""
    question, answer = exchange.question, exchange.answer
    if exchange.operation != "pipelines.deploy" or not _told(exchange) or not isinstance(question, dict):
        return
    new = answer.get("id") if isinstance(answer, dict) else None
    pk = question.get("pipeline_id")
    if not is_id(new) or not is_id(pk):
        return
    current, known = ledger.deployment_of(pk), ledger.deployments.get(new)
    if current is not None and current.stage is Stage.DEPLOYED and current.deploy_id == question.get("deploy_id"):
        yield seen(exchange, "again-returns-the-same-id", new == current.id, f"id {current.id} again", new)
    elif current is None or current.stage is Stage.GONE:
        yield seen(exchange, "a-new-deployment-has-its-own-id", known is None, "an id not given before", new)


def status_found(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A deployment is found while it is deployed, and no longer once it is undeployed and gone."""
    deployment = _asked_for(exchange, ledger)
    if deployment is None or exchange.status is None:
        return
    if deployment.stage is Stage.DEPLOYED and deployment.confirmed:
        yield seen(exchange, "finds-what-is-deployed", exchange.status != 404, "status 200", came(exchange))
    elif deployment.stage is Stage.STOPPING and (exchange.status == 404 or DEADLINE in exchange.labels):
        yield seen(
            exchange, "ends-in-404-after-undeploy", exchange.status == 404, "status 404 within the wait", came(exchange)
        )
    elif deployment.stage is Stage.GONE:
        yield seen(exchange, "stays-gone-once-undeployed", not exchange.ok, "status 404", came(exchange))


def status_unknown(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """A deployment that never was is not found."""
    if exchange.operation == "status.get-deployment" and "never-was" in exchange.labels:
        yield seen(exchange, "knows-nothing-of-what-never-was", exchange.status == 404, "status 404", came(exchange))


def reaches_running(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """What was deployed becomes Running within the wait, and is not stuck in Error."""
    deployment, answer = _asked_for(exchange, ledger), exchange.answer
    if deployment is None or deployment.stage is not Stage.DEPLOYED:
        return
    status = answer.get("status") if isinstance(answer, dict) and exchange.ok else None
    if status == "Running" or DEADLINE in exchange.labels:
        yield seen(exchange, "reaches-running", status == "Running", "status Running within the wait", came(exchange))


def running_pods(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """While a deployment is Running, each engine, load balancer and sidekick is (480 of 480 recordings)."""
    answer = exchange.answer
    if exchange.operation != "status.get-deployment" or not _told(exchange) or not isinstance(answer, dict):
        return
    if answer.get("status") != "Running":
        return
    pods = [pod for group in ("engines", "engine_lbs", "sidekicks") for pod in _objects(answer.get(group))]
    idle = [f"{pod.get('name')}: {pod.get('status')}" for pod in pods if pod.get("status") != "Running"]
    yield seen(exchange, "running-means-every-pod-runs", not idle, "every pod Running", idle)


def status_contents(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The engines of a Running deployment name its pipeline, and its models with their version and sha."""
    deployment, answer = _asked_for(exchange, ledger), exchange.answer
    if deployment is None or not isinstance(answer, dict) or answer.get("status") != "Running":
        return
    engines = _objects(answer.get("engines"))
    named = {row.get("id") for engine in engines for row in _rows(engine, "pipeline_statuses", "pipelines")}
    if deployment.pipeline_name and named:
        held = named == {deployment.pipeline_name}
        yield seen(
            exchange,
            "engines-name-the-pipeline",
            held,
            f"pipeline '{deployment.pipeline_name}'",
            sorted(map(str, named)),
        )
    models = [row for engine in engines for row in _rows(engine, "model_statuses", "models")]
    if not deployment.shas:
        return
    shown = {str(row.get("name")) for row in models}
    held = shown == set(deployment.models)
    yield seen(exchange, "engines-name-the-models", held, f"models {sorted(set(deployment.models))}", sorted(shown))
    shas = {str(row.get("sha")) for row in models}
    if held:
        expected = sorted(set(deployment.shas))
        yield seen(exchange, "model-sha-is-the-deployed", shas == set(expected), f"sha {expected}", sorted(shas))


def url_of_deployment(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """The URL names the deployment and the pipeline (18 recordings), on the host it was asked of."""
    question, answer = exchange.question, exchange.answer
    if exchange.operation != "admin.get-pipeline-external-url" or not isinstance(question, dict):
        return
    name, workspace_id = question.get("pipeline_name"), question.get("workspace_id")
    pipeline = ledger.pipeline_named(workspace_id, name) if isinstance(name, str) else None
    if "never-was" in exchange.labels:
        yield seen(exchange, "knows-nothing-of-what-never-was", exchange.status == 404, "status 404", came(exchange))
    url = answer.get("url") if isinstance(answer, dict) and _told(exchange) else None
    deployment = ledger.deployment_of(pipeline.pk) if pipeline else None
    if not isinstance(url, str) or pipeline is None or deployment is None or deployment.stage is not Stage.DEPLOYED:
        return
    path = unquote(urlsplit(url).path)
    expected = f"/v1/api/pipelines/infer/{deployment.name}/{pipeline.name}"
    yield seen(exchange, "names-deployment-and-pipeline", path.endswith(expected), f"a URL ending in {expected}", url)
    there, here = urlsplit(url), urlsplit(exchange.request.url)
    same = _bare(there.hostname) == _bare(here.hostname)
    yield seen(exchange, "is-on-the-targets-host", same, f"a URL on {here.hostname}", url)


def undeployed(exchange: Exchange, ledger: Ledger, rules: Rules) -> Findings:
    """Undeploying what is already undeployed is harmless (the vendor's client documents it as doing nothing)."""
    question = exchange.question
    if exchange.operation != "pipelines.undeploy" or exchange.status is None or not isinstance(question, dict):
        return
    deployment = ledger.deployments.get(question.get("deployment_id"))  # type: ignore[arg-type]
    if deployment is not None and deployment.stage is not Stage.DEPLOYED:
        yield seen(
            exchange, "a-second-undeploy-is-harmless", exchange.status < 500, "a status below 500", came(exchange)
        )


def _asked_for(exchange: Exchange, ledger: Ledger) -> Deployment | None:
    question = exchange.question
    if exchange.operation != "status.get-deployment" or not isinstance(question, dict):
        return None
    return ledger.deployment_named(question.get("name"))  # type: ignore[arg-type]


def _told(exchange: Exchange) -> bool:
    return exchange.ok or (exchange.response is not None and exchange.status is None)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _rows(engine: dict[str, Any], group: str, name: str) -> list[dict[str, Any]]:
    inner = engine.get(group)
    return _objects(inner.get(name)) if isinstance(inner, dict) else []


def _bare(host: str | None) -> str:
    """The host without its `api.` label, which comes and goes between releases."""
    return ".".join(label for label in (host or "").split(".") if label != "api")
